"""`eventdefs language-server`: checks and explains definitions in an editor, as they are written."""

from __future__ import annotations

import argparse
import gc
import logging
from typing import Any

from eventdefs import cli
from eventdefs.errors import EventdefsError

_EXAMPLES = """\
It speaks the Language Server Protocol on standard input and output, so that an editor starts it.
It needs pygls: pip install 'eventdefs[language-server]'

examples:
  eventdefs language-server                                       what an editor starts
  eventdefs language-server --corpus notifications/               with values from recorded notifications
  eventdefs language-server --definitions event_definitions.yaml meters.yaml

exit status: 0 the editor ended it; 1 it ended without saying so before; 2 could not run.
"""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "language-server",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--corpus",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="files and directories of recorded notifications, for completion, hovers and findings",
    )
    parser.add_argument(
        "--definitions",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH",
        help="definition files and directories that are used together; any other file stands alone",
    )
    parser.add_argument("--stdio", action="store_true", help="what it does anyway; some editors say it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    try:
        from eventdefs.language_server.server import serve
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("pygls", "lsprotocol", "cattrs", "attrs"):
            raise
        raise EventdefsError(f"{missing} is not installed: pip install 'eventdefs[language-server]'") from error
    from eventdefs.language_server.settings import Settings

    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # An editor is told of what fails.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)  # Each edit makes and drops some ten thousand nodes, none of them in a circle.
    given = {"corpus": arguments.corpus, "definitions": arguments.definitions}
    return cli.FINE if serve(Settings().changed(given, None)) else cli.FINDINGS
