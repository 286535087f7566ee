"""`eventdefs schema`: the JSON Schema of definition files, for editors."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eventdefs import cli
from eventdefs.cli.tables import write_table
from eventdefs.definitions import keys
from eventdefs.definitions.keys import Key
from eventdefs.definitions.schema import definitions_schema
from eventdefs.errors import InputError

_EXAMPLES = """\
examples:
  eventdefs schema -o eventdefs.schema.json      write it where an editor finds it
  eventdefs schema --format text                 the keys and what they hold, as a table

and then, at the head of a definition file:
  # yaml-language-server: $schema=eventdefs.schema.json

exit status: 0 it was written; 2 the file cannot be written.
"""

_TABLES = {
    "an event definition": keys.EVENT,
    "a trait": keys.TRAIT,
    "a plugin": keys.PLUGIN,
    **{f"parameters of {name}": parameters for name, (_, parameters) in keys.PLUGINS.items()},
    "a flag of bitfield": keys.FLAG,
    "a file of sample definitions": keys.FILE,
    "a sample definition": keys.SAMPLE,
    "a period": keys.PERIOD,
}


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "schema",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write it to this file (default: standard output)")
    parser.add_argument(
        "--format", choices=("json", "text"), default="json", help="the schema, or a table of all keys (json)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    if arguments.format == "text":
        if arguments.output:
            raise InputError("-o takes the schema: leave out --format text")
        write_table(("in", "key", "holds", "required"), list(_rows()))
    elif arguments.output:
        _write(Path(arguments.output), schema_text())
    else:
        sys.stdout.write(schema_text())
    return cli.FINE


def schema_text() -> str:
    """Return the schema as it stands in a file."""
    return json.dumps(definitions_schema(), indent=2) + "\n"


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for what, rows in _TABLES.items():
        for key in rows:
            yield what, key.name, _holds(key), "yes" if key.required else ""


def _holds(key: Key) -> str:
    return ", ".join(key.words) if key.words else key.shape.value


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error
