"""Anchors and aliases: where they stand, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SIGN = re.compile(r"(?:^|(?<=[\s\[{,]))([&*])([\w.-]+)")


class Sign(NamedTuple):
    """An anchor `&name` or an alias `*name`; line and columns count from 0."""

    name: str
    is_anchor: bool
    line: int
    begin: int
    end: int


def read_signs(text: str) -> list[Sign]:
    """Return the anchors and aliases of *text*; behind its first error, what looks like them."""
    signs: list[Sign] = []
    line = 0
    try:
        for token in yaml.scan(text, Loader=_Loader):
            line = token.end_mark.line
            if isinstance(token, (yaml.AnchorToken, yaml.AliasToken)):
                start, end = token.start_mark, token.end_mark
                is_anchor = isinstance(token, yaml.AnchorToken)
                signs.append(Sign(str(token.value), is_anchor, start.line, start.column, end.column))
    except yaml.YAMLError:
        known = {(sign.line, sign.begin) for sign in signs}
        signs += [sign for sign in _looking_like(text.split("\n"), line) if (sign.line, sign.begin) not in known]
    return signs


def _looking_like(rows: Sequence[str], line: int) -> Iterator[Sign]:
    for number in range(line, len(rows)):
        for found in _SIGN.finditer(rows[number].partition(" #")[0]):
            yield Sign(found[2], found[1] == "&", number, found.start(), found.end())


def sign_at(signs: Sequence[Sign], line: int, column: int) -> Sign | None:
    return next((sign for sign in signs if sign.line == line and sign.begin <= column <= sign.end), None)


def anchor_of(signs: Sequence[Sign], sign: Sign) -> Sign | None:
    """Return the anchor that *sign* names: of several the last before it."""
    if sign.is_anchor:
        return sign
    before = [one for one in signs if one.is_anchor and one.name == sign.name and one[2:] < sign[2:]]
    return max(before, key=lambda one: one[2:], default=None)


def references_of(signs: Sequence[Sign], anchor: Sign) -> list[Sign]:
    """Return the aliases of *anchor*."""
    return [sign for sign in signs if not sign.is_anchor and anchor_of(signs, sign) == anchor]
