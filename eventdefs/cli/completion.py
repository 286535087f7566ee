"""`eventdefs completion`: a script that lets the shell complete commands, options, words and files."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from eventdefs import cli

SHELLS = ("bash", "zsh", "fish")
_FILES = ("PATH", "FILE", "NOTIFICATION", "SESSION", "OLD", "NEW", "PLACE")
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
    _prepare(parser, arguments.shell)
    script = shtab.complete(parser, shell=arguments.shell)
    if arguments.shell == "bash":  # which then completes files itself, where nothing else is offered
        script = script.replace("complete -o bashdefault -F", "complete -o bashdefault -o default -F")
    elif arguments.shell == "fish":
        script += "\n" + "\n".join(_FISH_FILES.format(name) for name in _with_many_files(parser))
    sys.stdout.write(script + "\n")
    return cli.FINE


_FISH_FILES = "complete -c eventdefs -n '__fish_seen_subcommand_from {}' -F"
"""Files are offered after any word: an option may have many, of which shtab knows the first."""


def _with_many_files(parser: argparse.ArgumentParser) -> list[str]:
    """Return which commands have an option that takes several files."""
    return [
        name
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, below in action.choices.items()
        if any(_is_many_files(one) for one in below._actions) or _with_many_files(below)
    ]


def _is_many_files(action: argparse.Action) -> bool:
    return action.metavar in _FILES and action.nargs == "+" and bool(action.option_strings)


def _prepare(parser: argparse.ArgumentParser, shell: str) -> None:
    """Say which words are files and which are codes, here and below."""
    import shtab

    from eventdefs.definitions.findings import CODES

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                below.description = None  # so that the summary is shown, which is shorter
                _prepare(below, shell)
        elif action.metavar in _FILES and not (shell == "bash" and _is_many_files(action)):
            # In bash it would be offered files only from there on, and no options; its own completion does files.
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar == "CODE":
            action.choices = list(CODES)
