"""Patterns over event types, and an index that finds what matches without trying each.

An event definition has globs: `*` any text (dots too), `?` any character, `[seq]` one of some, `!` before a glob
excludes. A sample definition has regular expressions that match from the start. Both, but for rare expressions, are
the same few kinds of step, so that one tree holds all of them: patterns that begin alike share their way, and the
time of a look-up depends on the length of the event type, not on the number of patterns.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from eventdefs.regexes import RegexError, compile_regex, starts_with

ANY = "?"
"""A step over any one character."""
STAR = "*"
"""A step over any number of characters."""

Step = tuple[str, str]
"""('=', a character), ('[', a glob's set), (ANY, ''), (STAR, '')."""


class Pattern(NamedTuple):
    """The event types that a definition applies to: `included` globs but never `excluded` ones."""

    included: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def is_catchall(self) -> bool:
        return "*" in self.included and not self.excluded


def parse_pattern(globs: list[str]) -> Pattern:
    """Read globs, some of them with `!`; where all exclude, everything else is included."""
    excluded = tuple(glob[1:] for glob in globs if glob.startswith("!"))
    included = tuple(glob for glob in globs if not glob.startswith("!"))
    return Pattern(included or ("*",) if excluded else included, excluded)


def glob_steps(glob: str) -> list[Step]:
    """Read *glob* as `fnmatch` does: a bracket that is never closed is a character."""
    steps: list[Step] = []
    position = 0
    while position < len(glob):
        character = glob[position]
        position += 1
        if character == "*":
            if not steps or steps[-1][0] != STAR:
                steps.append((STAR, ""))
        elif character == "?":
            steps.append((ANY, ""))
        elif character == "[" and (end := _set_end(glob, position)):
            steps.append(("[", glob[position - 1 : end]))
            position = end
        else:
            steps.append(("=", character))
    return steps


def _set_end(glob: str, position: int) -> int:
    """Return where the set that opens before *position* has ended, 0 where it never does."""
    start = position
    if glob[start : start + 1] == "!":
        start += 1
    if glob[start : start + 1] == "]":
        start += 1
    return glob.find("]", start) + 1


_PLAIN = re.compile(r"[\w :!,/@#%&=<>;~'\"-]")


def regex_steps(pattern: str) -> list[Step] | None:
    """Read a regular expression that matches from the start, where it is simple enough: else None.

    Simple is: characters, `.`, `.*`, `.+`, escaped signs, `$` at the end.
    """
    steps: list[Step] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        following = pattern[position + 1 : position + 2]
        if character == ".":
            if following == "*":
                steps.append((STAR, ""))
                position += 1
            elif following == "+":
                steps += [(ANY, ""), (STAR, "")]
                position += 1
            else:
                steps.append((ANY, ""))
        elif character == "\\" and following and not following.isalnum() and following.isascii():
            steps.append(("=", following))
            position += 1
        elif character == "$" and position == len(pattern) - 1:
            return steps
        elif _PLAIN.fullmatch(character):
            steps.append(("=", character))
        else:
            return None
        position += 1
        if pattern[position : position + 1] in tuple("*+?{"):
            return None
    return [*steps, (STAR, "")]


class _State:
    """A place in the tree: where each kind of step leads, and what ends here."""

    __slots__ = ("any", "characters", "ends", "loops", "sets", "star")

    def __init__(self, loops: bool = False) -> None:
        self.characters: dict[str, _State] = {}
        self.sets: dict[str, tuple[Callable[[str], object], _State]] = {}
        self.any: _State | None = None
        self.star: _State | None = None
        self.loops = loops
        self.ends: list[int] = []

    def after(self, step: Step) -> _State:
        kind, text = step
        if kind == "=":
            return self.characters.setdefault(text, _State())
        if kind == "[":
            if text not in self.sets:
                self.sets[text] = (re.compile(fnmatch.translate(text)).match, _State())
            return self.sets[text][1]
        if kind == ANY:
            self.any = self.any or _State()
            return self.any
        self.star = self.star or _State(loops=True)
        return self.star


class PatternTree:
    """Many patterns at once, each with a number.

    >>> tree = PatternTree()
    >>> tree.add(glob_steps("compute.*.end"), 1)
    >>> tree.add(glob_steps("compute.instance.*"), 2)
    >>> sorted(tree.matching("compute.instance.create.end"))
    [1, 2]
    """

    def __init__(self) -> None:
        self._root = _State()

    def add(self, steps: list[Step], number: int) -> None:
        state = self._root
        for step in steps:
            state = state.after(step)
        if number not in state.ends:
            state.ends.append(number)

    def matching(self, text: str) -> Iterator[int]:
        """Yield the numbers of the patterns that match the whole *text*; one may come twice."""
        for ends in self.endings(text):
            yield from ends

    def endings(self, text: str) -> Iterator[list[int]]:
        """Yield the numbers in lists, each in the order in which they were added."""
        here = _with_stars([self._root])
        for character in text:
            following: dict[int, _State] = {}
            for state in here:
                if state.loops:
                    following[id(state)] = state
                found = state.characters.get(character)
                if found is not None:
                    following[id(found)] = found
                if state.any is not None:
                    following[id(state.any)] = state.any
                for matches, found in state.sets.values():
                    if matches(character):
                        following[id(found)] = found
            if not following:
                return
            here = _with_stars(list(following.values()))
        for state in here:
            if state.ends:
                yield state.ends


def _with_stars(states: list[_State]) -> list[_State]:
    """Add to *states* what they reach by a star that takes nothing."""
    seen = {id(state) for state in states}
    for state in states:  # grows as it is walked
        star = state.star
        if star is not None and id(star) not in seen:
            seen.add(id(star))
            states.append(star)
    return states


class PatternIndex:
    """Finds the last of many patterns that includes an event type and does not exclude it."""

    def __init__(self, patterns: list[Pattern]) -> None:
        self._patterns = patterns
        self._included = PatternTree()
        self._excluded = PatternTree()
        for number, pattern in enumerate(patterns):
            for glob in pattern.included:
                self._included.add(glob_steps(glob), number)
            for glob in pattern.excluded:
                self._excluded.add(glob_steps(glob), number)

    def last(self, event_type: str) -> int | None:
        """Return the number of the pattern, None where none matches."""
        best = -1
        excluded: set[int] | None = None
        for numbers in self._included.endings(event_type):
            for number in reversed(numbers):
                if number <= best:
                    break
                if self._patterns[number].excluded:
                    if excluded is None:
                        excluded = set(self._excluded.matching(event_type))
                    if number in excluded:
                        continue
                best = number
                break
        return best if best >= 0 else None

    def all(self, event_type: str) -> tuple[list[int], list[int]]:
        """Return the numbers of the patterns that match, and of those that include *event_type* but exclude it too."""
        included = sorted(set(self._included.matching(event_type)))
        excluded = set(self._excluded.matching(event_type))
        matching = [number for number in included if number not in excluded]
        return matching, [number for number in included if number in excluded]


class RegexIndex:
    """Finds all of many lists of regular expressions of which one matches from the start of an event type.

    Raises:
        RegexError: an expression is none.
    """

    def __init__(self, expressions: list[list[str]]) -> None:
        self._tree = PatternTree()
        self._every = [(number, text) for number, alternatives in enumerate(expressions) for text in alternatives]
        self._others: list[tuple[int, str]] = []
        for number, expression in self._every:
            compile_regex(expression)
            steps = regex_steps(expression)
            if steps is None:
                self._others.append((number, expression))
            else:
                self._tree.add(steps, number)

    def all(self, event_type: str) -> tuple[list[int], list[int]]:
        """Return the numbers of the lists that match, and of those that did not finish in time, in order."""
        if "\n" in event_type:  # which `.` does not match, nor `$` in the same way
            found, to_try = set(), self._every
        else:
            found, to_try = set(self._tree.matching(event_type)), self._others
        unfinished = set()
        for number, expression in to_try:
            if number in found:
                continue
            try:
                if starts_with(expression, event_type):
                    found.add(number)
            except RegexError:
                unfinished.add(number)
        return sorted(found), sorted(unfinished - found)
