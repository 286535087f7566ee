"""The text of a test file to cases, every problem of it said. Nothing here reads a file.

`each` is unfolded here: what comes out are cases with plain values, ready to be run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from eventdefs.cases.edits import Edit, parse_steps
from eventdefs.cases.values import Bindings, expected_value, fill, payload_value, placeholders
from eventdefs.definitions import shapes, source
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.options import Options
from eventdefs.definitions.source import Node, Scalar, parse_yaml
from eventdefs.errors import PathSyntaxError
from eventdefs.hints import did_you_mean
from eventdefs.types import Event, Period, Place, Problem, Sample

FILE_KEYS = ("definitions", "options", "description", "cases")
PARTS = ("traits", "samples", "periods", "problems")
"""What `exactly` can be said of."""
LISTS = ("samples", "periods", "problems")
EXPECTATIONS = ("event", "missing", *LISTS, "no_event", "rejected")
CASE_KEYS = (
    "name",
    "description",
    "notification",
    "number",
    "set",
    "remove",
    "append",
    "each",
    *EXPECTATIONS,
    "exactly",
)


def _attributes(struct: type[msgspec.Struct], *left_out: str) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(struct) if field.name not in left_out)


EVENT_KEYS = ("traits", *_attributes(Event, "traits", "types", "raw"))
ROW_KEYS = {
    "samples": _attributes(Sample),
    "periods": _attributes(Period),
    "problems": _attributes(Problem, "place"),
}
NAMED = {"samples": "name", "periods": "meter", "problems": "name"}
"""By which key the rows of a list find each other, whatever their order."""


class Expected(NamedTuple):
    """What a case expects. What is None is not looked at.

    Attributes:
        event: attributes of the event but for its traits; {} where there must be one.
        traits: values by name; None for a trait that must be missing.
        missing: names of traits that the event must not have.
        samples, periods, problems: rows of which the keys that are there must be equal; () for none at all.
        exactly: of which of `PARTS` nothing may be there that is not named.
        no_event, rejected: whether there must be no event, and because it was rejected.
    """

    event: Mapping[str, Any] | None = None
    traits: Mapping[str, Any] | None = None
    missing: tuple[str, ...] = ()
    samples: tuple[Mapping[str, Any], ...] | None = None
    periods: tuple[Mapping[str, Any], ...] | None = None
    problems: tuple[Mapping[str, Any], ...] | None = None
    exactly: frozenset[str] = frozenset()
    no_event: bool = False
    rejected: bool = False

    def rows(self, part: str) -> tuple[Mapping[str, Any], ...] | None:
        """Return `samples`, `periods` or `problems`."""
        found: tuple[Mapping[str, Any], ...] | None = getattr(self, part)
        return found


class Case(NamedTuple):
    """One notification and what is expected of it.

    Attributes:
        name: unique in the file.
        place: of the case.
        notification: the name of a file as written, or the document itself.
        source: where the notification is named.
        number: which notification of the file it is, from 1; None for the only one.
        edits: made before it is converted.
        expected: None where nothing is expected, which is only let through where it is to be written.
        entry: which entry of `cases` it comes from, from 0.
        each: whether it is one of several that the entry unfolds to.
    """

    name: str
    place: Place
    notification: str | dict[str, Any]
    source: Place
    number: int | None
    edits: tuple[Edit, ...]
    expected: Expected | None
    entry: int
    each: bool = False


class Cases(NamedTuple):
    """What a test file says.

    Attributes:
        file: its name.
        definitions: names of definition files and directories as written, () where it leaves that open.
        options: of these definitions.
        cases: in the order of the file, unfolded.
    """

    file: str
    definitions: tuple[str, ...]
    options: Options
    cases: tuple[Case, ...]


def parse_cases(text: str, file: str, findings: Findings, unfinished: bool = False) -> Cases | None:
    """Read *text*, the test file *file*; None after saying why not.

    *unfinished*: let cases through that expect nothing yet.
    """
    said = len(findings.in_order())
    root = parse_yaml(text, file, findings)
    read = None if root is None else _Reader(file, findings, unfinished).file(root)
    return None if any(one.severity == "error" for one in findings.in_order()[said:]) else read


class _Reader:
    def __init__(self, file: str, findings: Findings, unfinished: bool) -> None:
        self._file = file
        self._findings = findings
        self._unfinished = unfinished

    def file(self, root: Node) -> Cases | None:
        if not isinstance(root, source.Mapping) or root.get("cases") is None:
            found = "empty" if isinstance(root, Scalar) and root.value is None else shapes.describe(root)
            hint = "expected a mapping with `cases:`, a list of cases"
            if isinstance(root, source.Mapping):
                found = f"a mapping of {', '.join(map(str, root.entries())) or 'nothing'}"[:80]
            self._findings.add("E601", f"the file is {found}", root.place, hint)
            return None
        self._known(root, "a test file", FILE_KEYS)
        definitions = root.get("definitions")
        names = [] if definitions is None else shapes.texts(definitions, "definitions", self._findings)
        for text, at in names:
            self._check_name(text, at)
        options = self._options(root.get("options"))
        entries = root.get("cases")
        if not isinstance(entries, source.Sequence):
            assert entries is not None
            self._findings.add("E101", f"cases is {shapes.describe(entries)}", entries.place, "expected a list")
            return None
        cases: list[Case] = []
        named: dict[str, Place] = {}
        for index, entry in enumerate(entries.items):
            for case in self._entry(entry, index):
                if case.name in named:
                    hint = f"the other stands on line {named[case.name].line}; a case is known by its name"
                    self._findings.add("E604", f"two cases are called {case.name[:60]!r}", case.place, hint)
                named[case.name] = case.place
                cases.append(case)
        return Cases(self._file, tuple(name for name, _ in names), options or Options(), tuple(cases))

    def _check_name(self, name: str, node: Node) -> None:
        if not name or "\0" in name:
            self._findings.add("E101", f"{name!r} is no name of a file", node.place)

    def _options(self, node: Node | None) -> Options | None:
        mapping = None if node is None else shapes.as_mapping(node, "options", self._findings)
        if mapping is None:
            return None
        self._known(mapping, "options", _attributes(Options))
        try:
            return msgspec.convert(self._value(mapping, expected_value, {}), Options)
        except msgspec.ValidationError as error:
            self._findings.add("E101", f"options: {error}", mapping.place)
            return None

    def _known(self, mapping: source.Mapping, what: str, known: Collection[str]) -> None:
        for value, (key, _) in mapping.entries().items():
            if value not in known:
                hint = f"known keys are {', '.join(known)}{did_you_mean(str(value), known)}"
                self._findings.add("E602", f"unknown key {key.text!r} in {what}", key.place, hint)

    def _value(self, node: Node, read: Callable[[Node, Bindings], Any], bindings: Bindings) -> Any:
        try:
            return read(node, bindings)
        except ValueError as error:
            self._findings.add("E003", f"a value {error}", node.place)
            return None

    # --- one entry of `cases` ---

    def _entry(self, node: Node, index: int) -> list[Case]:
        mapping = shapes.as_mapping(node, "a case", self._findings)
        if mapping is None:
            return []
        name_node = shapes.required(mapping, "name", "a case", self._findings, "name: a volume that was created")
        name = None if name_node is None else shapes.as_text(name_node, "the name of a case", self._findings)
        what = "a case" if name is None else f"the case {name[:60]!r}"
        self._known(mapping, what, CASE_KEYS)
        shapes.required(mapping, "notification", what, self._findings, "notification: a file, or the notification")
        self._check_expectations(mapping, what)
        each = mapping.get("each")
        if each is None:
            return self._cases(mapping, name or "", index, [])
        rows = self._each(each, what)
        self._check_placeholders(mapping, rows)
        return self._cases(mapping, name or "", index, rows)

    def _check_expectations(self, mapping: source.Mapping, what: str) -> None:
        given = [key for key in EXPECTATIONS if mapping.get(key) is not None]
        if not given and not mapping.get("exactly") and not self._unfinished:
            hint = f"add one of {', '.join(EXPECTATIONS)}; `eventdefs test --update` writes what there is"
            self._findings.add("E603", f"{what} expects nothing", mapping.place, hint)
        for key in ("no_event", "rejected"):
            node = mapping.get(key)
            if node is None or not shapes.as_flag(node, f"{key} of {what}", self._findings):
                continue
            excluded = ("event", "missing", *(("samples", "periods") if key == "rejected" else ()))
            other = next((one for one in excluded if mapping.get(one) is not None), None)
            if other is not None:
                at = mapping.key(other).place
                self._findings.add("E605", f"{what} expects `{key}` and `{other}`", at, f"remove one, or `{key}`")

    def _each(self, node: Node, what: str) -> list[dict[str, Node]]:
        if not isinstance(node, source.Sequence) or not node.items:
            found = shapes.describe(node) if not isinstance(node, source.Sequence) else "empty"
            self._findings.add("E101", f"each of {what} is {found}", node.place, "expected a list of mappings")
            return []
        rows = []
        for item in node.items:
            mapping = shapes.as_mapping(item, f"each of {what}", self._findings)
            if mapping is not None:
                rows.append(
                    {name: value for name, _, value in shapes.named_entries(mapping, "a value", self._findings)}
                )
        for row, item in zip(rows, node.items, strict=False):
            if row.keys() != rows[0].keys():
                hint = f"the first has {', '.join(rows[0])}"
                self._findings.add("E101", f"each of {what} has other names here", item.place, hint)
        return rows

    def _check_placeholders(self, mapping: source.Mapping, rows: list[dict[str, Node]]) -> None:
        """Complain of names in angle brackets that are nearly one of `each`."""
        known = list(rows[0]) if rows else []
        for key, (_, node) in mapping.entries().items():
            for name, at in placeholders(node) if key != "each" else []:
                meant = "" if name in known else did_you_mean(name, known)
                if meant:
                    self._findings.add(
                        "E602", f"<{name}> is no name of each", at.place, f"there are {', '.join(known)}{meant}"
                    )

    def _cases(self, mapping: source.Mapping, name: str, index: int, rows: list[dict[str, Node]]) -> list[Case]:
        if not rows:
            case = self._case(mapping, name, index, {})
            return [] if case is None else [case]
        cases = []
        for row in rows:
            filled = fill(name, row)
            if filled == name:
                values = (f"{key}={value.text}" for key, value in row.items() if isinstance(value, Scalar))
                filled = f"{name} [{', '.join(values)}]"
            case = self._case(mapping, filled, index, row)
            if case is not None:
                cases.append(case._replace(each=True))
        return cases

    def _case(self, mapping: source.Mapping, name: str, index: int, bindings: Bindings) -> Case | None:
        what = f"the case {name[:60]!r}"
        node = mapping.get("notification")
        if node is None:
            return None
        given = self._value(node, payload_value, bindings)
        if not isinstance(given, (str, dict)):
            hint = "expected the name of a file, or a notification"
            self._findings.add("E101", f"notification of {what} is {shapes.describe(node)}", node.place, hint)
            return None
        if isinstance(given, str):
            self._check_name(given, node)
        number_node = mapping.get("number")
        number = None if number_node is None else self._value(number_node, expected_value, bindings)
        if number_node is not None and (type(number) is not int or number < 1 or isinstance(given, dict)):
            hint = "expected a whole number from 1: which notification of the file"
            self._findings.add("E101", f"number of {what} is {shapes.describe(number_node)}", number_node.place, hint)
        edits = (*self._edits(mapping, "set", what, bindings), *self._removals(mapping, what, bindings))
        edits += self._edits(mapping, "append", what, bindings)
        expected = self._expected(mapping, what, bindings)
        return Case(name, mapping.place, given, node.place, number, edits, expected, index)

    def _edits(self, mapping: source.Mapping, kind: Any, what: str, bindings: Bindings) -> tuple[Edit, ...]:
        node = mapping.get(kind)
        entries = None if node is None else shapes.as_mapping(node, f"{kind} of {what}", self._findings)
        if entries is None:
            return ()
        edits = []
        for text, key, value in shapes.named_entries(entries, "a path", self._findings):
            edit = self._edit(kind, fill(text, bindings), key)
            if edit is not None:
                edits.append(edit._replace(value=self._value(value, payload_value, bindings)))
        return tuple(edits)

    def _removals(self, mapping: source.Mapping, what: str, bindings: Bindings) -> tuple[Edit, ...]:
        node = mapping.get("remove")
        texts = [] if node is None else shapes.texts(node, f"remove of {what}", self._findings)
        edits = (self._edit("remove", fill(text, bindings), at) for text, at in texts)
        return tuple(edit for edit in edits if edit is not None)

    def _edit(self, kind: Any, text: str, node: Scalar) -> Edit | None:
        try:
            return Edit(kind, text, parse_steps(text), None, node.place)
        except PathSyntaxError as error:
            self._findings.add("E606", f"{text[:60]!r}: {error.reason}", node.place, error.hint)
            return None

    # --- what is expected ---

    def _expected(self, mapping: source.Mapping, what: str, bindings: Bindings) -> Expected | None:
        if all(mapping.get(key) is None for key in (*EXPECTATIONS, "exactly")):
            return None
        event_node = mapping.get("event")
        event = traits = None
        if event_node is not None:
            event = self._named_values(event_node, f"event of {what}", EVENT_KEYS, bindings)
            traits = event.pop("traits", None)
            if traits is not None and not isinstance(traits, dict):
                at = event_node.get("traits") if isinstance(event_node, source.Mapping) else None
                self._findings.add("E101", f"traits of {what} are no mapping", (at or event_node).place)
                traits = None
        missing = mapping.get("missing")
        names = [] if missing is None else shapes.texts(missing, f"missing of {what}", self._findings)
        for name, at in names:
            if traits is not None and name in traits:
                self._findings.add("E605", f"{what} expects the trait {name}, and that it is missing", at.place)
        samples, periods, problems = (self._rows(mapping, part, what, bindings) for part in LISTS)
        return Expected(
            event,
            traits,
            tuple(fill(name, bindings) for name, _ in names),
            samples,
            periods,
            problems,
            self._exactly(mapping.get("exactly"), what),
            self._is_true(mapping, "no_event"),
            self._is_true(mapping, "rejected"),
        )

    def _is_true(self, mapping: source.Mapping, key: str) -> bool:
        node = mapping.get(key)
        return isinstance(node, Scalar) and node.value is True

    def _exactly(self, node: Node | None, what: str) -> frozenset[str]:
        if node is None:
            return frozenset()
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return frozenset(PARTS) if node.value else frozenset()
        found = set()
        hint = f"expected true, or a list of {', '.join(PARTS)}"
        for word, at in shapes.texts(node, f"exactly of {what}", self._findings):
            if word not in PARTS:
                self._findings.add(
                    "E105", f"exactly of {what}: {word!r}", at.place, f"{hint}{did_you_mean(word, PARTS)}"
                )
            found.add(word)
        return frozenset(found)

    def _named_values(self, node: Node, what: str, known: Collection[str], bindings: Bindings) -> dict[str, Any]:
        mapping = shapes.as_mapping(node, what, self._findings)
        if mapping is None:
            return {}
        self._known(mapping, what, known)
        value = self._value(mapping, expected_value, bindings)
        return value if isinstance(value, dict) else {}

    def _rows(
        self, mapping: source.Mapping, part: str, what: str, bindings: Bindings
    ) -> tuple[Mapping[str, Any], ...] | None:
        node = mapping.get(part)
        if node is None:
            return None
        if not isinstance(node, source.Sequence):
            hint = f"expected a list of mappings, or [] for no {part}"
            self._findings.add("E101", f"{part} of {what} is {shapes.describe(node)}", node.place, hint)
            return None
        rows = []
        for item in node.items:
            row = self._named_values(item, f"{part} of {what}", ROW_KEYS[part], bindings)
            key = NAMED[part]
            if isinstance(item, source.Mapping) and not isinstance(row.get(key), str):
                self._findings.add("E102", f"a row in {part} of {what} has no `{key}`", item.place, f"add {key}:")
            rows.append(row)
        return tuple(rows)
