"""What an editor, or the command line, sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from eventdefs.errors import EventdefsError
from eventdefs.hints import did_you_mean

SECTION = "eventdefs"
"""Under which key editors keep the settings."""


class SettingsError(EventdefsError):
    """A setting that is not known, or has another value than it takes."""


class Settings(msgspec.Struct, frozen=True):
    """Settings of a language server.

    Attributes:
        corpus: files and folders of recorded notifications.
        definitions: definition files and folders that are used together; any other file stands alone.
    """

    corpus: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()

    def changed(self, given: Any, folder: str | None) -> Settings:
        """Return these settings with what *given* sets; its paths are relative to *folder*.

        Raises:
            SettingsError: *given* is no mapping of known settings to a path or a list of paths.
        """
        if given is None:
            return self
        if not isinstance(given, dict):
            raise SettingsError(f"the settings of eventdefs are {given!r:.60}, expected a mapping")
        changes = {}
        for name, value in given.items():
            if name not in self.__struct_fields__:
                known = ", ".join(self.__struct_fields__)
                hint = did_you_mean(str(name), self.__struct_fields__)
                raise SettingsError(f"unknown setting eventdefs.{name}; known are {known}{hint}")
            if value is not None:
                changes[name] = _paths(name, value, folder)
        return msgspec.structs.replace(self, **changes)


def _paths(name: str, value: Any, folder: str | None) -> tuple[str, ...]:
    paths = [value] if isinstance(value, str) else value
    if not isinstance(paths, (list, tuple)) or not all(isinstance(path, str) for path in paths):
        raise SettingsError(f"the setting eventdefs.{name} is {value!r:.60}, expected a path or a list of paths")
    return _absolute([path for path in paths if path], folder)


def _absolute(paths: Sequence[str], folder: str | None) -> tuple[str, ...]:
    return tuple(str(Path(folder or ".", Path(path).expanduser())) for path in paths)
