"""Regular expressions that somebody else wrote, run in bounded time.

They are checked by `re`, whose syntax the definitions have, and run by `regex`, which can stop: a pattern such as
``(a+)+$`` takes longer than the age of the world on a text of some hundred characters.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

TIME_LIMIT = 0.1
"""Seconds of processor time that one search or substitution may take."""
_WALL_LIMITS = (TIME_LIMIT, 20 * TIME_LIMIT)
"""Seconds by the clock, which is what `regex` can bound: the second try is for a machine that was busy otherwise."""
MAX_LENGTH = 1_000

_TOKENS = re.compile(r"\\N\{[^}]*\}|\\.|\[\^?\]?|\{(?:\d+(?:,\d*)?|,\d*)\}|.", re.DOTALL)


class RegexError(ValueError):
    """A text that is no regular expression, or one that did not finish in time."""


@lru_cache(maxsize=4096)
def compile_regex(pattern: str) -> Any:
    """Return *pattern* compiled by `regex`.

    Raises:
        RegexError: `re` does not read it, or it is longer than `MAX_LENGTH`.
    """
    if len(pattern) > MAX_LENGTH:
        raise RegexError(f"longer than {MAX_LENGTH:,} characters")
    import regex  # 10 ms, and few definitions have an expression

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
            return regex.compile(_as_re_reads(pattern), regex.VERSION0)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise RegexError(f"not a regular expression: {error}") from error


def _as_re_reads(pattern: str) -> str:
    """Write *pattern* so that `regex` reads it as `re` does: no fuzzy `{e<=1}`, no class `[[:alpha:]]`."""
    written, in_set = [], False
    for token in _TOKENS.findall(pattern):
        if in_set:
            written += ["\\[" + token[1:]] if token[0] == "[" else [token]
            in_set = not token.endswith("]") or token[0] == "\\"
        elif token[0] == "[":
            written.append(token.replace("]", "\\]"))
            in_set = True
        else:
            written.append("\\{" if token == "{" else token)
    return "".join(written)


def _bounded(call: Callable[[float], T]) -> T:
    """Return what *call* gives within a time limit, which it is handed."""
    for limit in _WALL_LIMITS:
        began = time.thread_time()
        try:
            return call(limit)
        except TimeoutError:
            if time.thread_time() - began >= TIME_LIMIT / 2:
                break
    raise RegexError(f"did not finish in {TIME_LIMIT:g} s")


def starts_with(pattern: str, text: str) -> bool:
    """Tell whether *pattern* matches at the start of *text*, as `re.match`.

    Raises:
        RegexError: no expression, or out of time.
    """
    compiled = compile_regex(pattern)
    return _bounded(lambda limit: compiled.match(text, timeout=limit)) is not None


@lru_cache(maxsize=4096)
def _check_replacement(pattern: str, replacement: str) -> None:
    """Have `re` read *replacement*, which it does whatever the text is."""
    try:
        re.sub(pattern, replacement, "")
    except (re.error, IndexError) as error:
        raise RegexError(f"not a replacement: {error}") from error


def substitute(pattern: str, replacement: str, text: str) -> str:
    """Replace *pattern* in *text*, as `re.sub`.

    Raises:
        RegexError: no expression, a bad reference in *replacement*, or out of time.
    """
    compiled = compile_regex(pattern)
    _check_replacement(pattern, replacement)
    import regex

    try:
        replaced: str = _bounded(lambda limit: compiled.sub(replacement, text, timeout=limit))
    except (regex.error, IndexError) as error:
        raise RegexError(f"not a replacement: {error}") from error
    return replaced
