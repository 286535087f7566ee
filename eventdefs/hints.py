"""What was probably meant."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` where one of *known* is near to *word*, else ''."""
    near = difflib.get_close_matches(word[:100].casefold(), list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
