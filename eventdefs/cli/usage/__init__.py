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
            name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
        )
        one.add_argument(
            "--ledger", required=True, metavar="URL", help="the ledger, as sqlite:///ledger.db or postgresql://..."
        )
        module.add_arguments(one, name)
