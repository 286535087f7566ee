"""What others registered for us: the entry points of a namespace, loaded through stevedore."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple


class Registered(NamedTuple):
    """The entry points of a namespace: those that loaded by name, and why the others did not."""

    loaded: dict[str, Any]
    failed: dict[str, str]

    def why(self, name: str) -> str:
        """Return why *name* is there and cannot be used, '' where it is not there."""
        return f"'{name}' is registered and fails to load: {self.failed[name]}" if name in self.failed else ""


@cache
def registered(namespace: str) -> Registered:
    """Load what is registered under *namespace*; once in a process."""
    from stevedore import ExtensionManager  # 40 ms, and only names that are not ours need it

    failed: dict[str, str] = {}

    def note(manager: Any, entry_point: Any, error: BaseException) -> None:
        failed[entry_point.name] = f"{type(error).__name__}: {error}"

    manager: Any = ExtensionManager(namespace, on_load_failure_callback=note)
    return Registered({extension.name: extension.plugin for extension in manager}, failed)
