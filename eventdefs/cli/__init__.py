"""The command line: `eventdefs COMMAND`. Exit status 0 fine, 1 findings, 2 could not run.

Only here are arguments, environment, signals and logging looked at. A command is a module with `add_parser` and
`run`; it is imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence

import eventdefs

FINE, FINDINGS, COULD_NOT = 0, 1, 2

_COMMANDS = {
    "run": "convert notifications and publish what they give",
    "usage": "hours that can be billed: list, explain, verify, close",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* name; return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(words)
    options = parser.parse_args(words)
    logging.basicConfig(format="eventdefs: %(message)s", level=logging.WARNING)
    try:
        status: int = options.run(options)
    except eventdefs.DefinitionErrors as error:
        sys.stderr.write(f"{error}\n")
        return COULD_NOT
    except eventdefs.EventdefsError as error:
        sys.stderr.write(f"eventdefs: {error}\n")
        return COULD_NOT
    except BrokenPipeError:
        return FINE
    except KeyboardInterrupt:
        sys.stderr.write("eventdefs: interrupted\n")
        return 130
    finally:
        _flush()
    return status


def _flush() -> None:
    """Write what waits; where nobody reads it any more, let Python not complain of it at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eventdefs",
        description="Turns OpenStack notifications into typed events, samples and usage, as YAML definitions say.",
    )
    parser.add_argument("--version", action="version", version=f"eventdefs {eventdefs.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in _COMMANDS.items():
        if name in words:
            importlib.import_module(f"eventdefs.cli.{name}").add_parser(commands, summary)
        else:
            commands.add_parser(name, help=summary)
    return parser
