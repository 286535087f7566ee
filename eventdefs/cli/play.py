"""`eventdefs play`: a page on which definitions and a notification are tried as one types."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from typing import Any

from eventdefs import cli
from eventdefs.cli.tables import many
from eventdefs.encode import one_line, write_json
from eventdefs.errors import EventdefsError, InputError

PORT = 8765
_EXAMPLES = """\
examples:
  eventdefs play                                             the shipped definitions and an example
  eventdefs play --definitions volumes.yaml --corpus recorded/
  eventdefs play --port 0 --no-browser                       any free port; open the address yourself
  eventdefs play volumes.eventdefs.json                      what somebody saved on the page

The page is for this machine alone. It ends with Ctrl-C; what is not saved there is lost then.

exit status: 0 it was ended; 2 could not run: a file cannot be read, or the port is taken.
"""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "play",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("saved", nargs="?", metavar="FILE", help="a saved playground, *.eventdefs.json")
    parser.add_argument(
        "--definitions",
        nargs="+",
        action="extend",
        metavar="PATH",
        help="definition files and directories, instead of the shipped ones",
    )
    parser.add_argument(
        "--corpus", nargs="+", action="extend", default=[], metavar="PATH", help="notifications to choose from"
    )
    parser.add_argument("--port", type=_port, default=PORT, metavar="N", help=f"where it listens; 0: any ({PORT})")
    parser.add_argument("--no-browser", action="store_true", help="only say where it is")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how that is written (text)")
    parser.set_defaults(run=run)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, a number from 0 to 65535")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from eventdefs.play.server import ADDRESS, PlayServer
    from eventdefs.play.sessions import begin, read_saved

    if arguments.saved is not None and arguments.definitions:
        raise InputError(f"{arguments.saved} has definitions of its own: leave out --definitions")
    saved = None if arguments.saved is None else read_saved(arguments.saved)
    session = begin(arguments.definitions or (), arguments.corpus, saved)
    try:
        server = PlayServer(session, arguments.port)
    except OSError as error:
        raise EventdefsError(
            f"cannot listen on {ADDRESS}:{arguments.port}: {error.strerror}; --port 0 takes a free one"
        ) from error
    with server:
        if arguments.format == "json":
            sys.stdout.write(write_json({"kind": "playground", "url": server.url}).decode() + "\n")
        else:
            sys.stdout.write(f"{server.url}  (Ctrl-C ends it)\n")
        sys.stdout.flush()
        if session.undecodable:
            sys.stderr.write(
                f"eventdefs: {one_line(many(session.undecodable, 'message'))} of the corpus cannot be read\n"
            )
        if not arguments.no_browser and _has_screen():
            threading.Thread(target=_open_browser, args=(server.url,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):  # which is how it ends
            server.serve_forever(poll_interval=0.2)
    return cli.FINE


def _has_screen() -> bool:
    """Tell whether a browser would have a window; one in the terminal would take it away from us."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in named)


def _open_browser(url: str) -> None:
    import webbrowser

    webbrowser.open(url)
