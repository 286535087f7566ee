"""`eventdefs completion`: a script that lets the shell complete commands, options, words and files."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from eventdefs import cli

SHELLS = ("bash", "zsh", "fish")
_FILES = ("PATH", "FILE", "NOTIFICATION", "SESSION", "OLD", "NEW")
"""How options and arguments call what is a file or a directory."""
_EXAMPLES = """\
examples:
  eventdefs completion bash > /etc/bash_completion.d/eventdefs
  eventdefs completion zsh > "${fpath[1]}/_eventdefs"
  eventdefs completion fish > ~/.config/fish/completions/eventdefs.fish
  source <(eventdefs completion bash)              for this shell alone

exit status: 0 fine; 2 could not run.
"""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "completion",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the script; return the exit status."""
    import shtab

    parser = cli.full_parser()
    _prepare(parser)
    sys.stdout.write(shtab.complete(parser, shell=arguments.shell) + "\n")
    return cli.FINE


def _prepare(parser: argparse.ArgumentParser) -> None:
    """Say which words are files and which are codes, here and below."""
    import shtab

    from eventdefs.definitions.findings import CODES

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _prepare(below)
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar == "CODE":
            action.choices = list(CODES)
