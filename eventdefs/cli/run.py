"""`eventdefs run`: notifications from files through definitions to publishers."""

from __future__ import annotations

import argparse
import gc
import json
import math
import select
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn, TextIO

from eventdefs import cli
from eventdefs.cli import sinks
from eventdefs.cli.arguments import duration
from eventdefs.cli.tables import many
from eventdefs.consumers.files import find_files, read_notifications
from eventdefs.deadletters.recording import DeadLetters
from eventdefs.definitions import Definitions, Options, load_definitions
from eventdefs.delivery import open_delivery, split_url
from eventdefs.errors import DecodeError, InputError, LedgerError, ReaderGoneError
from eventdefs.metering import Ledger, LedgerSettings, open_ledger
from eventdefs.metering.ledger import Counts
from eventdefs.pipeline import Pipeline, Sink
from eventdefs.publishers.urls import parse_url
from eventdefs.types import Conversion, Notification, Place

_EXAMPLES = """\
examples:
  eventdefs run samples/                         what the shipped definitions make of the samples, as a table
  eventdefs run samples/ | jq .traits            the same as lines of JSON
  zcat old.gz | eventdefs run - --to sqlite:///events.db
  eventdefs run notifications.jsonl --definitions event_definitions.yaml meters.d/ --to file:///tmp/out.jsonl

exit status: 0 all was read and delivered, or waits in a spool; 1 something could not be read or was dead-lettered (the
summary says what); 2 could not run: definitions, input or a publisher cannot be used, or something was not delivered;
129 its terminal was closed; 130 interrupted with Ctrl-C; 143 terminated.
"""

LIVE = 5.0
"""Seconds after which what came on standard input is published: it may be somebody's `tail -f`."""
PROGRESS_EVERY = 0.2
PROGRESS_AFTER = 1.0


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help=summary, description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
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
    sinks.add_arguments(parser)
    parser.add_argument(
        "--format", choices=("text", "json"), default=None, help="how the output and the summary are written"
    )
    parser.add_argument(
        "--ledger",
        metavar="URL",
        help="count periods in this ledger, as sqlite:///ledger.db, which a later run continues",
    )
    parser.add_argument(
        "--leave-open", action="store_true", help="at the end, leave hours open that only time would close"
    )
    parser.add_argument("--lateness", type=duration, metavar="TIME", help="how long an hour waits for claims (1h)")
    parser.add_argument("--keep-open", type=duration, metavar="TIME", help="how long an hour can be corrected (35d)")
    parser.add_argument(
        "--dead-letters",
        metavar="PLACE",
        help="keep what could not be read and what publishers refuse: a file, or a URL as sqlite:///dead.db",
    )
    parser.add_argument(
        "--store-raw", nargs="+", action="extend", default=[], metavar="PRIORITY", help="keep raw bodies on events"
    )
    parser.add_argument(
        "--drop-unmatched", action="store_true", help="no event where no definition applies to the event type"
    )
    parser.add_argument("--batch", type=_count, metavar="N", help="events and samples a batch (1000)")
    parser.add_argument(
        "--batch-age",
        type=duration,
        metavar="TIME",
        help="publish what waits for so long, though it is no whole batch (5s of standard input, else never)",
    )
    parser.add_argument(
        "--retry-for",
        type=_retries,
        metavar="TIME",
        help="how long a publisher that is away is asked again, or forever (1min)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress and no summary")
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return number


def _retries(text: str) -> float:
    return math.inf if text == "forever" else duration(text).total_seconds()


SHOWS = ("stdout", "memory")
"""Publishers that keep nothing: the hours of one run alone may be shown there."""


def _open_ledger(arguments: argparse.Namespace, urls: list[str], definitions: Definitions) -> Ledger | None:
    """Return the ledger that was asked for, else one in memory where nobody stores what it records, else None.

    An hour that two runs touch is known only to a ledger that both use.
    """
    counted = arguments.ledger is not None or all(parse_url(url).scheme in SHOWS for url in urls)
    given = {"lateness": arguments.lateness, "keep_open": arguments.keep_open}
    settings = LedgerSettings(**{name: value for name, value in given.items() if value is not None})
    if not counted:
        if settings != LedgerSettings() or arguments.leave_open:
            raise LedgerError("--lateness, --keep-open and --leave-open are of a ledger: name one with --ledger")
        return None
    return open_ledger(arguments.ledger or "memory://", settings, definitions=definitions.fingerprint)


_ENDING = {signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


class _Terminated(SystemExit):
    """Raised by a signal of `_ENDING`."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.text = _ENDING[signal.Signals(number)]


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what is run as Ctrl-C does: what was read is delivered or kept. A second one kills.

    A SIGHUP that is ignored, as by nohup, remains so.
    """

    def end(number: int, _: object) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        _let_terminal_go()
        raise _Terminated(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    except _Terminated as ended:
        sys.stderr.write(f"eventdefs: {ended.text}\n")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _let_terminal_go() -> None:
    """See that what is still said does no harm where standard error was a terminal that is closed."""
    poll = select.poll()
    poll.register(sys.stderr, 0)
    if poll.poll(0):
        cli.let_go(sys.stderr)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    with _terminable():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    paths = arguments.paths or ([] if sys.stdin.isatty() else ["-"])
    if not paths:
        raise InputError("no notifications: name files or directories of them, or - for standard input")
    options = Options(drop_unmatched_notifications=arguments.drop_unmatched, store_raw=tuple(arguments.store_raw))
    definitions = load_definitions(*arguments.definitions or (), options=options)
    files = find_files(paths)
    for warning in definitions.warnings:
        sys.stderr.write(f"{warning}\n")
    chosen = sinks.choose(arguments)
    for text in chosen.warnings:
        sys.stderr.write(f"{text}\n")
    table = arguments.format == "text" or (arguments.format is None and sys.stdout.isatty())
    lines = chosen.lines or [("stdout://?format=table" if table else "stdout://", None)]
    urls = [url for url, _ in lines]
    letters = DeadLetters(arguments.dead_letters or chosen.dead_letters, definitions.fingerprint)
    opened = [
        Sink(
            open_delivery(
                url,
                letters.undelivered if letters.kept or split_url(url)[1].dead_letters else None,
                retry_for=arguments.retry_for,
                default_format=chosen.default_format,
            ),
            "",
            route,
        )
        for url, route in lines
    ]
    ledger = _open_ledger(arguments, urls, definitions)
    summary = Summary(counted=ledger is not None)
    progress = Progress(sys.stderr, enabled=not arguments.quiet and sys.stderr.isatty())
    with ExitStack() as stack:  # whatever fails, all are closed
        gc.freeze()  # what is there now stays; looking through it again and again takes a sixteenth of a run
        stack.callback(gc.unfreeze)
        stack.callback(letters.close)
        if ledger is not None:
            stack.callback(ledger.close)
        stack.callback(progress.clear)
        keeps = arguments.ledger is None or any(parse_url(url).scheme not in SHOWS for url in urls)
        age = arguments.batch_age.total_seconds() if arguments.batch_age else chosen.batch_age
        with Pipeline(
            definitions,
            opened,
            batch_size=arguments.batch or chosen.batch_items,
            batch_age=age or (LIVE if "-" in paths else None),
            ledger=ledger,
            confirm=keeps,
        ) as pipeline:
            for place, notification in _notifications(files, summary):
                progress.show(summary)
                if isinstance(notification, DecodeError):
                    summary.add_undecodable(place, notification)
                    letters.keep_undecodable(place, notification)
                    continue
                conversion = pipeline.process(notification)
                summary.add(notification, conversion)
                if conversion.problems:
                    letters.keep(place, notification, conversion)
                if pipeline.failed:
                    break
            else:
                if not (arguments.leave_open or _comes_again(arguments, summary)):
                    pipeline.finish()
    summary.counts = pipeline.counts
    if not arguments.quiet:
        written = summary.as_json(opened) if arguments.format == "json" else summary.as_text(opened)
        sys.stderr.write(written + "\n")
    failed = [sink for sink in opened if _failed(sink)]
    for sink in failed:
        reasons = "; ".join(one.removeprefix(f"{sink.name}: ") for one in sink.tally.reasons) or str(sink.error)
        sys.stderr.write(f"eventdefs: {sink.name}: {reasons}; {sink.undelivered} not delivered\n")
    if pipeline.ledger_error is not None:
        sys.stderr.write(f"eventdefs: {pipeline.ledger_error}; run the same input again\n")
    for reason in summary.unread:
        sys.stderr.write(f"eventdefs: {reason}\n")
    if _comes_again(arguments, summary) and not arguments.leave_open:
        sys.stderr.write("eventdefs: hours stay open in the ledger: put the input right, and run it again\n")
    if summary.unread or failed or pipeline.ledger_error is not None:
        return cli.COULD_NOT
    refused = summary.counts.late or summary.counts.future or any(sink.dead_lettered for sink in opened)
    return cli.FINDINGS if summary.undecodable or summary.problems or refused else cli.FINE


def _comes_again(arguments: argparse.Namespace, summary: Summary) -> bool:
    """Tell whether a ledger is to hear of more: what could not be read, when the input is put right and run again."""
    return arguments.ledger is not None and bool(summary.unread)


def _failed(sink: Sink) -> bool:
    """Tell whether something was not delivered that somebody wanted."""
    return (sink.error is not None or sink.undelivered > 0) and not isinstance(sink.error, ReaderGoneError)


def _notifications(files: list[str], summary: Summary) -> Iterator[tuple[Place, Notification | DecodeError]]:
    """Yield what the files hold; a file that cannot be read to its end does not stop the others."""
    for file in files:
        try:
            yield from read_notifications(file)
        except InputError as error:
            summary.unread.append(str(error))


class Summary:
    """Counts what was read and what it gave."""

    SHOWN = 10

    def __init__(self, counted: bool) -> None:
        self.counts = Counts()
        self._counted = counted
        self.read = 0
        self.events = 0
        self.samples = 0
        self.periods = 0
        self.rejected = 0
        self.unwanted: Counter[str] = Counter()
        self.unmatched: Counter[str] = Counter()
        self.problems: Counter[tuple[str, str, str, str]] = Counter()
        self.undecodable: Counter[str] = Counter()
        self.first_undecodable: dict[str, Place] = {}
        self.unread: list[str] = []
        self._began = time.monotonic()

    def add(self, notification: Notification, conversion: Conversion) -> None:
        self.read += 1
        self.events += conversion.event is not None
        self.samples += len(conversion.samples)
        self.periods += len(conversion.periods)
        self.rejected += conversion.rejected
        if conversion.definition is not None and conversion.event is None and not conversion.rejected:
            self._count(self.unwanted, notification.priority)
        if conversion.unmatched:
            self._count(self.unmatched, notification.event_type)
        for problem in conversion.problems:
            reason = problem.reason.partition(":")[0]
            self._count(self.problems, (str(problem.place), f"{problem.kind} {problem.name}", problem.path, reason))

    def add_undecodable(self, place: Place, error: DecodeError) -> None:
        self.read += 1
        reason = error.reason[:200]
        self._count(self.undecodable, reason)
        if reason in self.undecodable:
            self.first_undecodable.setdefault(reason, place)

    @staticmethod
    def _count(counter: Counter[Any], key: Any, most: int = 10_000) -> None:
        """Count *key*, but remember no more than so many: senders choose what is in it."""
        if key in counter or len(counter) < most:
            counter[key] += 1
        else:
            counter[("...",) * len(key) if isinstance(key, tuple) else "..."] += 1

    def as_json(self, sinks: list[Sink]) -> str:
        """Return the summary as one line of JSON."""
        document = {
            "kind": "summary",
            "read": self.read,
            "events": self.events,
            "samples": self.samples,
            "periods": self.periods,
            "usage": self.counts._asdict() if self._counted else None,
            "rejected": self.rejected,
            "unwanted": dict(self.unwanted.most_common()),
            "unmatched": dict(self.unmatched.most_common()),
            "undecodable": dict(self.undecodable.most_common()),
            "problems": [
                {"definition": place, "name": name, "path": path, "reason": reason, "count": count}
                for (place, name, path, reason), count in self.problems.most_common()
            ],
            "unread": self.unread,
            "published": [
                {
                    "to": sink.name,
                    "published": sink.published,
                    "duplicates": sink.duplicates,
                    "dead_lettered": sink.dead_lettered,
                    "waiting": sink.waiting,
                    "undelivered": sink.undelivered,
                    "error": None if sink.error is None else str(sink.error),
                    "reasons": sink.tally.reasons,
                }
                for sink in sinks
            ],
        }
        return json.dumps(document, ensure_ascii=False)

    def as_text(self, sinks: list[Sink]) -> str:
        """Return the summary for a person."""
        seconds = time.monotonic() - self._began
        given = [many(self.events, "event"), many(self.samples, "sample"), many(self.periods, "period")]
        lines = [f"{many(self.read, 'notification')}: {', '.join(given)} in {seconds:.1f} s"]
        for sink in sinks:
            already = f", {sink.duplicates:,} there already" if sink.duplicates else ""
            dead = f", {sink.dead_lettered:,} dead-lettered" if sink.dead_lettered else ""
            waiting = f", {sink.waiting:,} {'waits' if sink.waiting == 1 else 'wait'}" if sink.waiting else ""
            lines.append(f"{sink.name}: {sink.published:,} published{already}{dead}{waiting}")
        lines += self._usage()
        if self.rejected:
            lines.append(f"{self.rejected:,} rejected by their definition")
        lines += self._section("no event for the priority", self.unwanted.most_common())
        lines += self._section("no definition for", self.unmatched.most_common())
        lines += self._section(
            "not a notification",
            [
                (f"{reason} (first at {self.first_undecodable.get(reason, '...')})", count)
                for reason, count in self.undecodable.most_common()
            ],
        )
        lines += self._section(
            "problems",
            [
                (f"{place}: {name}: {reason}" + (f" [{path}]" if path else ""), count)
                for (place, name, path, reason), count in self.problems.most_common()
            ],
        )
        return "\n".join(lines)

    def _usage(self) -> list[str]:
        """Say what became of the periods."""
        if not self._counted:
            return [f"{many(self.periods, 'period')} not counted: name a ledger with --ledger"] if self.periods else []
        counts = self.counts
        if not any(counts):
            return []
        said = [f"{many(counts.usage, 'record')} of usage"]
        said += [many(counts.gaps, "gap")] if counts.gaps else []
        said += [f"{counts.late:,} refused as too late"] if counts.late else []
        said += [f"{counts.future:,} refused as dated in the future"] if counts.future else []
        return [f"ledger: {', '.join(said)}"]

    def _section(self, title: str, rows: list[tuple[str, int]]) -> list[str]:
        if not rows:
            return []
        lines = [f"{title}:"]
        lines += [f"  {count:>7,}  {text}" for text, count in rows[: self.SHOWN]]
        if len(rows) > self.SHOWN:
            lines.append(f"           and {len(rows) - self.SHOWN:,} more; --format json shows all")
        return lines


class Progress:
    """One line on a terminal that says how far it is, after a second."""

    def __init__(self, stream: TextIO, enabled: bool) -> None:
        self._stream = stream
        self._enabled = enabled
        self._began = time.monotonic()
        self._next = self._began + PROGRESS_AFTER
        self._shown = False

    def show(self, summary: Summary) -> None:
        if not self._enabled or summary.read % 64:
            return
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_EVERY
            self._shown = True
            rate = summary.read / (now - self._began)
            self._stream.write(f"\r\x1b[K{summary.read:,} notifications, {rate:,.0f} a second")
            self._stream.flush()

    def clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
