"""Conditions on values, such as ``size>=10``: read from text, and held against what is stored, by its type."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from eventdefs.times import parse_time

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATORS = (*_COMPARE, "~")
_WRITTEN = re.compile(r"([^=!<>~]+?)\s*(!=|<=|>=|=|<|>|~)\s*(.*)", re.DOTALL)


class Condition(NamedTuple):
    """What a value must be.

    Attributes:
        name: of the trait.
        operator: one of `OPERATORS`; ``~`` compares with a glob.
        text: what it is compared with, read as the type of the value that is there.
        time: the time that the text is, where it is one only as of now, as ``-2h``; None to read it when needed.
    """

    name: str
    operator: str
    text: str
    time: datetime | None = None

    def holds(self, value: Any) -> bool:
        """Tell whether it holds of *value*; of a value of another type, or of none, nothing does."""
        if value is None:
            return False
        if self.operator == "~":
            return fnmatch.fnmatchcase(str(value), self.text)
        try:
            wanted = self.time if isinstance(value, datetime) and self.time else _as_type_of(value, self.text)
        except (ValueError, OverflowError):
            return False
        return bool(_COMPARE[self.operator](value, wanted))


def _as_type_of(value: Any, text: str) -> Any:
    if isinstance(value, bool):
        return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else text
    if isinstance(value, (int, float)):
        try:
            return int(text)
        except ValueError:
            return float(text)
    return parse_time(text) if isinstance(value, datetime) else text


def parse_condition(text: str) -> Condition:
    """Read a condition.

    >>> parse_condition("size >= 10")[:3]
    ('size', '>=', '10')

    Raises:
        ValueError: it is none.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no condition, as size>=10 or host=node-1; operators are {' '.join(OPERATORS)}")
    return Condition(found[1].strip(), found[2], found[3])
