"""Why a path finds nothing: the step at which it ends, what is there instead, and the path that was perhaps meant.

A path that finds nothing finds something up to a step, and nothing from there on: the step is found by halving. Each
suggestion is a path that was evaluated on the notification and gave a value.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jsonpath_rw import jsonpath as tree
from jsonpath_rw_ext import _arithmetic, _filter, _iterable, _string

from eventdefs.definitions import dialect
from eventdefs.definitions.corpus import key_text
from eventdefs.definitions.explain.result import PathTrace
from eventdefs.definitions.paths import Path, compile_path, parse_path
from eventdefs.errors import PathEvaluationError, PathSyntaxError
from eventdefs.types import Place, excerpt

KEYS = 50
"""How many keys a trace names."""
NAMED = 8
"""How many of them its reason names."""
COMPARED = 300
"""How many keys are compared with a key that is not there; a mapping with more has keys that somebody chose at will."""
TRIED = 40
"""How many paths are tried for a suggestion."""
ALIKE = 0.75
"""How much a key must be like another to be meant, as `difflib` counts."""
FEW = 1_000
"""Up to how many values a path may find before it finds nothing for a suggestion to be looked for."""
WRAPPER = "_object.data"
"""How keys end under which versioned notifications (nova's, ironic's) have what their objects hold."""

NOWHERE = "the notification"


Taken = frozenset[tuple[str, ...]]
"""Keys that lead somewhere and are read already, so that nothing else means them; of other paths their text."""


def taken_by(paths: Iterable[Path]) -> Taken:
    """Return where *paths* of keys lead, and what they pass on the way."""
    leads = {path.names or (path.text,) for path in paths}
    return frozenset(keys[:count] for keys in leads for count in range(1, len(keys) + 1))


def trace_path(path: Path, place: Place, body: Mapping[str, Any], taken: Taken | None = frozenset()) -> PathTrace:
    """Return what *path*, which stands at *place*, meets in the notification *body*.

    Where it finds nothing, a path that was perhaps meant is looked for: none of *taken*, and none at all for None.
    """
    try:
        found = [path.first(body)] if path.names is not None else path.all(body)
    except PathEvaluationError as error:
        return _Failure(path, place, body, taken).trace(f"{error}")
    values = [value for value in found if value is not None]
    if values:
        return PathTrace(path.text, place, True, shown(values[0]), count=len(values))
    return _Failure(path, place, body, taken).trace("")


def not_tried(path: Path, place: Place) -> PathTrace:
    """Return the trace of a path that is not looked at, since one before it gave the value."""
    return PathTrace(path.text, place, False, reason="not looked at: a path before it gives the value", tried=False)


class _Excerpt(reprlib.Repr):
    """Writes values in a few words, however large and deep they are."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxstring, self.maxother = 3, 6, 6, 60, 60

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0:
            return "{...}" if x else "{}"
        shown_keys = [key for key, _ in zip(x, range(self.maxdict), strict=False)]
        pairs = [f"{self.repr1(key, level - 1)}: {self.repr1(x[key], level - 1)}" for key in shown_keys]
        return "{" + ", ".join(pairs + ["..."] * (len(x) > len(pairs))) + "}"


_excerpt = _Excerpt()


def shown(value: Any) -> Any:
    """Return *value* as it can be shown in JSON: numbers as they are, long texts cut, lists and mappings as text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return excerpt(value if isinstance(value, str) else _excerpt.repr(value), 200)


def what_is(value: Any) -> str:
    """Say what *value* is, as part of a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, (int, float)):
        return f"the number {excerpt(value, 40)}"
    if isinstance(value, str):
        return f"the text {excerpt(value, 40)!r}" if value else "an empty text"
    if isinstance(value, dict):
        return f"a mapping with {_many(len(value), 'key')}" if value else "an empty mapping"
    return f"a list of {_many(len(value), 'item')}" if value else "an empty list"


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


# --- the steps of a path ---------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """One step of a path.

    Attributes:
        prefix: the syntax of the path up to and with it.
        text: of the step, as it is written after what is before it.
        prefix_text: of the path up to and with it.
    """

    syntax: Any
    prefix: Any
    text: str
    prefix_text: str


def steps_of(syntax: Any) -> list[Step]:
    """Return the steps of a path, one after the other; one where it does not consist of steps."""
    if isinstance(syntax, (tree.Child, tree.Descendants, tree.Where)):
        before = steps_of(syntax.left)
        text = syntax_text(syntax.right)
        if not isinstance(syntax, tree.Child):
            sign = ".." if isinstance(syntax, tree.Descendants) else " where "
            return [*before, Step(syntax, syntax, f"{sign}{text}", f"{before[-1].prefix_text}{sign}{text}")]
        if isinstance(syntax.right, (tree.Child, tree.Union, tree.Descendants, tree.Where, _arithmetic.Operation)):
            text = f"({text})"
        return [*before, Step(syntax.right, syntax, text, joined(before[-1].prefix_text, text))]
    text = syntax_text(syntax)
    return [Step(syntax, syntax, text, text)]


def joined(before: str, text: str) -> str:
    """Return the path *before* and the step *text* after it."""
    return f"{before}{text}" if not before or text.startswith("[") else f"{before}.{text}"


_SIGNS = {"add": "+", "sub": "-", "mul": "*", "truediv": "/"}


def syntax_text(syntax: Any) -> str:
    """Return *syntax* as it can be written."""
    if isinstance(syntax, (tree.Child, tree.Descendants, tree.Where)):
        return steps_of(syntax)[-1].prefix_text
    if isinstance(syntax, tree.Fields):
        return ",".join(key if key == "*" else key_text(key) or repr(key) for key in syntax.fields)
    if isinstance(syntax, tree.Index):
        return f"[{syntax.index}]"
    if isinstance(syntax, tree.Slice):
        return _slice_text(syntax)
    if isinstance(syntax, _filter.Filter):
        return f"[?{' & '.join(_test_text(test) for test in syntax.expressions)}]"
    if isinstance(syntax, tree.Union):
        return f"{syntax_text(syntax.left)} | {syntax_text(syntax.right)}"
    if isinstance(syntax, _arithmetic.Operation):
        return f"{_operand(syntax.left)} {_SIGNS.get(syntax.op.__name__, '?')} {_operand(syntax.right)}"
    return _NAMED[type(syntax)](syntax) if type(syntax) in _NAMED else str(syntax)


_NAMED: dict[type, Callable[[Any], str]] = {
    tree.Root: lambda syntax: "$",
    tree.This: lambda syntax: "`this`",
    tree.Parent: lambda syntax: "`parent`",
    _iterable.Len: lambda syntax: "`len`",
    _iterable.SortedThis: lambda syntax: "`sorted`" if not syntax.expressions else f"[{syntax}]",
    _string.Split: lambda syntax: f"`split({syntax.char}, {syntax.segment}, {syntax.max_split})`",
    _string.Sub: lambda syntax: f"`sub(/{syntax.expr}/, {syntax.repl})`",
}


def _operand(side: Any) -> str:
    return syntax_text(side) if isinstance(side, tree.JSONPath) else repr(side)


def _slice_text(syntax: Any) -> str:
    if syntax.start is None and syntax.end is None and syntax.step is None:
        return "[*]"
    start, end, step = ("" if number is None else str(number) for number in (syntax.start, syntax.end, syntax.step))
    return f"[{start}:{end}{f':{step}' if step else ''}]"


def _test_text(test: Any) -> str:
    return syntax_text(test.target) + ("" if test.op is None else f"{test.op}{test.value!r}")


# --- where it ends ---------------------------------------------------------------------------------------------------


class _Candidate(NamedTuple):
    """What may have been meant at the step that finds nothing.

    Attributes:
        steps: what is written there.
        following: the number of the first old step that follows.
        kept: whether the step before stays.
        is_sure: whether it is meant, even if the path ends at a later step still.
    """

    steps: list[str]
    following: int
    kept: bool = True
    is_sure: bool = False


class _Failure:
    """A path that finds nothing in *body*, or fails on it. *tries* is how many paths may be tried for a suggestion."""

    def __init__(
        self, path: Path, place: Place, body: Mapping[str, Any], taken: Taken | None, tries: list[int] | None = None
    ) -> None:
        self._tries = [TRIED] if tries is None else tries
        self._path = path
        self._place = place
        self._body = body
        self._taken = taken
        self._steps = steps_of(dialect.parse(path.text))

    def trace(self, error: str) -> PathTrace:
        """Return the trace; *error* says why the path fails, '' where it only finds nothing."""
        number = self._first_failing()
        if number is None:
            return self._trace("it is null" if self._path.names else "there are only nulls", at=self._path.text)
        step = self._steps[number]
        at = self._steps[number - 1].prefix_text if number else ""
        before = self._find(number - 1) if number else [self._body]
        if isinstance(before, str):
            return self._trace(error or before, step.text, at)
        keys = _keys(step.syntax, before)
        near = "" if self._taken is None else self._near(number, before)
        cause = self._cause(step, at, before)
        if error and not isinstance(step.syntax, tree.Index):  # of which the error is a bare number
            return self._trace(f"{at or NOWHERE}: {error}", step.text, at, keys, near)
        if isinstance(step.syntax, tree.Fields) and keys:
            if not near and self._taken is not None:
                cause += self._hint(step.syntax.fields[0], at, keys)
            total = len(before[0]) if len(before) == 1 else len(keys)
            return self._trace(cause, step.text, at, keys, near, _there(keys, total))
        return self._trace(cause, step.text, at, keys, near)

    def _hint(self, name: str, at: str, keys: Sequence[str]) -> str:
        """Return which of *keys* may be meant by *name*, if nothing else means it."""
        try:
            before = parse_path(at).names or () if at else ()
        except PathSyntaxError:
            before = ()
        free = [key for key in keys if (*before, key) not in (self._taken or ())]
        meant = _nearest(name, free)
        return f" (did you mean {meant!r}?)" if meant else ""

    def _trace(
        self, cause: str, step: str = "", at: str = "", keys: Sequence[str] = (), near: str = "", there: str = ""
    ) -> PathTrace:
        told = tuple(excerpt(key, 80) for key in keys[:KEYS])
        cause = excerpt(cause, 400)
        path, place = self._path.text, self._place
        return PathTrace(path, place, False, None, cause + there, step, at, told, near, cause=cause)

    def _first_failing(self) -> int | None:
        """Return the number of the first step that finds nothing or fails, None where all find something."""
        low, high = 0, len(self._steps)
        while low < high:
            middle = (low + high) // 2
            found = self._find(middle)
            if found and not isinstance(found, str):
                low = middle + 1
            else:
                high = middle
        return low if low < len(self._steps) else None

    def _find(self, number: int) -> list[Any] | str:
        """Return what the path finds up to the step *number*, or why it fails."""
        step = self._steps[number]
        return _find(step.prefix, step.prefix_text, self._body)

    def _cause(self, step: Step, at: str, before: list[Any]) -> str:
        where = NOWHERE if at in ("", "$") else at
        if isinstance(step.syntax, tree.Descendants):
            return f"nothing below {where} has {syntax_text(step.syntax.right)}"
        if isinstance(step.syntax, tree.Where):
            return f"{_none_of(len(before), 'value')} of {where} has {syntax_text(step.syntax.right)}"
        if not at and isinstance(step.syntax, (tree.Union, _arithmetic.Operation)):
            return "; ".join(_sides(step.syntax, self._place, self._body)) or f"{step.text} gives nothing"
        return _cause_of_one(step, where, before[0]) if len(before) == 1 else _cause_of_many(step, where, before)

    # --- what was meant ----------------------------------------------------------------------------------------------

    def _near(self, number: int, before: Sequence[Any]) -> str:
        """Return a path that finds a value and is near to this one, '' where none is."""
        syntax = self._steps[number].syntax
        if not isinstance(syntax, (tree.Fields, tree.Index, tree.Slice)) or not 0 < len(before) <= FEW:
            return ""
        for candidate in self._candidates(number, before[0]):
            self._tries[0] -= 1
            if self._tries[0] < 0:
                break
            text = self._with(number, candidate)
            if text != self._path.text and self._serves(text):
                return text
            if candidate.is_sure and (further := self._further(text)):
                return further
        return ""

    def _with(self, number: int, candidate: _Candidate) -> str:
        """Return the text of this path with *candidate* at the step *number*."""
        last = number - 1 if candidate.kept else number - 2
        text = self._steps[last].prefix_text if last >= 0 else ""
        for step in candidate.steps:
            text = joined(text, step)
        for later in self._steps[candidate.following :]:
            apart = isinstance(later.syntax, (tree.Descendants, tree.Where))
            text = text + later.text if apart else joined(text, later.text)
        return text

    def _further(self, text: str) -> str:
        """Return a path that finds a value and is near to *text*, which is right at this step and wrong at a later."""
        try:
            other = _Failure(parse_path(text), self._place, self._body, self._taken, self._tries)
        except PathSyntaxError:
            return ""
        number = other._first_failing()
        before = other._find(number - 1) if number else []
        return "" if not number or isinstance(before, str) else other._near(number, before)

    def _serves(self, text: str) -> bool:
        """Tell whether the path *text* finds a value that no other path reads."""
        try:
            path = parse_path(text)
            is_free = (path.names or (text,)) not in (self._taken or ())
            return is_free and path.first(self._body) is not None
        except (PathEvaluationError, PathSyntaxError):
            return False

    def _candidates(self, number: int, value: Any) -> Iterator[_Candidate]:
        """Yield what may be meant at the step *number*, which finds nothing in *value*, the likely first."""
        step = self._steps[number]
        if not isinstance(step.syntax, tree.Fields):
            if isinstance(value, dict) and number + 1 < len(self._steps):  # an index where there is no list
                yield _Candidate([], number + 1, is_sure=True)
        elif isinstance(value, list):
            yield _Candidate(["[*]", step.text], number + 1, is_sure=True)
        elif isinstance(value, dict):
            yield from self._dotted(number, value)
            yield from self._elsewhere(number, value)

    def _dotted(self, number: int, value: dict[str, Any]) -> Iterator[_Candidate]:
        """Yield keys with dots that are written as several."""
        dotted = ""
        for following, step in enumerate(self._steps[number:], number + 1):
            if not isinstance(step.syntax, tree.Fields):
                break
            dotted += f".{step.syntax.fields[0]}" if dotted else step.syntax.fields[0]
            if following > number + 1 and dotted in value:
                yield _Candidate(_written(dotted), following, is_sure=True)

    def _elsewhere(self, number: int, value: dict[str, Any]) -> Iterator[_Candidate]:
        """Yield the key at another level, and keys that are like it."""
        step = self._steps[number]
        name: str = step.syntax.fields[0]
        wrapper = next((key for key, _ in zip(value, range(COMPARED), strict=False) if key.endswith(WRAPPER)), "")
        inner = value.get(wrapper)
        if isinstance(inner, dict):
            yield _Candidate([*_written(wrapper), step.text], number + 1, is_sure=name in inner)
        if number and isinstance(self._steps[number - 1].syntax, tree.Fields):
            yield _Candidate([step.text], number + 1, kept=False)
        for key, under in list(value.items())[:COMPARED]:
            if isinstance(under, dict) and name in under:
                yield _Candidate([*_written(key), step.text], number + 1)
            elif isinstance(under, list) and under and isinstance(under[0], dict) and name in under[0]:
                yield _Candidate([*_written(key), "[*]", step.text], number + 1)
        if meant := _nearest(name, value):
            yield _Candidate(_written(meant), number + 1)
        if isinstance(inner, dict) and (meant := _nearest(name, inner)):
            yield _Candidate([*_written(wrapper), *_written(meant)], number + 1)


def _find(syntax: Any, text: str, body: Any) -> list[Any] | str:
    try:
        return compile_path(syntax, text).all(body)
    except (PathEvaluationError, PathSyntaxError) as error:
        return f"{error}"


def _written(key: str) -> list[str]:
    text = key_text(key) if len(key) <= 200 else None
    return [] if text is None else [text]


def _nearest(name: str, keys: Iterable[str]) -> str:
    """Return the one of *keys* that is near to *name*, '' where none is."""
    folded = name[:100].casefold()
    compared = [key for key, _ in zip(keys, range(COMPARED), strict=False) if len(key) <= 100]
    alike = next((key for key in compared if key.casefold() == folded), "")
    return alike or next(iter(difflib.get_close_matches(folded, compared, n=1, cutoff=ALIKE)), "")


def _keys(syntax: Any, values: Sequence[Any]) -> list[str]:
    """Return the keys that are there, where the step *syntax* looks for one."""
    if not isinstance(syntax, (tree.Fields, tree.Index, tree.Slice)):
        return []
    seen: dict[str, None] = {}
    for value in values[:KEYS]:
        if isinstance(value, dict):
            for key in value:
                seen[key] = None
                if len(seen) >= COMPARED:
                    return list(seen)
    return list(seen)


def _there(keys: Sequence[str], total: int) -> str:
    """Say which keys are there."""
    if not keys:
        return ""
    named = ", ".join(excerpt(key, 60) for key in keys[:NAMED])
    more = total - min(NAMED, len(keys))
    return f"; there {'is' if total == 1 else 'are'} {named}" + (f" and {more:,} more" if more > 0 else "")


def _cause_of_one(step: Step, where: str, value: Any) -> str:
    syntax = step.syntax
    is_a = f"{where} is {what_is(value)}"
    if isinstance(syntax, tree.Fields):
        if isinstance(value, dict):
            if syntax.fields[0] == "*":
                return f"{where} is an empty mapping"
            return f"{where} has {_no_key(syntax.fields)}" if value else is_a
        return f"{is_a}, which has no keys" + (": [*] is all of its items" if isinstance(value, list) and value else "")
    if isinstance(syntax, tree.Index):
        if not isinstance(value, (list, str)):
            return f"{is_a}, and {step.text} is of lists"
        first = "; the first is [0]" if value and len(value) == syntax.index else ""
        return f"{is_a}, so that there is no {step.text}{first}"
    if isinstance(syntax, tree.Slice) and isinstance(value, list):
        return f"{is_a}, and nothing is at {step.text}" if value else is_a
    if isinstance(syntax, _filter.Filter):
        if not isinstance(value, list):
            return f"{is_a}, and {step.text} looks at the items of a list"
        return f"{_none_of(len(value), 'item')} of {where} passes {step.text}" if value else is_a
    if isinstance(syntax, _string.Split) and isinstance(value, str):
        return f"{is_a}, which has no piece {syntax.segment} between {syntax.char!r}"
    if isinstance(syntax, _string.Sub) and isinstance(value, str):
        return f"{is_a}, in which {step.text} replaces nothing, and then gives nothing"
    if isinstance(syntax, (_iterable.Len, _string.Split)):
        return f"{is_a}, of which {step.text} is nothing"
    return f"{where} is {what_is(value)}, in which {step.text} finds nothing"


def _no_key(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"no key {excerpt(names[0], 80)!r}"
    return f"none of the keys {excerpt(', '.join(names), 120)}"


def _none_of(count: int, word: str) -> str:
    """Say that none of *count* does something; the verb follows, in the singular."""
    return f"not one {word}" if count == 1 else f"none of the {count:,} {word}s"


def _cause_of_many(step: Step, where: str, values: Sequence[Any]) -> str:
    every = f"{_none_of(len(values), 'value')} of {where}"
    if isinstance(step.syntax, tree.Fields) and any(isinstance(value, dict) and value for value in values):
        return f"{every} has the key {excerpt(step.syntax.fields[0], 80)!r}"
    kinds = dict.fromkeys(what_is(value) for value in values[:3])
    return f"{every} has {step.text}; they are {', '.join(kinds)}" + (", ..." if len(values) > 3 else "")


def _sides(syntax: Any, place: Place, body: Mapping[str, Any]) -> Iterator[str]:
    """Say of each side of an operation why it finds nothing; nothing of sides that find something."""
    for side in (syntax.left, syntax.right):
        if isinstance(side, tree.JSONPath):
            try:
                trace = trace_path(compile_path(side, syntax_text(side)), place, body, None)
            except PathSyntaxError:
                continue
            if not trace.found:
                yield trace.reason
