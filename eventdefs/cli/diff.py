"""`eventdefs diff`: what other definitions would change in events, samples and hours."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from eventdefs import cli
from eventdefs.cli.colours import Colours, colours_for
from eventdefs.cli.tables import many, one_line, write_table
from eventdefs.consumers.files import find_files, read_messages
from eventdefs.decode import decode_notifications
from eventdefs.definitions import Definitions, load_definitions
from eventdefs.definitions.compare import Differences, Example, Group, Part, Rewritten, rewritten
from eventdefs.encode import write_json
from eventdefs.errors import DecodeError, InputError
from eventdefs.types import Period, TraitType

if TYPE_CHECKING:
    from eventdefs.metering.ledger import Ledger
    from eventdefs.metering.reports import Comparison

_EXAMPLES = """\
examples:
  eventdefs diff old.yaml new.yaml --corpus notifications/    what changes, with counts and examples
  eventdefs diff shipped definitions/ --corpus day.jsonl.gz   from the shipped definitions to ours
  eventdefs diff old.yaml,meters.yaml new.yaml,meters.yaml --corpus day.jsonl --only hours
  eventdefs diff old.yaml new.yaml                            which definitions are written differently
  git show HEAD:volumes.yaml > old.yaml; eventdefs diff old.yaml volumes.yaml --corpus day.jsonl

exit status: 0 everything stays as it is; 1 something changes; 2 could not run.
"""

SHIPPED = "shipped"
ONLY: dict[str, tuple[tuple[Part, ...], tuple[str, ...]]] = {
    "events": (("event", "trait"), ("trait",)),
    "samples": (("sample",), ("sample",)),
    "hours": (("period",), ("period",)),
}
"""What `--only` looks at: parts, and of what kinds the problems are told."""
SHOWN = 30
"""How many kinds of difference of one part a person is shown."""
BATCH = 5000


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = "a definition file or a directory of them; several with commas between; shipped is those of eventdefs"
    parser.add_argument("old", metavar="OLD", help=what)
    parser.add_argument("new", metavar="NEW", help="the same, for what is to come")
    parser.add_argument(
        "--corpus", nargs="+", action="extend", metavar="PATH", help="recorded notifications to convert with both"
    )
    parser.add_argument("--only", type=_only, metavar="WHAT", help=f"look at some of {', '.join(ONLY)} (all)")
    parser.add_argument("--limit", type=_limit, default=3, metavar="N", help="examples of each kind of difference (3)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written (text)")
    parser.set_defaults(run=run)


def _only(text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    for word in words:
        if word not in ONLY:
            raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(ONLY)}")
    return words


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and write what is different; return the exit status."""
    old, new = read_definitions(arguments.old), read_definitions(arguments.new)
    as_json = arguments.format == "json"
    if not arguments.corpus:
        if arguments.only:
            raise InputError("--only looks at what notifications give: name some with --corpus")
        changed = rewritten(old, new)
        (_write_rewritten_json if as_json else _write_rewritten)(changed)
        return cli.FINDINGS if changed else cli.FINE
    only = arguments.only or tuple(ONLY)
    result = compare_corpus(old, new, arguments.corpus, only, arguments.limit)
    for reason, count in result.unread.most_common(10):
        sys.stderr.write(f"eventdefs: {many(count, 'message')} of the corpus cannot be read: {one_line(reason)}\n")
    if as_json:
        sys.stdout.write(write_json(_document(result)).decode() + "\n")
    else:
        _write_text(result, colours_for(sys.stdout))
    return cli.FINDINGS if result.is_different else cli.FINE


def read_definitions(text: str) -> Definitions:
    """Load the definitions that *text* names: `shipped`, or paths with commas between them.

    Raises:
        DefinitionErrors: they cannot be used.
    """
    if text == SHIPPED:
        return load_definitions()
    paths = [text] if os.path.exists(text) else [path for path in text.split(",") if path]
    if not paths:
        raise InputError(f"{text!r} names no file of definitions")
    return load_definitions(*paths)


# --- comparing -------------------------------------------------------------------------------------------------------


class Hours(NamedTuple):
    """Hours that both sets of definitions give.

    Attributes:
        comparison: hour by hour.
        totals: (meter, tenant, unit, old, new) where something differs; billionths of the unit.
    """

    comparison: Comparison
    totals: tuple[tuple[str, str, str, int, int], ...]


class Result(NamedTuple):
    """What comparing with a corpus gave; `hours` is None where they were not asked for, or nothing claims any."""

    differences: Differences
    groups: list[Group]
    hours: Hours | None
    unread: Counter[str]
    examples: int

    @property
    def is_different(self) -> bool:
        hours = self.hours is not None and bool(self.hours.comparison.differences)
        return hours or any(group.is_noticed for group in self.groups)


def compare_corpus(
    old: Definitions, new: Definitions, corpus: Sequence[str], only: Sequence[str], examples: int
) -> Result:
    """Convert the notifications of *corpus* with both sets, and gather what is different."""
    parts = [part for word in only for part in ONLY[word][0]]
    kinds = [kind for word in only for kind in ONLY[word][1]]
    differences = Differences(examples, parts, kinds)
    claims = None
    if "hours" in only and any(one.period is not None for one in (*old.samples, *new.samples)):
        claims = _Claims(old), _Claims(new)
    unread: Counter[str] = Counter()
    for file in find_files(corpus):
        for message in read_messages(file):
            for notification in decode_notifications(message.data):
                if isinstance(notification, DecodeError):
                    unread[notification.reason[:200]] += 1
                    continue
                before, after = old.convert(notification), new.convert(notification)
                differences.add(notification, message.place, before, after)
                if claims is not None:
                    claims[0].add(before.periods)
                    claims[1].add(after.periods)
    hours = None if claims is None else _hours(claims[0].finish(), claims[1].finish())
    return Result(differences, differences.groups(), hours, unread, examples)


class _Claims:
    """Counts periods in a ledger of its own, some thousands at once."""

    def __init__(self, definitions: Definitions) -> None:
        from eventdefs.cli.usage.archive import FOREVER
        from eventdefs.metering import LedgerSettings, open_ledger

        self._ledger = open_ledger("memory://", LedgerSettings(keep_open=FOREVER), definitions=definitions.fingerprint)
        self._waiting: list[Period] = []

    def add(self, periods: Sequence[Period]) -> None:
        self._waiting += periods
        if len(self._waiting) >= BATCH:
            self._ledger.add(self._waiting)
            self._waiting = []

    def finish(self) -> Ledger:
        self._ledger.add(self._waiting)
        self._ledger.finish()
        return self._ledger


def _hours(old: Ledger, new: Ledger) -> Hours:
    from eventdefs.metering.reports import compare, totals, usage_of
    from eventdefs.metering.store import Query

    comparison = compare(old.store, new.store, Query(), (0, 1 << 62))
    split = ("meter", "tenant")
    before, after = (
        {(*total.key, total.unit): total.nanos for total in totals(usage_of(one.store, Query()), split)}
        for one in (old, new)
    )
    changed = {(one.meter, one.group.project_id or "", one.unit) for one in comparison.differences}
    keys = sorted(key for key in {*before, *after} if key in changed or before.get(key, 0) != after.get(key, 0))
    return Hours(
        comparison,
        tuple(
            (meter, tenant, unit, before.get(key, 0), after.get(key, 0))
            for key in keys
            for meter, tenant, unit in (key,)
        ),
    )


# --- for people ------------------------------------------------------------------------------------------------------

_TITLES: dict[Part, str] = {
    "event": "events",
    "trait": "traits",
    "sample": "samples",
    "period": "periods",
    "problem": "problems",
}
_SAID = {
    "rejected": "rejected now",
    "accepted": "no longer rejected",
    "tenant": "another tenant",
    "definition": "by another definition, else the same",
    "type": "another type",
    "value": "another value",
}


def _write_text(result: Result, colours: Colours) -> None:
    write = sys.stdout.write
    compared, differing = result.differences.compared, result.differences.differing
    write(f"{many(compared, 'notification')}: {compared - differing:,} give the same, {differing:,} do not\n")
    for part, found in groupby(result.groups, key=lambda group: group.part):
        groups = list(found)
        write(colours.paint(_TITLES[part], "bold") + "\n")
        for group in groups[:SHOWN]:
            write(f"  {group.count:>7,}  {one_line(_title(group))}\n")
            for example in group.examples:
                write(f"           {one_line(_example(group, example))}\n")
        if len(groups) > SHOWN:
            write(f"           and {len(groups) - SHOWN:,} more kinds; --format json shows all\n")
    if result.hours is not None:
        _write_hours(result.hours, result.examples, colours)


def _title(group: Group) -> str:
    change = _SAID.get(group.change)
    if change is None:
        change = group.change if group.change in ("gained", "lost") else f"another {group.change}"
    name = f"{group.kind} {group.name}" if group.part == "problem" else group.name
    of = f" of {group.definition}" if group.definition and group.part in ("trait", "problem") else ""
    return f"{name}{of}: {change}"


def _example(group: Group, example: Example) -> str:
    where = f"{example.place} {example.message_id}"
    if group.part in ("trait", "sample", "period", "problem"):
        where += f" {example.event_type}"
    typed = group.change == "type" and group.part == "trait"
    if example.old is None and example.new is None:
        return where
    if example.old is None and group.change == "gained":
        return f"{where}: {_value(group, example.new)}"
    if example.new is None and group.change == "lost":
        return f"{where}: {_value(group, example.old)}"
    old, new = (_value(group, value) + (_type(value) if typed else "") for value in (example.old, example.new))
    return f"{where}: {old} -> {new}"


def _value(group: Group, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    quoted = isinstance(value, str) and group.part == "trait"
    return json.dumps(value, ensure_ascii=False) if quoted else str(value)


def _type(value: Any) -> str:
    kinds = {kind.python: kind.word for kind in TraitType}
    return f" ({kinds[type(value)]})" if type(value) in kinds else ""


def _write_hours(hours: Hours, examples: int, colours: Colours) -> None:
    from eventdefs.cli.usage.diff import HEADS
    from eventdefs.cli.usage.verify import row_of

    heads = [{"now": "old", "then": "new"}.get(head, head) for head in HEADS]
    differences = hours.comparison.differences
    sys.stdout.write(colours.paint("hours", "bold") + "\n")
    sys.stdout.write(f"  {hours.comparison.equal:>7,}  the same\n  {len(differences):>7,}  different\n")
    right = frozenset(("old", "new", "change"))
    if hours.totals:
        rows = [[meter, tenant, *_quantities(old, new), unit] for meter, tenant, unit, old, new in hours.totals]
        write_table(("meter", "tenant", "old", "new", "change", "unit"), rows[:SHOWN], right)
        if len(rows) > SHOWN:
            sys.stdout.write(f"and {len(rows) - SHOWN:,} more; --format json shows all\n")
    if differences and examples:
        write_table(heads, [row_of(one) for one in differences[:examples]], right)
        if len(differences) > examples:
            sys.stdout.write(f"and {len(differences) - examples:,} more; --limit shows more\n")


def _quantities(old: int, new: int) -> tuple[str, str, str]:
    from eventdefs.metering.records import DIGITS, decimal_text

    change = decimal_text(new - old, DIGITS)
    return decimal_text(old, DIGITS), decimal_text(new, DIGITS), f"+{change}" if new > old else change


def _write_rewritten(changed: Sequence[Rewritten]) -> None:
    if not changed:
        sys.stdout.write("the same definitions\n")
        return
    for one in changed:
        details = f": {', '.join(one.details)}" if one.details else ""
        order = ", before others it came after" if one.change == "moved" else ""
        sys.stdout.write(one_line(f"{one.place}: {one.what} {one.name} {one.change}{order}{details}") + "\n")
    sys.stdout.write(f"{many(len(changed), 'definition')} differ; --corpus says what that does to notifications\n")


# --- for programs ----------------------------------------------------------------------------------------------------


def _write_rewritten_json(changed: Sequence[Rewritten]) -> None:
    rows = [{**one._asdict(), "place": str(one.place)} for one in changed]
    sys.stdout.write(write_json({"definitions": rows}).decode() + "\n")


def _document(result: Result) -> dict[str, Any]:
    differences = result.differences
    document: dict[str, Any] = {
        "different": result.is_different,
        "compared": differences.compared,
        "differing": differences.differing,
        "unread": dict(result.unread.most_common()),
        "changes": [
            {**group._asdict(), "examples": [{**one._asdict(), "place": str(one.place)} for one in group.examples]}
            for group in result.groups
        ],
        "hours": None,
    }
    if result.hours is not None:
        document["hours"] = _hours_document(result.hours, result.examples)
    return document


def _hours_document(hours: Hours, examples: int) -> dict[str, Any]:
    from eventdefs.cli.usage.verify import row_of

    names = ("hour", "meter", "resource_id", "tenant", "dimensions", "old", "new", "unit")
    return {
        "equal": hours.comparison.equal,
        "different": len(hours.comparison.differences),
        "totals": [
            dict(
                zip(("old", "new", "change"), _quantities(old, new), strict=True), meter=meter, tenant=tenant, unit=unit
            )
            for meter, tenant, unit, old, new in hours.totals
        ],
        "examples": [dict(zip(names, row_of(one), strict=True)) for one in hours.comparison.differences[:examples]],
    }
