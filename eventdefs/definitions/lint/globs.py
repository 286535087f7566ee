"""What globs have in common, worked out exactly: whether all that one matches another does, and whether any is both's.

A glob is a small automaton over characters. Which characters there are does not matter: those that either glob names,
and one that neither names, stand for all.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from functools import lru_cache

from eventdefs.definitions.patterns import ANY, STAR, Step, glob_steps

MAX_STEPS = 50_000
"""How many steps one question takes; beyond it nothing is said."""
MAX_WORK = 500_000
"""How many steps all questions about some files take together; beyond it nothing more is said."""
MAX_COMPARED = 40
"""With how many globs one is compared that may match the same; what more of them match is read by nobody."""
OTHER = "\U0010fffd"
"""Stands for every character that no glob names."""


class Work:
    """What is left of `MAX_WORK`; what an answer costs does not depend on whether it is remembered."""

    def __init__(self) -> None:
        self.left = MAX_WORK


def covers(globs: Sequence[str], glob: str, work: Work | None = None) -> bool:
    """Tell whether every text that *glob* matches is matched by one of *globs*; False where that is too much work.

    >>> covers(["compute.*"], "compute.instance.*"), covers(["compute.instance.*"], "compute.*")
    (True, False)
    >>> covers(["*.end", "*.start"], "compute.*.end")
    True
    """
    near: list[str] = []
    for witness in _witnesses(glob):
        matching = [one for one in globs if _matches(one, witness)]
        if not matching:
            return False
        near += matching
    if len(globs) > MAX_COMPARED:
        globs = list(dict.fromkeys(near))[:MAX_COMPARED]
    work = work or Work()
    if work.left <= 0:
        return False
    answer, cost = _covers(tuple(globs), glob)
    work.left -= cost
    return answer


def overlap(left: str, right: str, work: Work | None = None) -> bool:
    """Tell whether some text is matched by both globs; True where that is too much work.

    >>> overlap("compute.*", "*.end"), overlap("compute.*", "volume.*")
    (True, False)
    """
    work = work or Work()
    if work.left <= 0:
        return True
    answer, cost = _overlap(left, right)
    work.left -= cost
    return answer


@lru_cache(8192)
def _covers(globs: tuple[str, ...], glob: str) -> tuple[bool, int]:
    inner = glob_steps(glob)
    outer = [glob_steps(one) for one in globs]
    letters = _letters([inner, *outer])
    begin = (_closed(inner, {0}), tuple(_closed(steps, {0}) for steps in outer))
    seen = {begin}
    waiting = [begin]
    cost = 0
    while waiting:
        here, there = waiting.pop()
        if len(inner) in here and not any(len(steps) in at for steps, at in zip(outer, there, strict=True)):
            return False, cost
        cost += len(letters) * (1 + len(outer))
        if cost > MAX_STEPS:
            return False, cost
        for letter in letters:
            after = _after(inner, here, letter)
            pair = (after, tuple(_after(steps, at, letter) for steps, at in zip(outer, there, strict=True)))
            if after and pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return True, cost


@lru_cache(8192)
def _overlap(left: str, right: str) -> tuple[bool, int]:
    one, other = glob_steps(left), glob_steps(right)
    letters = _letters([one, other])
    begin = (_closed(one, {0}), _closed(other, {0}))
    seen = {begin}
    waiting = [begin]
    cost = 0
    while waiting:
        here, there = waiting.pop()
        if len(one) in here and len(other) in there:
            return True, cost
        cost += 2 * len(letters)
        if cost > MAX_STEPS:
            return True, cost
        for letter in letters:
            pair = (_after(one, here, letter), _after(other, there, letter))
            if pair[0] and pair[1] and pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return False, cost


@lru_cache(8192)
def _witnesses(glob: str) -> tuple[str, ...]:
    """Return some texts that *glob* matches."""
    steps = glob_steps(glob)
    found = []
    for star in ("", OTHER):
        text = ""
        for kind, written in steps:
            if kind == "[":
                text += next((letter for letter in (*written[1:-1], OTHER) if _in_set(written, letter)), "")
            else:
                text += star if kind == STAR else OTHER if kind == ANY else written
        found.append(text)
    return tuple(found)


@lru_cache(2048)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(glob))


def _matches(glob: str, text: str) -> bool:
    return _compiled(glob).match(text) is not None


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
    return _matches(text, letter)


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
