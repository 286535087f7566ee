"""Regular expressions that somebody else wrote, run in bounded time.

They are checked by `re`, whose syntax the definitions have, and run by `regex`, which can stop: a pattern such as
``(a+)+$`` takes longer than the age of the world on a text of some hundred characters.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any

TIME_LIMIT = 0.1
"""Seconds that one search or substitution may take."""
MAX_LENGTH = 1_000

# `regex` reads {e<=1} as fuzzy matching, where `re` reads text.
_PLAIN_BRACE = re.compile(r"(\\.)|\{(?!\d*,?\d*\})", re.DOTALL)


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
            return regex.compile(_PLAIN_BRACE.sub(lambda found: found[1] or r"\{", pattern), regex.VERSION0)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise RegexError(f"not a regular expression: {error}") from error


def starts_with(pattern: str, text: str) -> bool:
    """Tell whether *pattern* matches at the start of *text*, as `re.match`.

    Raises:
        RegexError: no expression, or out of time.
    """
    try:
        return compile_regex(pattern).match(text, timeout=TIME_LIMIT) is not None
    except TimeoutError:
        raise RegexError(f"did not finish in {TIME_LIMIT:g} s") from None


def substitute(pattern: str, replacement: str, text: str) -> str:
    """Replace *pattern* in *text*, as `re.sub`.

    Raises:
        RegexError: no expression, a bad reference in *replacement*, or out of time.
    """
    compiled = compile_regex(pattern)
    import regex

    try:
        replaced: str = compiled.sub(replacement, text, timeout=TIME_LIMIT)
    except TimeoutError:
        raise RegexError(f"did not finish in {TIME_LIMIT:g} s") from None
    except (regex.error, IndexError) as error:
        raise RegexError(f"not a replacement: {error}") from error
    return replaced
