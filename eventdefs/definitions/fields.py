"""Where a value comes from: a constant, or paths tried in order and perhaps a plugin.

The same for traits and for the attributes of samples. `parse_fields` is the only code that knows in how many ways
it may be written; what it gives is ready to be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from typing import Any, NamedTuple

from eventdefs.definitions import keys, shapes
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.paths import Path, parse_path
from eventdefs.definitions.plugins import (
    TraitPlugin,
    find_plugin,
    make_plugin,
    parameter_names,
    plugin_names,
    why_missing,
)
from eventdefs.definitions.source import Mapping, Node, Scalar, Sequence, plain_value
from eventdefs.definitions.yamltraps import missing_blank
from eventdefs.errors import EventdefsError, Fix, PathSyntaxError
from eventdefs.hints import did_you_mean, nearest
from eventdefs.types import Place


class FieldsError(EventdefsError):
    """A plugin fails on what it is given, or a constant stands where values are looked up."""


class _NoConstant:
    def __repr__(self) -> str:
        return "no constant"


NO_CONSTANT = _NoConstant()


class Fields(NamedTuple):
    """Where a value comes from.

    Attributes:
        constant: the value itself, or `NO_CONSTANT`.
        paths: tried in order; the first value that is not null counts.
        plugin: makes values of all matches of all paths, None where the first match is the value.
        literal: the text as written, where it may stand for itself (a sample's unit `GB`), else None. A text that
            is no path at all (`B/s`) has a literal and no paths.
        place: of the value as written.
        places: of each path.
        plugin_name: as written, '' without one.
    """

    constant: Any
    paths: tuple[Path, ...]
    plugin: TraitPlugin | None
    literal: str | None
    place: Place
    places: tuple[Place, ...] = ()
    plugin_name: str = ""

    @property
    def text(self) -> str:
        """The paths as one would write them in a list."""
        return ", ".join(path.text for path in self.paths)

    def first(self, body: AnyMapping[str, Any]) -> Any:
        """Return the value, None where nothing is found.

        Raises:
            PathEvaluationError: a path fails on *body*.
            FieldsError: the plugin fails on what was found.
        """
        if self.constant is not NO_CONSTANT:
            return self.constant
        if self.plugin is not None:
            return next(iter(self._from_plugin(body)), None)
        for path in self.paths:
            value = path.first(body)
            if value is not None:
                return value
        return None

    def all(self, body: AnyMapping[str, Any]) -> list[Any]:
        """Return every value, nulls too unless a plugin made them.

        Raises:
            PathEvaluationError: a path fails on *body*.
            FieldsError: the plugin fails or cannot give several values, or there is only a constant.
        """
        if self.constant is not NO_CONSTANT:
            raise FieldsError("a constant cannot be looked up; leave it out of a definition with `lookup`")
        if self.plugin is None:
            return [value for path in self.paths for value in path.all(body)]
        if not self.plugin.several:
            raise FieldsError("this plugin gives one value, not one for each match, as `lookup` needs")
        return self._from_plugin(body, nulls=True)

    def _from_plugin(self, body: AnyMapping[str, Any], nulls: bool = False) -> list[Any]:
        assert self.plugin is not None
        matches = [match for path in self.paths for match in (path.find(body) if nulls else path.matches(body))]
        try:
            values = self.plugin.trait_values(matches)
            return [value for value in values or () if value is not None]
        except Exception as error:  # A third party's code may raise anything; it is a problem of this value.
            raise FieldsError(f"the plugin fails: {type(error).__name__}: {error}") from error

    def path_of(self, value: Any, body: AnyMapping[str, Any]) -> str:
        """Return the path that gave *value*, for a report; all of them where it cannot be told."""
        for path in self.paths:
            try:
                if path.first(body) is not None:
                    return path.text if self.plugin is None else self.text
            except EventdefsError:
                return path.text
        return self.text


FIELDS_KEYS = keys.names(keys.FIELDS)
PLUGIN_KEYS = keys.names(keys.PLUGIN)


class FieldsParser:
    """Reads fields; a path that is written many times is compiled once."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._paths: dict[str, Path | PathSyntaxError] = {}

    def parse_fields(
        self, node: Node, what: str, literal: bool = False, known: AnySequence[str] = FIELDS_KEYS
    ) -> Fields | None:
        """Read the fields of *what*; None after saying why not.

        *literal*: a text that finds nothing, or is no path, stands for itself. *known*: the keys of a mapping.
        """
        if not isinstance(node, Mapping):
            return self._parse_paths(node, what, None, literal)
        stray = dict.fromkeys(("parameters", "name"), "it stands under `plugin`: indent it")
        shapes.known_keys(node, what, known, self._findings, shapes.belonging(node, stray))
        fields = shapes.required(node, "fields", what, self._findings, keys.example(keys.FIELDS, "fields"))
        plugin_node = node.get("plugin")
        plugin = None if plugin_node is None else self._parse_plugin(plugin_node, what)
        read = None if fields is None else self._parse_paths(fields, what, plugin, False)
        if fields is None or (plugin_node is not None and plugin is None):
            return None
        if read is not None and plugin is not None and plugin_node is not None:
            read = read._replace(plugin_name=_plugin_name(plugin_node))
            needed = getattr(plugin, "fields", None)
            if needed is not None and 0 < len(read.paths) < needed and not _may_match_many(read.paths):
                self._findings.add(
                    "W301",
                    f"the plugin of {what} needs {needed} paths and has {len(read.paths)}",
                    fields.place,
                    f"write {needed} paths in a list",
                )
        return read

    def parse_named(self, node: Node | None, kind: str, what: str) -> dict[str, Fields] | None:
        """Read a mapping of names to fields, each of them a *kind* of *what*; None after saying why not."""
        if node is None or (isinstance(node, Sequence) and not node.items):
            return {}
        mapping = shapes.as_mapping(node, f"{kind} of {what}", self._findings)
        if mapping is None:
            return None
        read = {
            name: self.parse_fields(value, f"{kind} {name} of {what}")
            for name, _, value in shapes.named_entries(mapping, kind, self._findings)
        }
        complete = {name: fields for name, fields in read.items() if fields is not None}
        return complete if len(complete) == len(read) else None

    def _parse_paths(self, node: Node, what: str, plugin: TraitPlugin | None, literal: bool) -> Fields | None:
        items: list[Node] = node.items if isinstance(node, Sequence) else [node]
        if not items:
            self._findings.add("E101", f"the list of paths of {what} is empty", node.place, "expected a path")
            return None
        if len(items) == 1:
            only = items[0]
            if isinstance(only, Scalar) and isinstance(only.value, (bool, int, float)):
                return Fields(only.value, (), plugin, None, only.place)
            wanted = "expected a path or a number"
            if isinstance(only, Scalar) and only.value is None and (fixed := missing_blank(what.rpartition(" ")[2])):
                wanted += f"; a blank stands after the colon, {fixed}"
            text = shapes.as_text(only, f"the path of {what}", self._findings, wanted)
            if text is None or not isinstance(only, Scalar):
                return None
            path = self.parse_path(text, only, what, literal)
            if path is None:
                unreadable = Fields(NO_CONSTANT, (), plugin, text, only.place)
                return unreadable if literal and not _looks_like_path(text) else None
            return Fields(NO_CONSTANT, (path,), plugin, text if literal else None, only.place, (only.place,))
        paths = [self.parse_path(self._item_text(item, what), item, what) for item in items]
        if any(path is None for path in paths):
            return None
        read = tuple(path for path in paths if path is not None)
        return Fields(NO_CONSTANT, read, plugin, None, node.place, tuple(item.place for item in items))

    def _item_text(self, node: Node, what: str) -> str:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        try:
            text = str(plain_value(node))
        except ValueError:
            text = "[]"
        self._findings.add(
            "W102", f"a path of {what} is {shapes.describe(node)}, read as {text[:40]!r}", node.place, "expected text"
        )
        return text

    def parse_path(self, text: str, node: Node, what: str, literal: bool = False) -> Path | None:
        """Read *text*, which stands at *node*, as a path; None after saying why not."""
        known = self._paths.get(text)
        if known is None:
            try:
                known = parse_path(text)
            except PathSyntaxError as error:
                known = error
            self._paths[text] = known
        if isinstance(known, Path):
            return known
        if not (literal and not _looks_like_path(text)):
            code = "E203" if known.reason.startswith("a path of") else "E201"
            message = f"the path of {what} cannot be read: {known.reason}"
            fix = None if code == "E203" else self._quoting(node, text, known)
            self._findings.add(code, message, _inside(node, text, known.column), known.hint, fix=fix)
        return None

    def _quoting(self, node: Node, text: str, error: PathSyntaxError) -> Fix | None:
        """Return the edit that quotes the key at fault, where quoting it makes a path of plain keys of *text*."""
        key = next((one for one in _KEY.finditer(text) if one.start() < error.column <= one.end()), None)
        if key is None or "quoted" not in error.hint + " quoted" * ("quote it" in error.hint):
            return None
        place = _inside(node, text, key.start() + 1)
        if place == node.place and key.start():
            return None
        before = self._findings.line(place)[: place.column - 1]
        quote = '"' if key.start() == 0 or before[len(before) - key.start() - 1 :][:1] == "'" else "'"
        fixed = f"{quote}{key[0]}{quote}"
        try:
            names = parse_path(text[: key.start()] + fixed + text[key.end() :]).names
        except PathSyntaxError:
            return None
        place = place._replace(end_column=place.column + len(key[0]))
        return Fix(f"write {fixed}", place, fixed) if names and key.start() else None

    def _parse_plugin(self, node: Node, what: str) -> TraitPlugin | None:
        parameters: dict[str, Any] = {}
        name_node: Node | None = node
        if isinstance(node, Mapping):
            shapes.known_keys(node, f"the plugin of {what}", PLUGIN_KEYS, self._findings, _belongs_to(node))
            name_node = shapes.required(
                node, "name", f"the plugin of {what}", self._findings, keys.example(keys.PLUGIN, "name")
            )
            if name_node is None:
                return None
            given = self._plain(node.get("parameters"), what)
            if given is None:
                return None
            parameters = given
        assert name_node is not None
        name = shapes.as_text(name_node, f"the plugin of {what}", self._findings)
        if name is None:
            return None
        plugin = find_plugin(name)
        if plugin is None:
            names = plugin_names()
            near = nearest(name, names)
            hint = why_missing(name) or f"expected {', '.join(names)}{did_you_mean(name, names)}"
            fix = Fix(f"write {near}", name_node.place, near) if near else None
            self._findings.add("E301", f"unknown trait plugin '{name}'", name_node.place, hint, fix=fix)
            return None
        try:
            return make_plugin(plugin, parameters)
        except ValueError as error:
            self._refuse_parameters(f"the plugin {name} of {what}", plugin, parameters, node, error)
            return None

    def _refuse_parameters(
        self, what: str, plugin: Any, parameters: AnyMapping[str, Any], node: Node, error: ValueError
    ) -> None:
        """Say why a plugin refuses its parameters, at the one that is unknown or that the reason begins with."""
        written = node.get("parameters") if isinstance(node, Mapping) else None
        known = parameter_names(plugin)
        entries = written.entries() if isinstance(written, Mapping) else {}
        unknown = [key for name, (key, _) in entries.items() if known and str(name) not in known]
        if unknown:
            for key in unknown:
                near = nearest(key.text, [name for name in known if name not in parameters])
                hint = f"its parameters are {', '.join(known)}{f' (did you mean {near!r}?)' if near else ''}"
                if fixed := missing_blank(key.text):
                    hint = f"a blank stands after the colon, {fixed}"
                plain = re.fullmatch(r"\w+", key.text) and key.place.end_column - key.place.column == len(key.text)
                fix = Fix(f"write {near}", key.place, near) if near and plain else None
                self._findings.add("E302", f"{what} has no parameter {key.text!r}", key.place, hint, fix=fix)
            return
        begin = f"{error}".partition(" is ")[0]
        place = next((value.place for name, (_, value) in entries.items() if name == begin), None)
        self._findings.add("E302", f"{what}: {error}", place or (written or node).place)

    def _plain(self, node: Node | None, what: str) -> dict[str, Any] | None:
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return {}
        if shapes.as_mapping(node, f"parameters of the plugin of {what}", self._findings) is None:
            return None
        try:
            plain = plain_value(node)
        except ValueError as error:
            self._findings.add("E003", f"parameters of the plugin of {what}: {error}", node.place)
            return None
        return {str(key): value for key, value in plain.items()}


def _belongs_to(mapping: Mapping) -> Callable[[Node], str]:
    """Return what says that an unknown key of the plugin *mapping* is a parameter of it, where it is."""
    name = mapping.get("name")
    plugin = find_plugin(name.value) if isinstance(name, Scalar) and isinstance(name.value, str) else None
    known = () if plugin is None else parameter_names(plugin)
    return shapes.belonging(mapping, dict.fromkeys(known, "it stands under `parameters`: indent it"))


def _plugin_name(node: Node) -> str:
    name = node.get("name") if isinstance(node, Mapping) else node
    return name.text if isinstance(name, Scalar) else ""


_KEY = re.compile(r"[^.\s\[\]()'\"`|,/*+=~<>]+")


def _may_match_many(paths: tuple[Path, ...]) -> bool:
    return any(path.names is None for path in paths)


def _looks_like_path(text: str) -> bool:
    return text.lstrip().startswith("$")


def _inside(node: Node, text: str, column: int) -> Place:
    """Return the place of a character of a path, where the path stands in one piece in the file."""
    if not isinstance(node, Scalar) or not node.column or node.text != text:
        return node.place
    at = node.column + column - 1
    return node.place._replace(column=at, end_column=at + 1)
