"""`eventdefs check`: opens every publisher that is named and says what would keep it from publishing. Sends nothing."""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from eventdefs import cli
from eventdefs.cli import sinks
from eventdefs.delivery import split_url, with_format
from eventdefs.encode import one_line
from eventdefs.errors import DeliveryError, EventdefsError, PublisherURLError, SettingsError
from eventdefs.publishers import publisher_of

_EXAMPLES = """\
examples:
  eventdefs check --pipeline event_pipeline.yaml pipeline.yaml
  eventdefs check --config /etc/eventdefs/eventdefs.conf
  eventdefs check --to 'kafka://broker-1:9092,broker-2:9092/events'

exit status: 0 every publisher can be used; 1 some cannot; 2 could not run, as where a pipeline file is wrong.
"""

AT_ONCE = 8
"""How many publishers are asked at once: what does not answer takes its time."""


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
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(lambda line: check(line[0], chosen.default_format), chosen.lines))
    for one in found:
        if arguments.format == "json":
            sys.stdout.write(json.dumps({"publisher": one.url, "problem": one.problem or None}) + "\n")
        else:
            sys.stdout.write(f"{'ok    ' if not one.problem else 'wrong '} {one.url}{_why(one)}\n")
    return cli.FINDINGS if any(one.problem for one in found) else cli.FINE


def _why(one: Checked) -> str:
    return f": {one_line(one.problem)}" if one.problem else ""


def check(url: str, default_format: str | None = None) -> Checked:
    """Open the publisher of *url* and ask it what is wrong."""
    shown = f"{url.partition('://')[0]}://..."
    try:
        parsed, _ = split_url(url)
        shown = parsed.text
        publisher = publisher_of(with_format(parsed, default_format))
    except PublisherURLError as error:
        return Checked(shown, _without(shown, str(error)))
    problem = ""
    try:
        publisher.check()
    except DeliveryError as error:
        problem = _without(shown, str(error))
    except Exception as error:  # A third party's code may raise anything; the others are checked all the same.
        problem = f"{type(error).__name__}: {error}"
    try:
        publisher.close()
    except EventdefsError as error:
        problem = problem or _without(shown, str(error))
    return Checked(shown, problem)


def _without(shown: str, reason: str) -> str:
    """Return *reason* without the URL that it begins with, which stands before it."""
    return reason.removeprefix(shown).removeprefix(":").strip()
