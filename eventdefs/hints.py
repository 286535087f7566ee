"""What was probably meant."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` where one of *known* is near to *word*, else ''."""
    near = nearest(word, known)
    return f" (did you mean '{near}'?)" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one of *known* that is near to *word*, '' where none is."""
    return next(iter(difflib.get_close_matches(word[:100].casefold(), list(known), n=1)), "")
