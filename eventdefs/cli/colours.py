"""Colour on a terminal, and nowhere else.

`NO_COLOR` takes it away, `CLICOLOR_FORCE` or `FORCE_COLOR` give it in a pipe too; the first that is set decides, in
the order of this sentence. A text that is painted has its payload escaped before (see `tables.one_line`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, TextIO

Style = Literal["bold", "dim", "red", "green", "yellow", "blue", "cyan"]

_CODES: dict[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
_FORCES = ("CLICOLOR_FORCE", "FORCE_COLOR")


class Colours:
    """Paints text, or leaves it as it is where *on* is false.

    >>> Colours(on=False).paint("error", "red", "bold")
    'error'
    """

    def __init__(self, on: bool) -> None:
        self.on = on

    def paint(self, text: str, *styles: Style) -> str:
        """Return *text* in *styles*; an empty text stays empty."""
        if not self.on or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m" if styles else text


def colours_for(stream: TextIO, environment: Mapping[str, str] | None = None) -> Colours:
    """Return the colours of *stream*, as the environment wants them."""
    return Colours(_are_wanted(stream, os.environ if environment is None else environment))


def _are_wanted(stream: TextIO, environment: Mapping[str, str]) -> bool:
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name) not in (None, "", "0") for name in _FORCES):
        return True
    return stream.isatty() and environment.get("TERM") != "dumb" and environment.get("CLICOLOR") != "0"
