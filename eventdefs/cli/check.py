"""`eventdefs check`: opens every publisher that is named and says what would keep it from publishing. Sends nothing."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple

from eventdefs import cli
from eventdefs.cli import sinks
from eventdefs.delivery import DeliveryOptions, check_url, split_url, with_format
from eventdefs.encode import one_line
from eventdefs.errors import EventdefsError, PublisherURLError, SettingsError
from eventdefs.publishers import publisher_of
from eventdefs.publishers.urls import parse_url

_EXAMPLES = """\
examples:
  eventdefs check --pipeline event_pipeline.yaml pipeline.yaml
  eventdefs check --config /etc/eventdefs/eventdefs.conf
  eventdefs check --to 'kafka://broker-1:9092,broker-2:9092/events'

exit status: 0 every publisher can be used; 1 some cannot; 2 could not run, as where a pipeline file is wrong.
"""

SECONDS = 30.0
"""How long publishers have to answer."""


class Checked(NamedTuple):
    """What was found of a publisher; `problem` is '' where nothing is wrong."""

    url: str
    problem: str


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sinks.add_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how what was found is written")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    chosen = sinks.choose(arguments)
    if not chosen.lines:
        raise SettingsError("no publisher is named: give --pipeline, --config or --to")
    for text in chosen.warnings:
        sys.stderr.write(f"{text}\n")
    found = _check_all(chosen)
    for one in found:
        if arguments.format == "json":
            sys.stdout.write(json.dumps({"publisher": one.url, "problem": one.problem or None}) + "\n")
        else:
            sys.stdout.write(f"{'ok    ' if not one.problem else 'wrong '} {one.url}{_why(one)}\n")
    return cli.FINDINGS if any(one.problem for one in found) else cli.FINE


def _check_all(chosen: sinks.Chosen) -> list[Checked]:
    """Check all publishers at once; what does not answer in time is left alone, and is wrong."""
    found: dict[int, Checked] = {}
    done = threading.Semaphore(0)

    def check_one(number: int, url: str) -> None:
        try:
            found[number] = check(url, chosen.default_format)
        except BaseException as error:  # A third party's code may raise anything; the others are checked all the same.
            found[number] = Checked(_shown(url), f"{type(error).__name__}: {error}")
        finally:
            done.release()

    for url, _ in chosen.lines:
        with suppress(Exception):  # which is said below
            check_url(url)  # loads libraries: one that is first loaded in a thread, as eventlet, may never let it end
    end = time.monotonic() + SECONDS
    for number, (url, _) in enumerate(chosen.lines):
        threading.Thread(target=check_one, args=(number, url), daemon=True).start()
    for _ in chosen.lines:
        done.acquire(timeout=max(0.0, end - time.monotonic()))
    late = f"no answer within {SECONDS:g} seconds"
    return [found.get(number) or Checked(_shown(url), late) for number, (url, _) in enumerate(chosen.lines)]


def _shown(url: str) -> str:
    try:
        return parse_url(url).text
    except PublisherURLError:
        return f"{url.partition('://')[0]}://..."


def _why(one: Checked) -> str:
    return f": {one_line(one.problem)}" if one.problem else ""


def check(url: str, default_format: str | None = None) -> Checked:
    """Open the publisher of *url* and ask it what is wrong."""
    shown = _shown(url)
    try:
        parsed, options = split_url(url)
        publisher = publisher_of(with_format(parsed, default_format))
    except PublisherURLError as error:
        return Checked(shown, _without(shown, str(error)))
    problem = ""
    try:
        _check_places(options)
        publisher.check()
    except EventdefsError as error:
        problem = _without(shown, str(error))
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    try:
        publisher.close()
    except EventdefsError as error:
        problem = problem or _without(shown, str(error))
    return Checked(shown, problem)


def _check_places(options: DeliveryOptions) -> None:
    """See that what a delivery keeps, beside its publisher, can be kept; the places are made where they are not there.

    Raises:
        EventdefsError: what keeps them from being used.
    """
    if options.spool:
        from eventdefs.delivery.spool import SpoolFiles  # few have one

        files = SpoolFiles(options.spool, max_bytes=options.spool_bytes)
        try:
            files.check()
        finally:
            files.close()
    if options.dead_letters:
        from eventdefs.deadletters import open_dead_letters

        open_dead_letters(options.dead_letters).close()


def _without(shown: str, reason: str) -> str:
    """Return *reason* without the URL that it begins with, which stands before it."""
    return reason.removeprefix(shown).removeprefix(":").strip()
