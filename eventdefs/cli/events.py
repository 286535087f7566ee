"""`eventdefs events`: the events of a store, by type, time, tenant and traits."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

import msgspec

from eventdefs.cli.stored import add_options, pattern_of, show
from eventdefs.encode import event_document, write_json
from eventdefs.publishers import Batch
from eventdefs.publishers.stdout import lines_of
from eventdefs.stores import EventQuery
from eventdefs.times import utc_text
from eventdefs.types import Event

_EXAMPLES = """\
examples:
  eventdefs events sqlite:///events.db --type 'compute.instance.*' '!*.update' --from -2h
  eventdefs events sqlite:///events.db --where 'size>=100' --where 'status!=available' --traits size,status
  eventdefs events sqlite:///events.db --tenant 57c4e980391e4293b34577a133125d60 --newest 20 --format json
  eventdefs events sqlite:///events.db -f                  what is stored, and then what comes

exit status: 0 fine, also when there are none; 2 could not run.
"""
HEADS = ("generated", "event_type", "tenant", "message_id", "priority", "publisher_id")


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "events",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    parser.add_argument(
        "--type", nargs="+", action="extend", metavar="GLOB", help="event types, as compute.*; ! before a glob excludes"
    )
    parser.add_argument("--message-id", metavar="ID", help="only the event of this notification")
    parser.add_argument("--traits", type=_names, metavar="NAMES", help="only these traits, as size,status")
    parser.set_defaults(run=run)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    query = EventQuery(
        pattern_of(arguments.type),
        arguments.begin,
        arguments.end,
        arguments.tenant,
        arguments.message_id,
        tuple(arguments.where),
        newest=arguments.newest,
    )
    names: tuple[str, ...] | None = arguments.traits

    def chosen(event: Event) -> Event:
        if names is None:
            return event
        traits = {name: event.traits[name] for name in names if name in event.traits}
        types = {name: kind for name, kind in event.types.items() if name in traits}
        return msgspec.structs.replace(event, traits=traits, types=types)

    def row(event: Event) -> list[str]:
        values = [event.generated, event.event_type, event.tenant, event.message_id, event.priority, event.publisher_id]
        if names is None:
            return [*map(_text, values), write_json(event_document(event).traits).decode()]
        return [*map(_text, values), *(_text(event.traits.get(name)) for name in names)]

    heads = [*HEADS, *(("traits",) if names is None else names)]
    return show(
        arguments,
        query,
        lambda store, asked: ((sequence, chosen(event)) for sequence, event in store.events(asked)),
        "events",
        heads,
        row,
        lambda event: next(iter(lines_of(Batch([event])))),
    )


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return utc_text(value)
    return "" if value is None else str(value)
