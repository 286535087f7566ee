"""`eventdefs usage explain`: from an hour on a bill to the notifications that it was made of."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime, timedelta
from typing import Any

import msgspec

from eventdefs import cli
from eventdefs.cli.tables import many
from eventdefs.cli.usage import archive
from eventdefs.cli.usage.asking import hour_of, opened
from eventdefs.encode import one_line
from eventdefs.metering.claims import storable, to_micros, to_time
from eventdefs.metering.reports import Stretch, cuts_of, dimensions_text, revisions, stretches
from eventdefs.metering.store import Resource
from eventdefs.times import utc_text
from eventdefs.types import Period, Place, Record, Usage


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument("meter", metavar="METER", help="the meter, as database.uptime")
    parser.add_argument("resource", metavar="RESOURCE", help="the id of the resource")
    parser.add_argument("hour", type=hour_of, metavar="HOUR", help="the hour, as 2026-08-03T08, in UTC")
    archive.add_options(parser, required=False)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written (text)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Explain the hour; return the exit status."""
    hour: datetime = arguments.hour
    with opened(arguments.ledger) as store:
        resource = store.resource(arguments.meter, arguments.resource)
        found = revisions(store, arguments.meter, arguments.resource, hour)
    if resource is None and not found:
        sys.stdout.write(f"the ledger knows no {one_line(arguments.meter)} of {one_line(arguments.resource)}\n")
        return cli.FINDINGS
    claims = _claims(arguments, hour) if arguments.archive else None
    writer = _write_json if arguments.format == "json" else _write_text
    writer(arguments, resource, found, claims)
    return cli.FINE


def _claims(arguments: argparse.Namespace, hour: datetime) -> list[tuple[Place, Period]]:
    """Return the claims of recorded notifications that touch the hour."""
    raw = archive.Archive(arguments.archive, archive.read_definitions(arguments))
    found = [
        (place, period)
        for place, _, period in raw.claims()
        if (storable(period.meter), storable(period.resource_id)) == (arguments.meter, arguments.resource)
        and period.begin < hour + timedelta(hours=1)
        and period.end > hour
    ]
    raw.complain()
    return sorted(found, key=lambda pair: (pair[1].end, pair[1].message_id))


def _clock(micros: int) -> str:
    time = to_time(micros)
    return f"{time:%H:%M:%S}" + (f".{time.microsecond:06}" if time.microsecond else "")


def _stretches(resource: Resource | None, hour: datetime) -> list[Stretch]:
    begin = to_micros(hour)
    return [] if resource is None or begin not in resource.hours else stretches(resource, begin)


def _write_text(
    arguments: argparse.Namespace,
    resource: Resource | None,
    found: list[Record],
    claims: list[tuple[Place, Period]] | None,
) -> None:
    write = sys.stdout.write
    hour: datetime = arguments.hour
    write(f"{one_line(arguments.meter)} of {one_line(arguments.resource)}, {hour:%Y-%m-%d %H:%M} to ")
    write(f"{hour + timedelta(hours=1):%H:%M} UTC\n\nrecorded\n")
    for record in found:
        if isinstance(record, Usage):
            for line in _record_lines(record):
                write(f"  {one_line(line)}\n")
    if not found:
        write("  nothing\n")
    write("\nthe hour\n")
    made = _stretches(resource, hour)
    for part in made:
        start, stop = _clock(part.start), _clock(part.stop)
        whose = (
            "" if part.group is None else f"  {part.group.project_id or '-'}  {dimensions_text(part.group.dimensions)}"
        )
        count = f"  {many(part.claims, 'claim')}" if part.claims else ""
        write(f"  {start} to {stop}  {part.status}{one_line(whose)}{count}\n")
    if not made:
        write("  it is no longer kept; only what was recorded is\n" if found else "  nothing is claimed\n")
    if claims is not None:
        write("\nclaims in the archive\n")
        for place, period in claims:
            cuts = cuts_of(period, None if resource is None else resource.closed_at)
            text = f"{period.begin:%m-%d %H:%M:%S} to {period.end:%m-%d %H:%M:%S}  {period.status}  {period.message_id}"
            write(f"  {one_line(text)}  {one_line(str(place))}{'  cut: ' + '; '.join(cuts) if cuts else ''}\n")


def _record_lines(usage: Usage) -> list[str]:
    state = "final" if usage.state == "final" else f"corrected, {usage.reason}"
    group = f"{usage.project_id or '-'}  {dimensions_text(usage.dimensions.items())}"
    lines = [
        f"revision {usage.revision}  {usage.quantity} {usage.unit} ({usage.delta} added)  {group}",
        f"    {state}, closed by {usage.closed_by}, recorded {usage.recorded_at:%Y-%m-%d %H:%M:%S} as {usage.sequence}",
    ]
    if usage.evidence.witnesses:
        lines.append(f"    {many(usage.evidence.claims, 'claim')}, from {' to '.join(usage.evidence.witnesses)}")
    return lines


def _write_json(
    arguments: argparse.Namespace,
    resource: Resource | None,
    found: list[Record],
    claims: list[tuple[Place, Period]] | None,
) -> None:
    document: dict[str, Any] = {
        "meter": arguments.meter,
        "resource_id": arguments.resource,
        "period_start": utc_text(arguments.hour),
        "records": msgspec.to_builtins(found),
        "stretches": [
            {
                "start": utc_text(to_time(part.start)),
                "stop": utc_text(to_time(part.stop)),
                "status": part.status,
                "project_id": None if part.group is None else part.group.project_id,
                "dimensions": {} if part.group is None else dict(part.group.dimensions),
                "claims": part.claims,
            }
            for part in _stretches(resource, arguments.hour)
        ],
    }
    if claims is not None:
        closed_at = None if resource is None else resource.closed_at
        document["claims"] = [
            {"place": str(place), "cuts": cuts_of(period, closed_at), **msgspec.to_builtins(period)}
            for place, period in claims
        ]
    sys.stdout.write(storable(json.dumps(document, ensure_ascii=False, indent=2)) + "\n")
