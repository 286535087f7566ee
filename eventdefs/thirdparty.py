"""What others registered for us: the entry points of a namespace, loaded through stevedore."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any, NamedTuple


class Registered(NamedTuple):
    """The entry points of a namespace: those that loaded by name, and why the others did not."""

    loaded: dict[str, Any]
    failed: dict[str, str]

    def why(self, name: str) -> str:
        """Return why *name* is there and cannot be used, '' where it is not there."""
        return f"'{name}' is registered and fails to load: {self.failed[name]}" if name in self.failed else ""


@cache
def registered(namespace: str, ours: frozenset[str]) -> Registered:
    """Load what others registered under *namespace*, where *ours* are the names that are ours; once in a process."""
    from stevedore import NamedExtensionManager  # 40 ms, and only names that are not ours need it

    failed: dict[str, str] = {}

    def note(manager: Any, entry_point: Any, error: BaseException) -> None:
        failed[entry_point.name] = f"{type(error).__name__}: {error}"

    names = sorted({entry_point.name for entry_point in entry_points(group=namespace)} - ours)
    manager: Any = NamedExtensionManager(namespace, names, on_load_failure_callback=note)
    return Registered({extension.name: extension.plugin for extension in manager}, failed)
