"""The command line: `eventdefs COMMAND`. Exit status 0 fine, 1 findings, 2 could not run.

Only here are arguments, environment, signals and logging looked at. A command is a module with `add_parser` and
`run`; it is imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Collection, Sequence
from typing import NoReturn, TextIO

import eventdefs
from eventdefs.hints import did_you_mean

FINE, FINDINGS, COULD_NOT = 0, 1, 2
TRACEBACK = "EVENTDEFS_TRACEBACK"
"""The variable with which what should not happen is shown whole."""
_EXAMPLES = """\
examples:
  eventdefs run samples/                                what the shipped definitions make of the samples
  eventdefs lint my_definitions.yaml                    what is wrong with definitions
  eventdefs explain notification.json                   why it gives what it gives
  eventdefs test                                        run the tests beside definitions
  eventdefs COMMAND --help                              all of a command

exit status: 0 fine; 1 something was found; 2 could not run.
"""

_COMMANDS = {
    "run": "convert notifications and publish what they give",
    "check": "open the publishers that are named, and say what is wrong with each",
    "lint": "say what is wrong with definitions, or not what was meant",
    "explain": "say why a notification gives what it gives",
    "test": "run the cases of test files against definitions",
    "init": "propose definitions from recorded notifications",
    "schema": "write the JSON Schema of definition files, for editors",
    "language-server": "check and explain definitions in an editor as they are written",
    "diff": "what other definitions would change, in recorded notifications",
    "events": "the events of a store: by type, time, tenant and traits",
    "samples": "the samples of a store: by meter, time, tenant and resource",
    "dead-letters": "what was not published: list, show, replay, drop",
    "play": "try definitions and a notification on a page, as one types",
    "completion": "write a script that lets the shell complete commands and options",
    "usage": "hours that can be billed: list, explain, verify, close",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* name; return its exit status."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # it was closed before we began, so that nobody reads it
            setattr(sys, stream, open(os.devnull, "w"))
    words = list(sys.argv[1:] if arguments is None else arguments)
    _log_ours()
    with warnings.catch_warnings():
        if not sys.warnoptions and not os.environ.get(TRACEBACK):
            warnings.simplefilter("ignore")  # libraries warn those who write programs with them
        try:
            return _flushed(_run(words))
        except SystemExit as ended:  # of the parser, which has said why
            raise SystemExit(_flushed(ended.code if isinstance(ended.code, int) else FINE)) from None


def _log_ours() -> None:
    """Log to standard error, libraries only on demand: what they say of a failure stands in our errors."""
    handler = logging.StreamHandler()
    if not os.environ.get(TRACEBACK):
        handler.addFilter(_is_ours)
    logging.basicConfig(format="eventdefs: %(message)s", level=logging.WARNING, handlers=[handler])


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == "eventdefs"


def say(text: str) -> None:
    """Write a line to standard error, behind what was written to standard output before."""
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")


def _run(words: Sequence[str]) -> int:
    try:
        options = _parser(words).parse_args(words)
        status: int = options.run(options)
    except eventdefs.DefinitionErrors as error:
        sys.stderr.write(f"{error}\n")
        return COULD_NOT
    except eventdefs.EventdefsError as error:
        sys.stderr.write(f"eventdefs: {error}\n")
        return COULD_NOT
    except BrokenPipeError:
        return FINE
    except OSError as error:
        sys.stderr.write(f"eventdefs: {_told(error)}\n")
        return COULD_NOT
    except KeyboardInterrupt:
        sys.stderr.write("eventdefs: interrupted\n")
        return 130
    except Exception as error:  # The last resort: a mistake of ours is said in a line, and shown whole on demand.
        if os.environ.get(TRACEBACK):
            raise
        sys.stderr.write(f"eventdefs: a mistake in eventdefs: {type(error).__name__}: {error}\n")
        sys.stderr.write(f"eventdefs: set {TRACEBACK}=1 and run it again to see where, and report it\n")
        return COULD_NOT
    return status


def _told(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def let_go(stream: TextIO) -> None:
    """Write to nowhere what is still written to *stream*, which nobody reads any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _flushed(status: int) -> int:
    """Write what waits; return *status*, or that it could not be written, as on a full disk.

    Where nobody reads it any more, nothing is wrong.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        let_go(sys.stdout)  # so that Python does not complain at the end
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"eventdefs: standard output: {_told(error)}\n")
            return COULD_NOT
    return status


class Parser(argparse.ArgumentParser):
    """Says what was probably meant by a word that it does not know."""

    def error(self, message: str) -> NoReturn:
        """End with *message*, and a guess."""
        chosen = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        strange = re.search(r"unrecognized arguments: (--[\w-]+)", message)
        if chosen is not None:
            message += did_you_mean(chosen[1], re.findall(r"'([^']*)'", chosen[2]))
        elif strange is not None:
            message += did_you_mean(strange[1], _options(self))
        super().error(message)


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """Return the long options of *parser* and of all below."""
    below = [one for action in parser._actions if isinstance(action.choices, dict) for one in action.choices.values()]
    own = {name for action in parser._actions for name in action.option_strings if name.startswith("--")}
    return own.union(*(_options(one) for one in below if isinstance(one, argparse.ArgumentParser)))


def full_parser() -> argparse.ArgumentParser:
    """Return the parser with the options of all commands."""
    return _build_parser(_COMMANDS)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser with the options of the command that *words* begin with, whose module alone is loaded."""
    return _build_parser([word for word in words if not word.startswith("-")][:1])


def _build_parser(wanted: Collection[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog="eventdefs",
        description="Turns OpenStack notifications into typed events, samples and usage, as YAML definitions say.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"eventdefs {eventdefs.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in _COMMANDS.items():
        if name in wanted:
            importlib.import_module(f"eventdefs.cli.{name.replace('-', '_')}").add_parser(commands, summary)
        else:
            commands.add_parser(name, help=summary)
    return parser
