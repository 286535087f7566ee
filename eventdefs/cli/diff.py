"""`eventdefs diff`: what other definitions would change in the events, samples and hours of recorded notifications."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from eventdefs import cli
from eventdefs.cli.colours import colours_for
from eventdefs.cli.tables import many, write_table
from eventdefs.consumers.files import find_files, read_notifications
from eventdefs.definitions import Definitions, load_definitions, shipped_definitions
from eventdefs.definitions.compare import EXAMPLES, KINDS, ConversionComparison, Found
from eventdefs.definitions.rewritten import Rewritten, rewritten
from eventdefs.encode import one_line, write_json
from eventdefs.errors import DecodeError, InputError
from eventdefs.types import Period, excerpt

SHIPPED = "shipped"
PARTS = (*KINDS, "hours")
BATCH = 5000
SUBJECT = 60
"""Of the patterns of a definition, which may be many, so much is shown to a person."""
HOUR_HEADS = ("meter", "tenant", "old", "new", "change", "unit", "hours")
_EXAMPLES = """\
examples:
  eventdefs diff old.yaml new.yaml --corpus notifications/
  eventdefs diff shipped my_definitions/ --corpus day.jsonl.gz --only sample hours
  eventdefs diff old.yaml,old_meters.yaml new.yaml,new_meters.yaml --corpus day.jsonl --format json
  git show HEAD:volumes.yaml > old.yaml; eventdefs diff old.yaml volumes.yaml --corpus day.jsonl
  eventdefs diff old.yaml new.yaml                 without notifications: which definitions are written otherwise

OLD and NEW are files or directories of definitions, several with commas between them, or the word shipped.

exit status: 0 all comes out the same; 1 something does not; 2 could not run.
"""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diff",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="the definitions that are used today")
    parser.add_argument("new", metavar="NEW", help="the definitions that would be used")
    parser.add_argument(
        "--corpus", nargs="+", action="extend", metavar="PATH", help="recorded notifications, to convert with both"
    )
    parser.add_argument(
        "--only", nargs="+", action="extend", choices=PARTS, metavar="KIND", help=f"only these: {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--limit", type=_number, default=20, metavar="N", help="how many changes of a kind are shown (20)"
    )
    parser.add_argument(
        "--examples",
        type=_number,
        default=1,
        metavar="N",
        help=f"how many examples of a change, at most {EXAMPLES} (1)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written (text)")
    parser.set_defaults(run=run)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and write what is different; return the exit status."""
    old, new = _load(arguments.old), _load(arguments.new)
    if not arguments.corpus:
        if arguments.only:
            raise InputError("--only is about what comes out of notifications: name some with --corpus")
        changed_texts = rewritten(old, new)
        (_write_rewritten_json if arguments.format == "json" else _write_rewritten)(changed_texts)
        return cli.FINDINGS if changed_texts else cli.FINE
    only = set(arguments.only or PARTS)
    comparison = ConversionComparison(old, new)
    hours = Hours(old, new) if "hours" in only else None
    unread: Counter[str] = Counter()
    for file in find_files(arguments.corpus):
        for place, notification in read_notifications(file):
            if isinstance(notification, DecodeError):
                unread[notification.reason[:200]] += 1
                continue
            before, after = comparison.add(notification, place)
            if hours is not None:
                hours.add(before.periods, after.periods)
    for reason, count in unread.most_common(10):
        sys.stderr.write(f"eventdefs: {many(count, 'message')} cannot be read: {one_line(reason)}\n")
    found = [one for one in comparison.found() if one.change.kind in only]
    changed = [] if hours is None else hours.changes()
    if arguments.format == "json":
        sys.stdout.write(write_json(as_document(comparison, found, changed)).decode() + "\n")
    else:
        _write(comparison, found, changed, arguments.limit, arguments.examples)
    return cli.FINDINGS if found or changed else cli.FINE


def _load(text: str) -> Definitions:
    """Load the definitions that *text* names: `shipped`, or paths with commas between them."""
    if text == SHIPPED:
        return load_definitions()
    paths = [text] if os.path.exists(text) else [path for path in text.split(",") if path]
    if not paths:
        raise InputError(f"{text!r} names no definitions")
    named: list[str | os.PathLike[str]] = []
    for path in paths:
        named += shipped_definitions() if path == SHIPPED else [path]
    return load_definitions(*named)


class Hours:
    """What both sets of definitions claim, counted in a ledger each."""

    def __init__(self, old: Definitions, new: Definitions) -> None:
        from eventdefs.cli.usage.archive import FOREVER
        from eventdefs.metering import LedgerSettings, open_ledger

        settings = LedgerSettings(keep_open=FOREVER)
        self._ledgers = [open_ledger("memory://", settings, definitions=one.fingerprint) for one in (old, new)]
        self._waiting: tuple[list[Period], list[Period]] = ([], [])

    def add(self, before: Sequence[Period], after: Sequence[Period]) -> None:
        for waiting, periods, ledger in zip(self._waiting, (before, after), self._ledgers, strict=True):
            waiting += periods
            if len(waiting) >= BATCH:
                ledger.add(waiting)
                waiting.clear()

    def changes(self) -> list[list[str]]:
        """Return what is different in sum, in the columns of `HOUR_HEADS`."""
        from eventdefs.metering.records import DIGITS, decimal_text, nanos_of
        from eventdefs.metering.reports import compare
        from eventdefs.metering.store import Query

        for waiting, ledger in zip(self._waiting, self._ledgers, strict=True):
            ledger.add(waiting)
            waiting.clear()
            ledger.finish()
        old, new = (ledger.store for ledger in self._ledgers)
        sums: dict[tuple[str, str, str], list[int]] = {}
        for one in compare(old, new, Query(), (0, 1 << 62)).differences:
            row = sums.setdefault((one.meter, one.group.project_id or "", one.unit), [0, 0, 0])
            row[0] += nanos_of(one.micros, one.unit)
            row[1] += nanos_of(one.other, one.unit)
            row[2] += 1
        rows = []
        for (meter, tenant, unit), (before, after, hours) in sorted(sums.items()):
            texts = [decimal_text(nanos, DIGITS) for nanos in (before, after, after - before)]
            rows.append([meter, tenant, *texts[:2], texts[2] if after < before else f"+{texts[2]}", unit, f"{hours:,}"])
        return rows


def as_document(
    comparison: ConversionComparison, found: Sequence[Found], hours: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Return what was found as it is written as JSON."""
    changes = [
        {
            **one.change._asdict(),
            "notifications": one.notifications,
            "examples": [{**example._asdict(), "place": str(example.place)} for example in one.examples],
        }
        for one in found
    ]
    return {
        "notifications": comparison.notifications,
        "changed": comparison.changed,
        "changes": changes,
        "hours": [dict(zip(HOUR_HEADS, row, strict=True)) for row in hours],
    }


def _write(
    comparison: ConversionComparison,
    found: Sequence[Found],
    hours: Sequence[Sequence[str]],
    limit: int,
    examples: int,
) -> None:
    out, colours = sys.stdout, colours_for(sys.stdout)
    for kind in KINDS:
        rows = [one for one in found if one.change.kind == kind]
        if not rows:
            continue
        out.write(colours.paint(f"{kind}s", "bold") + "\n")
        for one in rows[:limit]:
            change = one.change
            said = " ".join(word for word in (excerpt(change.subject, SUBJECT), change.name, change.what) if word)
            out.write(one_line(f"  {said}: {many(one.notifications, 'notification')}") + "\n")
            for example in one.examples[:examples]:
                kind = "" if example.event_type == change.subject else f", {example.event_type}"
                where = f"{example.place}, {example.message_id}{kind}"
                out.write(one_line(f"      {example.old or '-'} -> {example.new or '-'}  in {where}") + "\n")
        if len(rows) > limit:
            out.write(f"  and {len(rows) - limit:,} more changes; --limit shows more, --format json all\n")
    if hours:
        out.write(colours.paint("hours", "bold") + "\n")
        write_table(HOUR_HEADS, hours, frozenset(("old", "new", "change", "hours")))
    out.write(f"{comparison.changed:,} of {many(comparison.notifications, 'notification')} come out otherwise\n")


def _write_rewritten(changed: Sequence[Rewritten]) -> None:
    for one in changed:
        details = f": {', '.join(one.details)}" if one.details else ""
        sys.stdout.write(one_line(f"{one.place}: {one.what} {one.name} {one.change}{details}") + "\n")
    told = "; --corpus says what that does to notifications" if changed else ""
    sys.stdout.write(f"{many(len(changed), 'definition')} written otherwise{told}\n")


def _write_rewritten_json(changed: Sequence[Rewritten]) -> None:
    rows = [{**one._asdict(), "place": str(one.place)} for one in changed]
    sys.stdout.write(write_json({"definitions": rows}).decode() + "\n")
