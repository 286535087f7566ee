"""What globs have in common, worked out exactly: whether all that one matches another does, and whether any is both's.

A glob is a small automaton over characters. Which characters there are does not matter: those that either glob names,
and one that neither names, stand for all.
"""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache

from eventdefs.definitions.patterns import ANY, STAR, Step, glob_steps

MAX_STATES = 20_000
"""How many pairs of states are looked at; beyond it nothing is said."""
OTHER = "\U0010fffd"
"""Stands for every character that no glob names."""


@lru_cache(maxsize=8192)
def covers(globs: tuple[str, ...], glob: str) -> bool:
    """Tell whether every text that *glob* matches is matched by one of *globs*; False where that is too much work.

    >>> covers(("compute.*",), "compute.instance.*"), covers(("compute.instance.*",), "compute.*")
    (True, False)
    >>> covers(("*.end", "*.start"), "compute.*.end")
    True
    """
    inner = glob_steps(glob)
    outer = [glob_steps(one) for one in globs]
    letters = _letters([inner, *outer])
    begin = (_closed(inner, {0}), tuple(_closed(steps, {0}) for steps in outer))
    seen = {begin}
    waiting = [begin]
    while waiting:
        here, there = waiting.pop()
        if len(inner) in here and not any(len(steps) in at for steps, at in zip(outer, there, strict=True)):
            return False
        for letter in letters:
            after = _after(inner, here, letter)
            if not after:
                continue
            pair = (after, tuple(_after(steps, at, letter) for steps, at in zip(outer, there, strict=True)))
            if pair not in seen:
                if len(seen) >= MAX_STATES:
                    return False
                seen.add(pair)
                waiting.append(pair)
    return True


@lru_cache(maxsize=8192)
def overlap(left: str, right: str) -> bool:
    """Tell whether some text is matched by both globs; True where that is too much work.

    >>> overlap("compute.*", "*.end"), overlap("compute.*", "volume.*")
    (True, False)
    """
    one, other = glob_steps(left), glob_steps(right)
    letters = _letters([one, other])
    begin = (_closed(one, {0}), _closed(other, {0}))
    seen = {begin}
    waiting = [begin]
    while waiting:
        here, there = waiting.pop()
        if len(one) in here and len(other) in there:
            return True
        for letter in letters:
            pair = (_after(one, here, letter), _after(other, there, letter))
            if pair[0] and pair[1] and pair not in seen:
                if len(seen) >= MAX_STATES:
                    return True
                seen.add(pair)
                waiting.append(pair)
    return False


States = frozenset[int]


def _closed(steps: list[Step], states: set[int]) -> States:
    """Add the states that are reached over a star that takes nothing."""
    closed = set(states)
    for state in sorted(states):
        while state < len(steps) and steps[state][0] == STAR:
            state += 1
            closed.add(state)
    return frozenset(closed)


def _after(steps: list[Step], states: States, letter: str) -> States:
    following = set()
    for state in states:
        if state < len(steps):
            kind, text = steps[state]
            if kind == STAR:
                following.add(state)
            elif kind == ANY or (kind == "=" and text == letter) or (kind == "[" and _in_set(text, letter)):
                following.add(state + 1)
    return _closed(steps, following)


def _in_set(text: str, letter: str) -> bool:
    return re.match(fnmatch.translate(text), letter) is not None


def _letters(all_steps: list[list[Step]]) -> list[str]:
    """Return a character for each way in which the globs tell characters apart."""
    named = {OTHER}
    sets = set()
    for steps in all_steps:
        for kind, text in steps:
            if kind == "=":
                named.add(text)
            elif kind == "[":
                sets.add(text)
                named.update(text)
    for text in sets:  # of a range, what lies between its ends and is named nowhere
        for low, high in re.findall(r"(.)-(.)", text, re.DOTALL):
            named.update(chr(code) for code in range(ord(low), min(ord(high), ord(low) + 300) + 1))
    return sorted(named)
