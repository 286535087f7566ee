"""`eventdefs samples`: the samples of a store, by meter, time, tenant and resource."""

from __future__ import annotations

import argparse
from typing import Any

from eventdefs.cli.stored import add_options, pattern_of, show
from eventdefs.encode import write_json
from eventdefs.publishers import Batch
from eventdefs.publishers.stdout import lines_of
from eventdefs.stores import SampleQuery
from eventdefs.times import utc_text
from eventdefs.types import Sample

_EXAMPLES = """\
examples:
  eventdefs samples sqlite:///events.db --meter 'volume.*' --from 2026-08-01 --to 2026-09-01
  eventdefs samples sqlite:///events.db --resource 02c8ad2c-1059-4317-8d42-eb6fef06ab77 --newest 5
  eventdefs samples sqlite:///events.db --where 'volume>=100' --where 'status=available' --format csv

exit status: 0 fine, also when there are none; 2 could not run.
"""
HEADS = ("timestamp", "name", "type", "volume", "unit", "resource_id", "project_id", "user_id", "id", "metadata")


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "samples",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.add_argument(
        "--meter", nargs="+", action="extend", metavar="GLOB", help="meters, as volume.*; ! before a glob excludes"
    )
    parser.add_argument("--resource", metavar="ID", help="only this resource")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    query = SampleQuery(
        pattern_of(arguments.meter),
        arguments.begin,
        arguments.end,
        arguments.tenant,
        arguments.resource,
        tuple(arguments.where),
        newest=arguments.newest,
    )
    return show(
        arguments,
        query,
        lambda store, asked: store.samples(asked),
        "samples",
        HEADS,
        _row,
        lambda sample: next(iter(lines_of(Batch(samples=[sample])))),
    )


def _row(sample: Sample) -> list[str]:
    values = (sample.name, sample.type, sample.volume, sample.unit, sample.resource_id, sample.project_id)
    texts = ["" if value is None else str(value) for value in (*values, sample.user_id, sample.id)]
    return [utc_text(sample.timestamp), *texts, write_json(sample.metadata).decode()]
