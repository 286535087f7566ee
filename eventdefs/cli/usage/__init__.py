"""`eventdefs usage`: what a ledger counted, how it came to be, and whether it is right."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

COMMANDS = {
    "list": "hours by tenant, resource, meter or time, with totals",
    "explain": "from an hour to the notifications it was made of",
    "verify": "recompute hours from raw notifications, and compare",
    "audit": "gaps, claims of two tenants, claims after a deletion and the like",
    "close": "close a month: later corrections are held",
    "approve": "record the corrections that were held",
    "diff": "what other definitions would change in past usage",
    "apply": "take over what a shadow ledger says",
}
_MODULES = {"list": "listing", "approve": "close", "apply": "diff"}
_EXAMPLES = """\
examples:
  eventdefs usage list --ledger sqlite:///ledger.db --month 2026-08 --by tenant meter
  eventdefs usage explain database.uptime 99405bb3-892f-4db7-9edf-8901ea880207 2026-08-03T08 --ledger sqlite:///ledger.db
  eventdefs usage verify --ledger sqlite:///ledger.db --archive /var/lib/notifications/2026-08-*.jsonl.gz
"""
_LEDGER = "--ledger sqlite:///ledger.db"
_DAY = "/var/lib/notifications/2026-08-03.jsonl.gz"
_EXAMPLES_OF = {
    "list": (f"list {_LEDGER} --month 2026-08 --by tenant meter", f"list {_LEDGER} --from -2d --format csv"),
    "explain": (
        f"explain database.uptime 99405bb3-892f-4db7-9edf-8901ea880207 2026-08-03T08 {_LEDGER}",
        f"explain database.uptime 99405bb3-892f-4db7-9edf-8901ea880207 2026-08-03T08 {_LEDGER} --archive {_DAY}",
    ),
    "verify": (f"verify {_LEDGER} --archive {_DAY}", f"verify {_LEDGER} --archive notifications/ --month 2026-08"),
    "audit": (f"audit {_LEDGER} --month 2026-08", f"audit {_LEDGER} --tenant 57c4e980391e4293b34577a133125d60"),
    "close": (f"close 2026-08 {_LEDGER}",),
    "approve": (f"approve 2026-08 {_LEDGER}",),
    "diff": (
        f"diff {_LEDGER} --archive notifications/ --definitions new_meters.yaml",
        f"diff {_LEDGER} --archive notifications/ --definitions new_meters.yaml --shadow sqlite:///shadow.db",
    ),
    "apply": (f"apply sqlite:///shadow.db --month 2026-08 {_LEDGER}",),
}


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and those below it."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "usage",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        module = importlib.import_module(f"eventdefs.cli.usage.{_MODULES.get(name, name)}")
        one: argparse.ArgumentParser = below.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog="\n  ".join(("examples:", *(f"eventdefs usage {words}" for words in _EXAMPLES_OF[name]))),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        one.add_argument(
            "--ledger", required=True, metavar="URL", help="the ledger, as sqlite:///ledger.db or postgresql://..."
        )
        module.add_arguments(one, name)
