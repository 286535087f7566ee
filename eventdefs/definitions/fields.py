"""Where a value comes from: a constant, or paths tried in order and perhaps a plugin.

The same for traits and for the attributes of samples. `parse_fields` is the only code that knows in how many ways
it may be written; what it gives is ready to be read.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any, NamedTuple

from eventdefs.definitions import shapes
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.paths import Path, parse_path
from eventdefs.definitions.plugins import TraitPlugin, find_plugin, make_plugin, plugin_names, why_missing
from eventdefs.definitions.source import Mapping, Node, Scalar, Sequence, plain_value
from eventdefs.errors import EventdefsError, PathSyntaxError
from eventdefs.hints import did_you_mean
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


FIELDS_KEYS = ("fields", "plugin")


class FieldsParser:
    """Reads fields; a path that is written many times is compiled once."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._paths: dict[str, Path | PathSyntaxError] = {}

    def parse_fields(self, node: Node, what: str, literal: bool = False) -> Fields | None:
        """Read the fields of *what*; None after saying why not.

        *literal*: a text that finds nothing, or is no path, stands for itself.
        """
        if not isinstance(node, Mapping):
            return self._parse_paths(node, what, None, literal)
        fields = shapes.required(node, "fields", what, self._findings, "fields: payload.some_key")
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
            text = shapes.as_text(only, f"the path of {what}", self._findings, "expected a path or a number")
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
            self._findings.add(code, message, _inside(node, text, known.column), known.hint)
        return None

    def _parse_plugin(self, node: Node, what: str) -> TraitPlugin | None:
        parameters: dict[str, Any] = {}
        name_node: Node | None = node
        if isinstance(node, Mapping):
            shapes.known_keys(node, f"the plugin of {what}", ("name", "parameters"), self._findings)
            name_node = shapes.required(node, "name", f"the plugin of {what}", self._findings, "name: split")
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
            hint = why_missing(name) or f"expected {', '.join(names)}{did_you_mean(name, names)}"
            self._findings.add("E301", f"unknown trait plugin '{name}'", name_node.place, hint)
            return None
        try:
            return make_plugin(plugin, parameters)
        except ValueError as error:
            where = node.get("parameters") if isinstance(node, Mapping) else None
            self._findings.add("E302", f"the plugin {name} of {what}: {error}", (where or node).place)
            return None

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


def _plugin_name(node: Node) -> str:
    name = node.get("name") if isinstance(node, Mapping) else node
    return name.text if isinstance(name, Scalar) else ""


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
