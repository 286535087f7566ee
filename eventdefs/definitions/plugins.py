"""Trait plugins: what makes a value of the matches of a trait's paths.

A plugin is a class. Its instance is made once, at load, from the parameters in the definition, which it checks; its
`trait_values` is called for each notification. Third parties register theirs as entry points of the namespace
`eventdefs.trait_plugins`, where ours stand too.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from eventdefs.thirdparty import Registered, registered
from eventdefs.times import parse_time

NAMESPACE = "eventdefs.trait_plugins"

Matches = Sequence[tuple[str, Any]]
"""(path, value) of what the paths of a trait found, nulls left out. A path has no `$`, list steps read `l.[0]`."""


class TraitPlugin(Protocol):
    """What a trait plugin is.

    Attributes:
        several: whether it gives a value for each match, so that a sample definition with `lookup` can use it.
        fields: how many paths it needs, None for any number.
    """

    several: ClassVar[bool]
    fields: ClassVar[int | None]

    def trait_values(self, matches: Matches) -> Sequence[Any] | None:
        """Return values; the first that is not None is the trait's. None or nothing gives no trait."""


Remark = tuple[str, str]
"""What is odd, and how to put it right. A plugin may have a method `remarks(paths)` that yields them for the linter:
*paths* are those of its trait as matches have them, None for one that is more than keys."""


class Split:
    """A piece of a text: `separator` cuts it, `segment` counts the pieces from 0, or from the end below 0."""

    several: ClassVar[bool] = True
    fields: ClassVar[int | None] = None

    def __init__(self, separator: str = ".", segment: int = 0, max_split: int | None = None) -> None:
        if not isinstance(separator, str) or not separator:
            raise ValueError(f"separator is {separator!r}, expected text that is not empty")
        if not isinstance(segment, int):
            raise ValueError(f"segment is {segment!r}, expected a whole number")
        if max_split is not None and not isinstance(max_split, int):
            raise ValueError(f"max_split is {max_split!r}, expected a whole number")
        self._separator = separator
        self._segment = segment
        self._max_split = -1 if max_split is None else max_split

    def remarks(self, paths: Sequence[str | None]) -> Iterator[Remark]:
        if 0 <= self._max_split < self._segment:
            yield (
                f"{self._max_split + 1} pieces at most are numbered from 0, so that there is no piece {self._segment}",
                "raise max_split, or lower segment",
            )

    def trait_values(self, matches: Matches) -> Sequence[Any]:
        return [self._piece(str(value)) for _, value in matches]

    def _piece(self, text: str) -> str | None:
        pieces = text.split(self._separator, self._max_split)
        return pieces[self._segment] if -len(pieces) <= self._segment < len(pieces) else None


class Bitfield:
    """Flags in one number: each of `flags` sets its `bit` where its `path` has its `value`, or any value."""

    several: ClassVar[bool] = False
    fields: ClassVar[int | None] = None

    def __init__(self, initial_bitfield: int = 0, flags: Sequence[Mapping[str, Any]] | None = None) -> None:
        if not isinstance(initial_bitfield, int):
            raise ValueError(f"initial_bitfield is {initial_bitfield!r}, expected a whole number")
        if not isinstance(flags or [], list):
            raise ValueError("flags is no list")
        self._initial = initial_bitfield
        self._flags: list[tuple[str, int, bool, Any]] = []
        for flag in flags or []:
            if not isinstance(flag, Mapping) or "path" not in flag or "bit" not in flag:
                raise ValueError(f"the flag {flag!r} needs path and bit")
            if unknown := sorted(set(map(str, flag)) - {"path", "bit", "value"}):
                raise ValueError(f"the flag has an unknown key {unknown[0]!r}; known are path, bit, value")
            try:
                bit = int(flag["bit"])
            except (ValueError, TypeError):
                raise ValueError(f"bit is {flag['bit']!r}, expected a whole number") from None
            if not 0 <= bit <= 1023:
                raise ValueError(f"bit {bit} is not between 0 and 1023")
            self._flags.append((flag["path"], 1 << bit, "value" in flag, flag.get("value")))

    def remarks(self, paths: Sequence[str | None]) -> Iterator[Remark]:
        bits = [bit for _, bit, _, _ in self._flags]
        for number, (path, bit, _, _) in enumerate(self._flags):
            if bit in bits[:number]:
                yield f"bit {bit.bit_length() - 1} is set by two flags", "give each flag a bit of its own"
            if None not in paths and path not in paths:
                known = ", ".join(str(known) for known in paths)
                yield (
                    f"the flag of {path!r} is never set: it is none of the trait's paths",
                    f"the paths, without $, are {known}",
                )

    def trait_values(self, matches: Matches) -> Sequence[Any]:
        found = dict(matches)
        field = self._initial
        for path, bit, compared, value in self._flags:
            if path in found and (not compared or found[path] == value):
                field |= bit
        return [field]


class Timedelta:
    """The time between two times, never below zero, in `unit`: s (the default), min or h."""

    several: ClassVar[bool] = False
    fields: ClassVar[int | None] = 2
    UNITS: ClassVar[Mapping[str, float]] = {"s": 1.0, "min": 60.0, "h": 3600.0}

    def __init__(self, unit: str = "s") -> None:
        if unit not in self.UNITS:
            raise ValueError(f"unit is {unit!r}, expected one of {', '.join(self.UNITS)}")
        self._seconds = self.UNITS[unit]

    def remarks(self, paths: Sequence[str | None]) -> Iterator[Remark]:
        if len(paths) > 2:
            yield f"it needs 2 values and has {len(paths)} paths", "write the two times that it is between"
        elif len(paths) == 2 and paths[0] is not None and paths[0] == paths[1]:
            yield "its two paths are one, so that it is always 0", "write the two times that it is between"

    def trait_values(self, matches: Matches) -> Sequence[Any]:
        if len(matches) != 2:
            return [None]
        try:
            begin, end = (parse_time(value) for _, value in matches)
        except ValueError:
            return [None]
        return [abs((end - begin).total_seconds()) / self._seconds]


class Map:
    """Another value for each value: what `values` says, else `default`."""

    several: ClassVar[bool] = False
    fields: ClassVar[int | None] = None

    def __init__(self, values: Mapping[Any, Any], default: Any = None, case_sensitive: bool = True) -> None:
        if not isinstance(values, Mapping) or not values:
            raise ValueError("values is no mapping, or an empty one")
        if not isinstance(case_sensitive, bool):
            raise ValueError(f"case_sensitive is {case_sensitive!r}, expected true or false")
        self._folds = not case_sensitive
        self._given = list(values)
        self._values = {self._key(key): value for key, value in values.items()}
        self._default = default

    def _key(self, value: Any) -> Any:
        return value.casefold() if self._folds and isinstance(value, str) else value

    def remarks(self, paths: Sequence[str | None]) -> Iterator[Remark]:
        keys = [self._key(value) for value in self._given]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                yield f"{self._given[number]!r} is there twice when letter case is ignored", "remove one"

    def trait_values(self, matches: Matches) -> Sequence[Any]:
        keys = [self._key(value) for _, value in matches]
        unhashable = next((key for key in keys if not isinstance(key, Hashable)), None)
        if unhashable is not None:
            raise ValueError("a list or a mapping cannot be looked up")
        return [self._values.get(key, self._default) for key in keys]


_BUILTIN: Mapping[str, type] = {"split": Split, "bitfield": Bitfield, "timedelta": Timedelta, "map": Map}


def builtin_plugins() -> Mapping[str, type]:
    """Return our own plugins by name; they are registered in the namespace too."""
    return _BUILTIN


def _others() -> Registered:
    return registered(NAMESPACE, frozenset(_BUILTIN))


def find_plugin(name: str) -> Any | None:
    """Return the plugin class called *name*, ours or a third party's; None where there is none."""
    return _BUILTIN.get(name) or _others().loaded.get(name)


def plugin_names() -> list[str]:
    return sorted({*_BUILTIN, *_others().loaded})


def why_missing(name: str) -> str:
    """Return why a plugin that is registered as *name* cannot be used, '' where none is."""
    return _others().why(name)


def parameter_names(plugin: Any) -> tuple[str, ...]:
    """Return the parameters that *plugin* knows by name, () where it takes any."""
    parameters = inspect.signature(plugin).parameters
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    return () if takes_any else tuple(parameters)


def make_plugin(plugin: Any, parameters: Mapping[str, Any]) -> TraitPlugin:
    """Make an instance of *plugin* with *parameters*.

    Raises:
        ValueError: it does not take them; the message says why.
    """
    try:
        inspect.signature(plugin).bind(**parameters)
    except TypeError as error:
        known = ", ".join(inspect.signature(plugin).parameters)
        raise ValueError(f"{error}; its parameters are {known or 'none'}") from error
    try:
        made: TraitPlugin = plugin(**parameters)
    except Exception as error:  # A third party's code: whatever it raises, it refuses.
        raise ValueError(f"{error}") from error
    return made
