"""`eventdefs dead-letters`: what was not published, or not whole, and how it is tried again."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from eventdefs import cli
from eventdefs.cli import sinks
from eventdefs.cli.arguments import moment
from eventdefs.cli.colours import colours_for
from eventdefs.cli.explain import Page, as_document
from eventdefs.cli.tables import many, write_table
from eventdefs.deadletters import DeadLetterPlace, choosing, open_dead_letters
from eventdefs.deadletters.choosing import Choice
from eventdefs.deadletters.letters import FATES, DeadLetter, told
from eventdefs.deadletters.replaying import Replay, Report, Target, rehearse
from eventdefs.definitions import Definitions, load_definitions
from eventdefs.definitions.explain import explain
from eventdefs.delivery import OPTIONS, open_delivery
from eventdefs.encode import one_line, write_json
from eventdefs.errors import DecodeError, SettingsError
from eventdefs.metering import open_ledger
from eventdefs.publishers.urls import parse_url
from eventdefs.times import utc_text
from eventdefs.types import Notification, Place, excerpt

COMMANDS = {
    "list": "the letters, one a line, or each as a line of JSON",
    "summary": "how many letters there are of each reason, first and last seen",
    "show": "a letter: why, the original, and what today's definitions make of it",
    "replay": "convert the originals with today's definitions, and deliver",
    "drop": "give letters up: they are listed and replayed no more",
}
_EXAMPLES = """\
examples:
  eventdefs dead-letters summary dead.jsonl
  eventdefs dead-letters list dead.jsonl --fate partial --event-type 'volume.*' --since -2d
  eventdefs dead-letters show dead.jsonl 4f1c2ab09d11
  eventdefs dead-letters replay dead.jsonl --dry-run --definitions event_definitions.yaml
  eventdefs dead-letters replay sqlite:///dead.db --to sqlite:///events.db --replace
  eventdefs dead-letters drop dead.jsonl --reason '*not an ISO 8601 time*'

PLACE is what `--dead-letters` of a run named: a file, or the URL of a topic of Kafka or of a SQL database.
"""
_STATUS = """\
exit status: 0 fine; 1 something cannot be read, would still fail or was not found; 2 could not run.
"""
_EXAMPLES_OF = {
    "list": ("list dead.jsonl", "list dead.jsonl --fate undelivered --format json | jq .item"),
    "summary": ("summary dead.jsonl", "summary postgresql://localhost/eventdefs --since -1d"),
    "show": ("show dead.jsonl 4f1c2ab09d11 --definitions event_definitions.yaml",),
    "replay": (
        "replay dead.jsonl --dry-run",
        "replay dead.jsonl --to sqlite:///events.db --ledger sqlite:///ledger.db",
        "replay dead.jsonl --pipeline event_pipeline.yaml --fate undelivered",
    ),
    "drop": ("drop dead.jsonl --id 4f1c2ab09d11", "drop dead.jsonl --until 2026-01-01 --purge"),
}
ID, TYPE, TENANT = 12, 32, 32
"""How many characters of an id are shown, and how wide the columns of event types and tenants are."""
AT_ONCE = 1000
"""How many letters are settled together."""
UNREAD = 10
"""How many of the lines that cannot be read are named."""
KEEPS_NOTHING = ("stdout", "memory", "udp", "tcp")
"""Publishers that do not keep what they take, or do not know: a letter that is settled for them would be gone."""
DIRECT = ("retry_for", "retry_first", "retry_longest", "batch_items", "batch_bytes")
"""Options of deliveries that a replay keeps: it is confirmed, and so has no backlog and no spool."""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and those below it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dead-letters",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        examples = "\n  ".join(("examples:", *(f"eventdefs dead-letters {words}" for words in _EXAMPLES_OF[name])))
        one: argparse.ArgumentParser = below.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=f"{examples}\n\n{_STATUS}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        one._negative_number_matcher = re.compile(r"-\d+(s|min|h|d)?$")  # so that -2h is a value, no option
        one.add_argument(
            "place", metavar="PLACE", help="a file, or a URL as kafka://host:9092/topic, sqlite:///dead.db"
        )
        if name == "show":
            one.add_argument("id", metavar="ID", help="the letter's id, or how it begins")
        else:
            _add_choice(one)
        if name in ("show", "replay"):
            one.add_argument(
                "--definitions",
                nargs="+",
                action="extend",
                metavar="PATH",
                help="definition files and directories, instead of the shipped ones",
            )
        if name == "replay":
            sinks.add_arguments(one)
            one.add_argument("--ledger", metavar="URL", help="count periods in this ledger, as sqlite:///ledger.db")
            one.add_argument(
                "--replace", action="store_true", help="stores take what is delivered instead of what they have"
            )
            one.add_argument("--dry-run", action="store_true", help="say what would happen; publish and change nothing")
        if name == "drop":
            one.add_argument("--all", action="store_true", help="drop every letter")
            one.add_argument("--purge", action="store_true", help="give up the room of what was settled")
            one.add_argument("--dry-run", action="store_true", help="say how many it would be; change nothing")
        one.add_argument("--format", choices=("text", "json"), default="text", help="how it is written (text)")
        one.set_defaults(run=_RUNS[name])


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which letters are meant."""

    def several(name: str, metavar: str, text: str, **more: Any) -> None:
        parser.add_argument(name, action="append", default=[], metavar=metavar, help=text, **more)

    several("--id", "ID", "only this letter; how its id begins is enough")
    several("--fate", "FATE", f"only letters of this fate: {', '.join(FATES)}", choices=FATES)
    several("--reason", "GLOB", "only letters with such a reason, as '*not an int*'")
    several("--event-type", "GLOB", "only letters of such an event type, or meter")
    several("--tenant", "ID", "only this project's; '' for nobody's")
    parser.add_argument("--since", type=moment, metavar="TIME", help="seen then or later; -2h is two hours ago")
    parser.add_argument("--until", type=moment, metavar="TIME", help="seen last before then")


def _choice(arguments: argparse.Namespace) -> Choice:
    return Choice(
        arguments.id,
        arguments.fate,
        arguments.tenant,
        arguments.reason,
        arguments.event_type,
        arguments.since,
        arguments.until,
    )


class _Place:
    """The place that is named, open for a command; what cannot be read of it is said at the end."""

    def __init__(self, url: str) -> None:
        self.unread = 0
        self._place = open_dead_letters(url, create=False, warn=self._warn)

    def _warn(self, text: str) -> None:
        self.unread += 1
        if self.unread <= UNREAD:
            cli.say(f"eventdefs: {one_line(text)}")

    def __enter__(self) -> DeadLetterPlace:
        return self._place

    def __exit__(self, *_: object) -> None:
        self._place.close()
        if self.unread > UNREAD:
            cli.say(f"eventdefs: {self.unread - UNREAD:,} more cannot be read")

    def status(self, *, findings: bool = False) -> int:
        """Return the exit status."""
        return cli.FINDINGS if findings or self.unread else cli.FINE


# --- list and summary ------------------------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace) -> int:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    write = _write_document if arguments.format == "json" else lambda letter: _write_line(letter, width)
    with (opened := _Place(arguments.place)) as place:
        for letter in _choice(arguments).of(place.read()):
            write(letter)
    return opened.status()


def _write_document(document: Any) -> None:
    sys.stdout.write(write_json(document).decode() + "\n")


def _write_line(letter: DeadLetter, width: int | None) -> None:
    cells = [
        _time_text(letter.last).ljust(20),
        letter.id[:ID],
        letter.fate.ljust(11),
        excerpt(one_line(letter.event_type or "-"), TYPE).ljust(TYPE),
        excerpt(one_line(letter.tenant or "-"), TENANT).ljust(TENANT),
        one_line(f"{letter.publisher}: {letter.reason}" if letter.publisher else letter.reason),
    ]
    line = "  ".join(cells)
    sys.stdout.write((line if width is None else excerpt(line, width)) + "\n")


def _time_text(time: datetime | None) -> str:
    return "-" if time is None else utc_text(time.replace(microsecond=0))


def _summary(arguments: argparse.Namespace) -> int:
    with (opened := _Place(arguments.place)) as place:
        everything, groups = choosing.group(_choice(arguments).of(place.read()))
    if arguments.format == "json":
        for key, found in groups:
            _write_document(choosing.as_document(key, found))
        return opened.status()
    repeated = f", dead-lettered {everything.count:,} times" if everything.count != everything.letters else ""
    sys.stdout.write(f"{many(everything.letters, 'letter')}{repeated}\n")
    rows = [
        [
            f"{found.letters:,}",
            key.fate,
            _time_text(found.first),
            _time_text(found.last),
            _what(key),
        ]
        for key, found in groups
    ]
    if rows:
        write_table(["letters", "fate", "first", "last", "reason"], rows, frozenset(["letters"]))
    return opened.status()


def _what(key: choosing.Key) -> str:
    where = f" [{key.definition}]" if key.definition else ""
    return ": ".join(part for part in (key.publisher, key.name, key.reason) if part) + where


# --- show ------------------------------------------------------------------------------------------------------------


def _show(arguments: argparse.Namespace) -> int:
    definitions = load_definitions(*arguments.definitions or ())
    with (opened := _Place(arguments.place)) as place:
        found = list(Choice([arguments.id]).of(place.read()))
    if len(found) != 1:
        which = f": {', '.join(letter.id[:ID] for letter in found[:UNREAD])}" if found else ""
        cli.say(f"eventdefs: {many(len(found), 'open letter')} with an id that begins with {arguments.id!r}{which}")
        return opened.status(findings=True)
    (letter,) = found
    if arguments.format == "json":
        _write_document(
            {"letter": letter, "today": [_today(letter, one, definitions) for one in letter.notifications()]}
        )
    else:
        _write_letter(letter, definitions)
    return opened.status()


def _today(letter: DeadLetter, found: Notification | DecodeError, definitions: Definitions) -> Any:
    if isinstance(found, DecodeError):
        return {"kind": "undecodable", "reason": found.reason}
    return {"kind": "explanation", "read_from": letter.place, **as_document(explain(definitions, found))}


def _write_letter(letter: DeadLetter, definitions: Definitions) -> None:
    colours = colours_for(sys.stdout)
    paint = colours.paint

    def entry(name: str, text: str) -> None:
        if text:
            sys.stdout.write(f"  {name:<11} {one_line(text)}\n")

    seen = _time_text(letter.first)
    if letter.count > 1:
        seen += f" to {_time_text(letter.last)}, {letter.count:,} times"
    sys.stdout.write(f"{paint(letter.id, 'bold')}  {paint(letter.fate, 'yellow')}\n")
    entry("seen", seen)
    entry("attempts", f"{letter.attempts:,}" if letter.attempts else "")
    entry("place", letter.place)
    entry("publisher", letter.publisher)
    entry("event type" if letter.original is not None or not letter.kind else "meter", letter.event_type)
    entry("message_id", letter.message_id)
    entry("tenant", letter.tenant or "")
    entry("definitions", letter.definitions)
    for error in letter.errors or [{"reason": letter.reason}]:
        where = ":".join(str(part) for part in (error.get("file"), error.get("line")) if part)
        details = [f"in {where}" if where else "", f"at {error['path']}" if error.get("path") else ""]
        entry("why", "  ".join([told(error), *filter(None, details)]))
    if letter.item is not None:
        _write_block(paint(letter.kind, "bold"), _indented(letter.item))
    if letter.original is not None:
        text = letter.original if isinstance(letter.original, str) else _indented(letter.original)
        _write_block(paint("original, in base64" if letter.encoding else "original", "bold"), text)
    for found in letter.notifications():
        sys.stdout.write(paint("today", "bold") + "\n")
        page = Page(colours)
        if isinstance(found, DecodeError):
            page.write_undecodable(Place(letter.place), found.reason)
        else:
            page.write(Place(letter.place), explain(definitions, found), "")


def _indented(document: Any) -> str:
    return msgspec.json.format(write_json(document), indent=2).decode()


def _write_block(title: str, text: str) -> None:
    sys.stdout.write(f"{title}\n")
    for line in text.splitlines():
        sys.stdout.write(f"  {one_line(line)}\n")


# --- replay ----------------------------------------------------------------------------------------------------------


def _replay(arguments: argparse.Namespace) -> int:
    definitions = load_definitions(*arguments.definitions or ())
    chosen = sinks.choose(arguments)
    for text in (*map(str, definitions.warnings), *chosen.warnings):
        cli.say(text)
    if not chosen.lines and not arguments.dry_run:
        raise SettingsError("nothing to replay to: name a publisher with --to, or a pipeline with --pipeline")
    for url, _ in chosen.lines:
        if parse_url(url).scheme in KEEPS_NOTHING:
            raise SettingsError(f"{parse_url(url).text} keeps nothing: what is replayed to it alone would be gone")
    with (opened := _Place(arguments.place)) as place:
        letters = _choice(arguments).of(place.read())
        if arguments.dry_run:
            report = rehearse(letters, definitions)
        else:
            report = _deliver(arguments, chosen, definitions, place, letters)
    if arguments.format == "json":
        _write_document(_report_document(report, dry_run=arguments.dry_run))
    else:
        _write_report(report, dry_run=arguments.dry_run)
    if report.error:
        cli.say(f"eventdefs: {report.error}; run it again")
        return cli.COULD_NOT
    return opened.status(findings=bool(report.failing))


def _deliver(
    arguments: argparse.Namespace,
    chosen: sinks.Chosen,
    definitions: Definitions,
    place: DeadLetterPlace,
    letters: Iterator[DeadLetter],
) -> Report:
    with ExitStack() as stack:
        targets = []
        for url, route in chosen.lines:
            delivery = open_delivery(_direct(url), default_format=chosen.default_format)
            stack.callback(delivery.close)
            targets.append(Target(delivery.url, delivery, route))
        ledger = None
        if arguments.ledger is not None:
            ledger = open_ledger(arguments.ledger, definitions=definitions.fingerprint)
            stack.callback(ledger.close)
        return Replay(place, definitions, targets, ledger=ledger, replace=arguments.replace).run(letters)


def _direct(url: str) -> str:
    """Return *url* without what would let its publisher take over what it has not delivered: a replay waits for it."""
    parsed = parse_url(url)
    kept = {name: value for name, value in parsed.options.items() if name not in OPTIONS or name in DIRECT}
    return f"{parsed.scheme}://{parsed.target}" + (f"?{urlencode(kept)}" if kept else "")


def _report_document(report: Report, *, dry_run: bool) -> dict[str, Any]:
    return {
        "kind": "replay",
        "dry_run": dry_run,
        "letters": report.letters,
        "replayed": report.replayed,
        "failing": report.failing,
        "reasons": dict(report.reasons.most_common()),
        "published": [
            {"to": name, "published": one.published, "duplicates": one.duplicates}
            for name, one in report.published.items()
        ],
        "error": report.error or None,
    }


def _write_report(report: Report, *, dry_run: bool) -> None:
    words = ("would be replayed", "would still fail") if dry_run else ("replayed", "still failing")
    sys.stdout.write(
        f"{many(report.letters, 'letter')}: {report.replayed:,} {words[0]}, {report.failing:,} {words[1]}\n"
    )
    for name, one in report.published.items():
        already = f", {one.duplicates:,} there already" if one.duplicates else ""
        sys.stdout.write(f"{name}: {one.published:,} published{already}\n")
    if report.reasons:
        sys.stdout.write(f"{words[1]}:\n")
        for reason, count in report.reasons.most_common():
            sys.stdout.write(f"  {count:>7,}  {one_line(reason)}\n")


# --- drop ------------------------------------------------------------------------------------------------------------


def _drop(arguments: argparse.Namespace) -> int:
    choice = _choice(arguments)
    if any(choice) and arguments.all:
        raise SettingsError("--all and a filter exclude one another")
    drops = arguments.all or any(choice)
    if not drops and not arguments.purge:
        raise SettingsError("say which letters to drop, as --id or --reason does, or --all")
    dropped = purged = 0
    with (opened := _Place(arguments.place)) as place:
        if drops:
            some: list[str] = []
            for letter in choice.of(place.read()):
                dropped += 1
                if not arguments.dry_run:
                    some.append(letter.id)
                if len(some) == AT_ONCE:
                    place.settle(some, "dropped")
                    some = []
            place.settle(some, "dropped")
        if arguments.purge and not arguments.dry_run:
            purged = place.purge()
    if arguments.format == "json":
        _write_document({"kind": "drop", "dry_run": arguments.dry_run, "dropped": dropped, "purged": purged})
        return opened.status()
    if drops:
        sys.stdout.write(f"{many(dropped, 'letter')} {'would be dropped' if arguments.dry_run else 'dropped'}\n")
    if arguments.purge and not arguments.dry_run:
        sys.stdout.write(f"{many(purged, 'record')} purged\n")
    return opened.status()


_RUNS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "summary": _summary,
    "show": _show,
    "replay": _replay,
    "drop": _drop,
}
