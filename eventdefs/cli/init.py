"""`eventdefs init`: definitions proposed from recorded notifications, for a person to read and change."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from eventdefs import cli
from eventdefs.cli.tables import many
from eventdefs.consumers.files import find_files, read_notifications
from eventdefs.definitions import load_definitions
from eventdefs.definitions.corpus import Corpus
from eventdefs.definitions.propose import propose
from eventdefs.encode import one_line, write_json
from eventdefs.errors import DecodeError, EventdefsError, InputError
from eventdefs.types import Place

_EXAMPLES = """\
examples:
  eventdefs init notifications.jsonl                   definitions for what was recorded, to look at
  eventdefs init recorded/ -o definitions.yaml --meters meters.yaml --tests definitions.test.yaml
  eventdefs init recorded/ --merge event_definitions.yaml -o more.yaml      only what these do not cover
  eventdefs init recorded/ --per-event-type            one definition for each event type

exit status: 0 all was read; 1 something is no notification (named on standard error); 2 could not run.
"""

SHOWN = 10
"""How many of those that are no notifications are named."""
CASES = 3
"""How many notifications of one event type become tests, each of another shape."""
MAX_TESTS = 8 * 1024 * 1024
"""Characters of a file of tests."""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "init",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files and directories of notifications; - is standard input"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where event definitions are written (standard output)")
    parser.add_argument("--meters", metavar="FILE", help="propose sample definitions too, in a file of their own")
    parser.add_argument(
        "--tests", metavar="FILE", help="write cases for eventdefs test too, of the notifications that were read"
    )
    parser.add_argument(
        "--per-event-type", action="store_true", help="one definition an event type, not one for those of a resource"
    )
    parser.add_argument(
        "--merge",
        nargs="+",
        action="extend",
        metavar="DEFINITIONS",
        help="propose only what these definition files and directories do not cover",
    )
    parser.add_argument("--force", action="store_true", help="write over files that are there")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how the proposal is printed (text)")
    parser.add_argument("--quiet", action="store_true", help="do not say what was read and written")
    parser.set_defaults(run=run)


class _Undecodable(NamedTuple):
    place: Place
    reason: str


class _Read:
    """What came of reading notifications.

    Attributes:
        unread: files that could not be read to their end, and why.
    """

    def __init__(self) -> None:
        self.corpus = Corpus()
        self.undecodable: list[_Undecodable] = []
        self.failed = 0
        self.unread: list[str] = []

    def add(self, files: Sequence[str]) -> None:
        for file in files:
            try:
                for place, notification in read_notifications(file):
                    if isinstance(notification, DecodeError):
                        self._fail(_Undecodable(place, notification.reason))
                    else:
                        self.corpus.add(notification, place)
            except InputError as error:
                self.unread.append(str(error))

    def _fail(self, failed: _Undecodable) -> None:
        self.failed += 1
        if self.failed <= SHOWN:
            self.undecodable.append(failed)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    paths = arguments.paths or ([] if sys.stdin.isatty() else ["-"])
    if not paths:
        raise InputError("no notifications: name files or directories of them, or - for standard input")
    if arguments.tests and not arguments.output:
        raise EventdefsError("--tests needs --output: a test file names the definitions that it is about")
    targets = [name for name in (arguments.output, arguments.meters, arguments.tests) if name]
    _check_targets(targets, arguments.force)
    known = load_definitions(*arguments.merge) if arguments.merge else None
    read = _Read()
    read.add(find_files(paths))
    for one in read.undecodable:
        sys.stderr.write(f"{one.place}: not a notification: {one_line(one.reason)}\n")
    if read.failed > SHOWN:
        sys.stderr.write(f"and {read.failed - SHOWN:,} more are not notifications\n")
    for reason in read.unread:
        sys.stderr.write(f"eventdefs: {reason}\n")
    corpus = read.corpus
    if not corpus.count:
        raise InputError("there is no notification to propose definitions from")
    proposal = propose(corpus, per_event_type=arguments.per_event_type, known=known)
    written = []
    if arguments.output and proposal.events:
        written.append(_write(arguments.output, proposal.events, arguments.force))
    if arguments.meters and proposal.meters:
        written.append(_write(arguments.meters, proposal.meters, arguments.force))
    if arguments.tests and written:
        text = _tests(arguments.tests, [*(arguments.merge or ()), *written], corpus, proposal.event_types)
        written.append(_write(arguments.tests, text, arguments.force))
    if arguments.format == "json":
        document = {
            "notifications": corpus.count,
            "event_types": proposal.event_types,
            "definitions": proposal.events,
            "meters": proposal.meters,
            "written": written,
            "undecodable": read.failed,
        }
        sys.stdout.write(write_json(document).decode() + "\n")
    elif not arguments.output:
        sys.stdout.write(proposal.events)
    if not arguments.quiet:
        _summarise(arguments, read, proposal.event_types, written)
    if read.unread:
        return cli.COULD_NOT
    return cli.FINDINGS if read.failed else cli.FINE


def _summarise(arguments: argparse.Namespace, read: _Read, event_types: Sequence[str], written: list[str]) -> None:
    said = f"{many(read.corpus.count, 'notification')} of {many(len(read.corpus.event_types), 'event type')}"
    if read.corpus.untold:
        said += f", and {read.corpus.untold:,} notifications of more event types, which are left out"
    if not event_types:
        said += "; the definitions cover all of them"
    cli.say(said)
    if arguments.meters and event_types and arguments.meters not in written:
        cli.say("nothing to measure was found")
    if written:
        sys.stderr.write(f"written: {', '.join(written)}\n")


def _check_targets(targets: Sequence[str], force: bool) -> None:
    """Refuse what cannot be written before anything is read."""
    for number, name in enumerate(targets):
        if any(os.path.abspath(name) == os.path.abspath(other) for other in targets[:number]):
            raise EventdefsError(f"{name} is named twice: each file holds one kind of proposal")
        path = Path(name)
        if path.is_dir():
            raise EventdefsError(f"{name} is a directory; expected the name of a file")
        if path.exists() and not force:
            raise EventdefsError(f"{name} is there already; --force writes over it")
        if not path.parent.is_dir():
            raise EventdefsError(f"{name}: there is no directory {path.parent}")


def _write(name: str, text: str, force: bool) -> str:
    try:
        with open(name, "w" if force else "x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise EventdefsError(f"{name} is there already; --force writes over it") from None
    except OSError as error:
        raise EventdefsError(f"{name}: {error.strerror}") from error
    return name


def _tests(file: str, definitions: Sequence[str], corpus: Corpus, event_types: Sequence[str]) -> str:
    """Return the text of a test file: a case for a notification of each shape, with all that is made of it.

    A case that YAML cannot have as it is (a lone surrogate, a number that is too long) is left out, which is said.
    """
    from eventdefs.cases.running import Runner, Suite

    folder = os.path.dirname(os.path.abspath(file))
    names = [os.path.relpath(name, folder) for name in definitions]
    head = "# Cases written by `eventdefs init`: what the definitions beside it make of recorded notifications.\n"
    head += f"definitions: [{', '.join(write_json(name).decode() for name in names)}]\n\ncases:\n"
    cases = dict(_cases(load_definitions(*definitions).convert, corpus, event_types, len(head)))
    runner = Runner()
    tried = len(cases)
    for name in list(cases):
        if not isinstance(runner.open_text(file, head + cases[name]), Suite):
            del cases[name]
    suite = runner.open_text(file, head + "\n".join(cases.values()))
    if isinstance(suite, Suite):
        for case in suite.cases.cases:
            if runner.run(suite, case).outcome != "passed":
                del cases[case.name]
    if len(cases) < tried:
        left = many(tried - len(cases), "notification")
        sys.stderr.write(f"{left} left out of {file}: YAML cannot have what is in there\n")
    return head + "\n".join(cases.values())


def _cases(
    convert: Callable[[Any], Any], corpus: Corpus, event_types: Sequence[str], length: int
) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each case, as long as there is room."""
    from eventdefs.cases.writing import case_text

    for event_type in event_types:
        for number, example in enumerate(corpus.event_types[event_type].examples[:CASES], 1):
            name = event_type if number == 1 else f"{event_type} {number}"
            notification = example.notification
            try:
                text = case_text(name, corpus.shown(notification), convert(notification))
            except (ValueError, RecursionError):
                continue
            length += len(text) + 1
            if length > MAX_TESTS:
                return
            yield name, text
