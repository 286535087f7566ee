"""`eventdefs explain`: why a notification gives the event, the samples and the periods that it gives."""

from __future__ import annotations

import argparse
import fnmatch
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from eventdefs import cli
from eventdefs.cli.colours import Colours, Style, colours_for
from eventdefs.cli.tables import many
from eventdefs.consumers.files import find_files, read_notifications
from eventdefs.definitions import Definitions, load_definitions
from eventdefs.definitions.converters import explain_source
from eventdefs.definitions.explain import (
    AttributeExplanation,
    Explanation,
    Near,
    Overridden,
    PathTrace,
    Plan,
    SampleExplanation,
    Source,
    TraitExplanation,
    explain,
    plan,
)
from eventdefs.encode import event_document, one_line, write_json
from eventdefs.errors import DecodeError, InputError
from eventdefs.hints import did_you_mean
from eventdefs.times import utc_text
from eventdefs.types import DefinitionRef, Event, Notification, Period, Place, Problem, Sample, excerpt

_EXAMPLES = """\
examples:
  eventdefs explain server.json                          one notification, or all of a file or directory
  eventdefs explain server.json --trait memory_mb        only this trait: what each of its paths met
  eventdefs explain dump.jsonl --number 12 --definitions event_definitions.yaml
  eventdefs explain dump.jsonl --event-type 'volume.*'   those of the file with such an event type
  eventdefs explain --event-type compute.instance.create.end
                                                         which definitions apply, without a notification
  zcat old.gz | eventdefs explain - --message-id 4f1c...

exit status: 0 explained; 1 there are problems, something is no notification, or nothing was chosen;
2 could not run: definitions or input cannot be used.
"""

_GLOB = frozenset("*?[")
_WANTED = ("name", "volume", "resource_id", "begin", "end", "while", "closes")
"""Attributes of samples and periods of which it is said at length why they are not there."""
VALUE, PATH = 44, 60
"""How wide a value and the paths of a trait may be in a table."""
SHOWN = 10
"""How many samples of one definition are shown, and how many of its traits are named in a line."""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files and directories of notifications; - is standard input"
    )
    parser.add_argument(
        "--definitions",
        nargs="+",
        action="extend",
        metavar="PATH",
        help="definition files and directories, instead of the shipped ones",
    )
    parser.add_argument("--trait", metavar="NAME", help="explain only this trait, each of its paths")
    parser.add_argument(
        "--event-type",
        metavar="GLOB",
        help="only notifications with such an event type; without PATH: what applies to this event type",
    )
    parser.add_argument("--number", type=_count, metavar="N", help="only the Nth notification that is read, from 1")
    parser.add_argument("--message-id", metavar="ID", help="only notifications with this message_id")
    parser.add_argument("--source", action="store_true", help="show the code that is run for the definition, too")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written (text)")
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    definitions = load_definitions(*arguments.definitions or ())
    if not arguments.paths and arguments.event_type is not None:
        return _run_plan(definitions, arguments)
    paths = arguments.paths or ([] if sys.stdin.isatty() else ["-"])
    if not paths:
        raise InputError("no notification: name a file, - for standard input, or an event type with --event-type")
    return _Run(definitions, arguments).explain_all(find_files(paths))


def _run_plan(definitions: Definitions, arguments: argparse.Namespace) -> int:
    event_type: str = arguments.event_type
    if not _GLOB.isdisjoint(event_type):
        raise InputError(f"--event-type {event_type!r} is a pattern; without notifications, name one event type")
    if arguments.number is not None or arguments.message_id is not None:
        raise InputError("--number and --message-id choose from notifications: name a file of them")
    found = plan(definitions, event_type)
    unknown = _lacks(arguments.trait, [one.name for one in found.traits])
    if arguments.trait is not None:
        traits = tuple(one for one in found.traits if one.name == arguments.trait)
        found = msgspec.structs.replace(found, traits=traits, samples=())
    source = _source(definitions, event_type) if arguments.source else ""
    if arguments.format == "json":
        _write_json("plan", found, source)
    else:
        Page(colours_for(sys.stdout)).write_plan(found, source)
    if unknown:
        sys.stderr.write(f"eventdefs: {one_line(unknown)}\n")
    return cli.FINDINGS if unknown else cli.FINE


def _lacks(name: str | None, known: Sequence[str]) -> str:
    """Say that no trait is called *name*; '' where one is, or none is asked for."""
    if name is None or name in known:
        return ""
    return f"the definition has no trait {name!r}{did_you_mean(name, known)}"


def _source(definitions: Definitions, event_type: str) -> str:
    matching, _ = definitions.find_all(event_type)
    return explain_source(matching[-1]) if matching else ""


class _Run:
    """Explains notifications one after the other; nothing of one is kept for the next."""

    def __init__(self, definitions: Definitions, arguments: argparse.Namespace) -> None:
        self._definitions = definitions
        self._arguments = arguments
        self._page = Page(colours_for(sys.stdout))
        self._unread: list[str] = []
        self._read = 0

    def explain_all(self, files: Sequence[str]) -> int:
        """Explain what is chosen of *files*; return the exit status."""
        explained = 0
        status = cli.FINE
        for place, notification in self._chosen(files):
            if explained and self._arguments.format == "text":
                sys.stdout.write("\n")
            explained += 1
            if not self._explain(place, notification):
                status = cli.FINDINGS
        for reason in self._unread:
            cli.say(f"eventdefs: {one_line(reason)}")
        if self._unread:
            return cli.COULD_NOT
        if not explained:
            cli.say(f"eventdefs: none of {many(self._read, 'notification')} is the one that was asked for")
            return cli.FINDINGS
        return status

    def _notifications(self, files: Sequence[str]) -> Iterator[tuple[Place, Notification | DecodeError]]:
        """Yield what the files hold; a file that cannot be read to its end does not stop the others."""
        for file in files:
            try:
                yield from read_notifications(file)
            except InputError as error:
                self._unread.append(str(error))

    def _chosen(self, files: Sequence[str]) -> Iterator[tuple[Place, Notification | DecodeError]]:
        wanted = self._arguments
        chooses = wanted.event_type is not None or wanted.message_id is not None
        for place, notification in self._notifications(files):
            self._read += 1
            if wanted.number is not None and self._read != wanted.number:
                continue
            if isinstance(notification, DecodeError):
                if not chooses:
                    yield place, notification
            elif (wanted.message_id is None or notification.message_id == wanted.message_id) and (
                wanted.event_type is None or fnmatch.fnmatchcase(notification.event_type, wanted.event_type)
            ):
                yield place, notification
            if wanted.number is not None:
                return

    def _explain(self, place: Place, notification: Notification | DecodeError) -> bool:
        """Write what is to say of *notification*, which stands at *place*; return whether nothing is wrong."""
        arguments = self._arguments
        as_json = arguments.format == "json"
        if isinstance(notification, DecodeError):
            if as_json:
                document = {"kind": "undecodable", "read_from": as_document(place), "reason": notification.reason}
                sys.stdout.write(write_json(document).decode() + "\n")
            else:
                self._page.write_undecodable(place, notification.reason)
            return False
        found = explain(self._definitions, notification)
        unknown = _lacks(arguments.trait, [one.name for one in found.traits])
        source = _source(self._definitions, notification.event_type) if arguments.source else ""
        if arguments.trait is not None:
            traits = tuple(one for one in found.traits if one.name == arguments.trait)
            found = msgspec.structs.replace(found, traits=traits, samples=())
        if as_json:
            _write_json("explanation", found, source, place)
        elif arguments.trait is not None:
            self._page.write_trait(place, found, unknown, source)
        else:
            self._page.write(place, found, source)
        return not found.problems and not unknown


# --- JSON ------------------------------------------------------------------------------------------------------------


def _write_json(kind: str, found: Explanation | Plan, source: str, place: Place | None = None) -> None:
    document = {"kind": kind, **({} if place is None else {"read_from": as_document(place)}), **as_document(found)}
    if source:
        document["source"] = source
    sys.stdout.write(write_json(document).decode() + "\n")


def as_document(value: Any) -> Any:
    """Return *value* as it is written as JSON: places as mappings, numbers that are not finite as text."""
    if isinstance(value, Place):
        return {"file": value.file, "line": value.line, "column": value.column, "end_column": value.end_column}
    if isinstance(value, Event):
        return event_document(value)
    if isinstance(value, msgspec.Struct) and not isinstance(value, (Sample, Period)):
        return {name: as_document(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [as_document(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


# --- text ------------------------------------------------------------------------------------------------------------


class Page:
    """Writes explanations for people."""

    def __init__(self, colours: Colours) -> None:
        self._paint = colours.paint
        self._file = ""
        self._told: set[str] = set()

    def write(self, place: Place, found: Explanation, source: str) -> None:
        """Write all of *found*, whose notification stands at *place*."""
        self._head(place, found)
        self._applied(found)
        self._fate(found)
        self._traits(found)
        self._samples("samples", [one for one in found.samples if one.kind == "sample"])
        self._samples("periods", [one for one in found.samples if one.kind == "period"])
        self._problems(found.problems)
        self._code(source)

    def write_trait(self, place: Place, found: Explanation, unknown: str, source: str) -> None:
        """Write the one trait that *found* has, every path of it; *unknown* says why it has none."""
        self._head(place, found)
        self._applied(found)
        self._fate(found)
        if unknown:
            self._line(self._paint(one_line(unknown), "red"))
        for trait in found.traits:
            self._trait(trait)
        self._code(source)

    def write_undecodable(self, place: Place, reason: str) -> None:
        """Write why what stands at *place* is no notification."""
        told = one_line(excerpt(reason, 300))
        head = self._paint(one_line(f"{place}: no notification"), "red", "bold")
        sys.stdout.write(f"{head}: {told}\n")

    def write_plan(self, found: Plan, source: str) -> None:
        """Write which definitions apply to an event type."""
        sys.stdout.write(self._paint(one_line(found.event_type), "bold") + "\n")
        self._applied(found)
        if found.definition is None:
            self._entry("no event", self._paint("no definition applies to the event type", "yellow"))
        if found.traits:
            self._title("traits")
            rows = [(one.name, one.type, _sources(one), self._place(one.place)) for one in found.traits]
            self._rows(rows, ("cyan", None, None, "dim"), (40, 8, PATH, 200))
        for kind in ("sample", "period"):
            meters = [one for one in found.samples if one.kind == kind]
            if meters:
                self._title(f"{kind}s")
            for meter in meters:
                self._item(f"{self._name(meter.name)}  {self._dim(self._place(meter.place))}")
                self._detail(", ".join(f"{one.name}: {_sources(one)}" for one in meter.attributes))
        self._code(source)

    # --- lines ---------------------------------------------------------------------------------------------------

    def _line(self, text: str, indent: int = 2) -> None:
        sys.stdout.write(" " * indent + text + "\n")

    def _entry(self, name: str, text: str) -> None:
        self._line(f"{name:<11} {text}")

    def _title(self, text: str) -> None:
        self._line(self._paint(text, "bold"))

    def _item(self, text: str) -> None:
        self._line(text, 4)

    def _detail(self, text: str) -> None:
        self._line(self._dim(text), 6)

    def _dim(self, text: str) -> str:
        return self._paint(one_line(text), "dim")

    def _name(self, text: str) -> str:
        return self._paint(one_line(text), "cyan")

    def _place(self, place: Place | None) -> str:
        """Return *place*, without its file where that is the file of the definition."""
        if place is None:
            return ""
        text = str(place)
        return text.removeprefix(f"{self._file}:") if self._file and place.line else text

    def _rows(self, rows: Sequence[Sequence[str]], styles: Sequence[Style | None], most: Sequence[int]) -> None:
        """Write a table; a cell that is wider than *most* is cut."""
        cells = [[excerpt(one_line(cell), width) for cell, width in zip(row, most, strict=True)] for row in rows]
        widths = [max(len(row[number]) for row in cells) for number in range(len(most))]
        for row in cells:
            last = max(number for number, cell in enumerate(row) if cell or not number)
            padded = (
                (self._paint(cell, style) if style else cell) + " " * (width - len(cell) if number < last else 0)
                for number, (cell, style, width) in enumerate(zip(row, styles, widths, strict=True))
                if number <= last
            )
            self._item("  ".join(padded))

    # --- parts ---------------------------------------------------------------------------------------------------

    def _head(self, place: Place, found: Explanation) -> None:
        words = [found.message_id, found.priority, _time_text(found.timestamp), str(place)]
        told = "  ".join(one_line(excerpt(word, 120)) for word in words)
        sys.stdout.write(f"{self._paint(one_line(excerpt(found.event_type, 200)), 'bold')}  {told}\n")

    def _applied(self, found: Explanation | Plan) -> None:
        self._file = ""
        self._told = set()
        definition: DefinitionRef | None = found.definition
        if definition is None:
            self._entry("definition", self._paint("none", "yellow"))
        elif definition.implicit:
            self._entry("definition", self._paint("none; the event has the default traits", "yellow"))
        else:
            place = found.glob_place or definition.place
            self._entry("definition", f"{self._name(found.glob)}  {self._dim(str(place))}")
            if definition.description:
                self._entry("", self._dim(excerpt(definition.description, 200)))
            self._file = definition.place.file
        for other in found.overridden:
            self._other(other)
        for near in found.near:
            self._near(near)

    def _other(self, other: Overridden) -> None:
        self._entry("overridden", f"{self._name(other.glob)}  {self._dim(str(other.place))}  {one_line(other.why)}")

    def _near(self, near: Near) -> None:
        self._entry("near", f"{self._name(near.glob)}  {self._dim(str(near.place))}  {one_line(near.why)}")

    def _fate(self, found: Explanation) -> None:
        if found.tenant is not None:
            self._entry("tenant", f"{one_line(excerpt(found.tenant))}  {self._dim(found.tenant_path)}")
        elif found.traits:
            self._entry("tenant", self._paint("none: nothing says whose it is", "yellow"))
        if found.no_event:
            self._entry("no event", self._paint(one_line(found.no_event), "red" if found.refused else "yellow"))

    def _traits(self, found: Explanation) -> None:
        given = [one for one in found.traits if one.outcome == "value"]
        if given:
            self._title("traits" if found.event is not None else "traits, as they would be")
            rows = [(one.name, _shown(one.value), one.type, _origin(one), self._place(one.place)) for one in given]
            self._rows(rows, ("cyan", None, "dim", None, "dim"), (40, VALUE, 8, PATH, 200))
        lacking = [one for one in found.traits if one.outcome != "value"]
        if lacking:
            self._title("not there")
        for trait in lacking:
            if trait.written or trait.outcome == "problem":
                self._trait(trait)
        defaults = [one.name for one in lacking if not one.written and one.outcome == "missing"]
        if defaults:
            self._item(f"{self._name(', '.join(defaults))}  {self._dim('default traits')}")

    def _trait(self, trait: TraitExplanation) -> None:
        """Write all that is to say of *trait*."""
        marks = ["required"] * trait.required + ["on_error: reject"] * (trait.on_error == "reject")
        words = [self._name(trait.name)]
        if trait.outcome == "value":
            words.append(one_line(excerpt(_shown(trait.value), VALUE)))
        words.append(self._dim("  ".join([trait.type, *marks, self._place(trait.place)])))
        if trait.outcome == "problem":
            words.append(self._paint(one_line(trait.reason), "red"))
        elif trait.outcome == "missing" and (not trait.paths or any(one.found for one in trait.paths)):
            words.append(one_line(trait.reason))
        self._item("  ".join(words))
        if trait.constant is not None:
            self._line(f"the constant {one_line(excerpt(_shown(trait.constant)))}", 6)
        for path in trait.paths:
            self._path(path)
        if trait.plugin:
            self._line(f"through the plugin {one_line(trait.plugin)}", 6)

    def _path(self, path: PathTrace) -> None:
        text = one_line(path.path)
        if path.found:
            more = f", the first of {path.count:,} values" if path.count > 1 else ""
            self._line(f"{text}: {one_line(excerpt(_shown(path.value), 80))}{more}", 6)
            return
        self._line(f"{text}: {self._reason(path)}", 6)
        if path.near:
            self._line(f"did you mean {self._paint(one_line(path.near), 'green')}?", 8)

    def _reason(self, path: PathTrace) -> str:
        """Return why *path* finds nothing; which keys are there instead is said once of each place."""
        if not path.tried:
            return self._dim(path.reason)
        told = path.cause if path.at in self._told and path.cause else path.reason
        self._told.add(path.at)
        return self._paint(one_line(told), "yellow")

    def _samples(self, title: str, found: Sequence[SampleExplanation]) -> None:
        if found:
            self._title(title)
        for one in found:
            place = self._dim(self._place(one.place))
            rows = [_sample_text(sample) for sample in one.samples] + [_period_text(period) for period in one.periods]
            for row in rows[:SHOWN]:
                self._item(f"{one_line(row)}  {place}")
            if len(rows) > SHOWN:
                self._item(f"and {len(rows) - SHOWN:,} more")
            if not rows or one.outcome == "problem":
                colour: Style = "red" if one.outcome == "problem" else "yellow"
                word = "problem" if one.outcome == "problem" else "none"
                said = self._paint(f"{word}: {one_line(one.reason)}", colour)
                self._item(f"{self._name(one.name)}  {said}  {place}")
            self._attributes(one)

    def _attributes(self, one: SampleExplanation) -> None:
        """Write whence the attributes come, those of the metadata in a word."""
        given = [_attribute_text(one) for one in one.attributes if one.outcome == "value" and one.paths]
        told = [text for text in given if not text.startswith(("metadata.", "user_metadata"))]
        if told:
            self._detail(", ".join(told))
        lacking = [attribute for attribute in one.attributes if attribute.outcome != "value"]
        for attribute in lacking:
            if attribute.outcome == "problem" or attribute.name in _WANTED:
                self._attribute(attribute)
        names = [one.name for one in lacking if one.outcome == "missing" and one.name not in _WANTED]
        if names:
            self._detail(f"without {', '.join(names)}")

    def _attribute(self, attribute: AttributeExplanation) -> None:
        """Write why *attribute* has no value, or none that was wanted."""
        name = self._paint(one_line(attribute.name), "cyan")
        for path in attribute.paths:
            text = one_line(path.path)
            if path.found:
                value = one_line(excerpt(_shown(path.value), 80))
                self._line(f"{name}: {text} is {value}: {self._paint(one_line(attribute.reason), 'yellow')}", 6)
            else:
                self._line(f"{name}: {text}: {self._reason(path)}", 6)
            if path.near:
                self._line(f"did you mean {self._paint(one_line(path.near), 'green')}?", 8)

    def _problems(self, problems: Iterable[Problem]) -> None:
        if problems:
            self._title("problems")
        for one in problems:
            value = f" is {one.value!r}" if one.value and one.path else ""
            path = f"  {one.path}{value}" if one.path else ""
            self._item(
                f"{self._paint(one_line(f'{one.kind} {one.name}: {one.reason}'), 'red')}"
                f"{one_line(path)}  {self._dim(self._place(one.place))}"
            )

    def _code(self, source: str) -> None:
        if source:
            self._title("code")
            for line in source.splitlines():
                self._item(one_line(line))


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "null" if value is None else "''"
    return _time_text(value) if isinstance(value, datetime) else str(value)


def _time_text(time: datetime) -> str:
    return utc_text(time)


def _origin(trait: TraitExplanation) -> str:
    """Return what gave the value of *trait*."""
    if trait.constant is not None:
        return "a constant"
    if trait.used is not None:
        text = trait.paths[trait.used].path
        more = f" (path {trait.used + 1} of {len(trait.paths)})" if trait.used else ""
        return f"{text}{f' | {trait.plugin}' if trait.plugin else ''}{more}"
    paths = ", ".join(path.path for path in trait.paths if path.found)
    return f"{paths} | {trait.plugin}" if trait.plugin else paths


def _sources(source: Source) -> str:
    if source.constant is not None:
        return f"the constant {source.constant!r}"
    paths = ", ".join(source.paths)
    return f"{paths} | {source.plugin}" if source.plugin else paths


def _attribute_text(attribute: AttributeExplanation) -> str:
    found = [path.path for path in attribute.paths if path.found]
    if not found:
        return f"{attribute.name}: {attribute.constant!r}" if attribute.constant is not None else attribute.name
    return f"{attribute.name}: {', '.join(found)}{f' | {attribute.plugin}' if attribute.plugin else ''}"


def _sample_text(sample: Sample) -> str:
    words = [sample.name, f"{sample.volume} {sample.unit}", sample.type, f"resource {sample.resource_id}"]
    return "  ".join(excerpt(str(word), 80) for word in words)


def _period_text(period: Period) -> str:
    span = f"{_time_text(period.begin)} to {_time_text(period.end)}"
    dimensions = [f"{name} {value}" for name, value in period.dimensions.items()]
    words = [period.meter, span, period.status, f"resource {period.resource_id}", *dimensions]
    return "  ".join(excerpt(word, 80) for word in words)
