"""Paths, compiled: where a value is found in a notification.

The syntax tree is the library's (dialect.py); its evaluator, where Ceilometer spends its time, is not used. What is
compiled gives the same matches in the same order with the same paths; where the library raises, this raises
`PathEvaluationError`. A property test holds the two equal.

A match is a tuple (value, step, parent match); the root has neither step nor parent, and nor has what an operator
gives, so that the text of its path begins anew there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import cmp_to_key, lru_cache
from typing import Any

from jsonpath_rw import jsonpath as tree
from jsonpath_rw_ext import _arithmetic, _filter, _iterable, _string

from eventdefs.definitions import dialect
from eventdefs.errors import PathEvaluationError, PathSyntaxError
from eventdefs.regexes import RegexError, compile_regex, starts_with, substitute

MAX_MATCHES = 200_000
"""How many values one evaluation may visit: `..` on a large payload can ask for more than there is time for."""
MAX_RESULT = 1_000_000
"""How long a text or list may become that `*` repeats."""
MAX_BITS = 14_000
"""How large a whole number may become; Python writes none of more than 4,300 digits."""

Match = tuple[Any, str | None, Any]
Budget = list[int]
Find = Callable[[Match, Budget], list[Match]]


class _Nowhere(tuple):  # type: ignore[type-arg]
    """A type of its own, so that no other match is this one."""


NOWHERE: Match = _Nowhere((None, None, None))
"""The parent of the root: a match that has no value to look at."""


class Path:
    """A path, ready to be evaluated.

    Attributes:
        text: as written.
        names: the keys one after the other, where the path is nothing but keys of mappings; else None.
        split: (names, character, segment, count) where it is keys and then one `split`; else None.
        first: returns the first value of a document that is not null, None where there is none; raises
            PathEvaluationError where the path fails on the document.
    """

    __slots__ = ("_find", "first", "names", "split", "text")

    def __init__(self, text: str, find: Find, names: tuple[str, ...] | None, split: Any) -> None:
        self.text = text
        self._find = find
        self.names = names
        self.split: tuple[tuple[str, ...], str, int, int] | None = split
        self.first: Callable[[Any], Any] = self._first if names is None else _first_of_names(names)

    def __repr__(self) -> str:
        return f"Path({self.text!r})"

    def _matches(self, document: Any) -> list[Match]:
        try:
            found = self._find((document, None, None), [MAX_MATCHES])
        except PathEvaluationError:
            raise
        except (TypeError, KeyError, IndexError, ValueError, OverflowError, AttributeError, ArithmeticError) as error:
            raise PathEvaluationError(f"{error}") from error
        except RecursionError as error:
            raise PathEvaluationError("nested too deep") from error
        for match in found:
            _value(match)
        return found

    def find(self, document: Any) -> list[tuple[str, Any]]:
        """Return (path, value) of every match, nulls too.

        Raises:
            PathEvaluationError: the path fails on this document.
        """
        return [(_path_text(match), match[0]) for match in self._matches(document)]

    def matches(self, document: Any) -> list[tuple[str, Any]]:
        """Return (path, value) of every match that is not null.

        Raises:
            PathEvaluationError: the path fails on this document.
        """
        return [(_path_text(match), match[0]) for match in self._matches(document) if match[0] is not None]

    def all(self, document: Any) -> list[Any]:
        """Return the value of every match, nulls too.

        Raises:
            PathEvaluationError: the path fails on this document.
        """
        return [match[0] for match in self._matches(document)]

    def _first(self, document: Any) -> Any:
        for match in self._matches(document):
            if match[0] is not None:
                return match[0]
        return None


def _first_of_names(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """Return what `Path.first` is for a path of keys, which nearly all paths are: the same, some ten times faster."""

    def first(document: Any) -> Any:
        for name in names:
            if not isinstance(document, dict):
                return None
            document = document.get(name)
        return document

    return first


@lru_cache(maxsize=8192)
def parse_path(text: str) -> Path:
    """Read *text* as a path.

    >>> parse_path("payload.nodes[*].name").find({"payload": {"nodes": [{"name": "a"}, {"name": None}]}})
    [('payload.nodes.[0].name', 'a'), ('payload.nodes.[1].name', None)]

    Raises:
        PathSyntaxError: it is no path.
    """
    return compile_path(dialect.parse(text), text)


def compile_path(syntax: Any, text: str) -> Path:
    """Return the path of the syntax tree *syntax*, whose text is *text*.

    Raises:
        PathSyntaxError: it has a regular expression that cannot be used, or is nested too deep.
    """
    try:
        find = _compile(syntax, raw=True)
    except RegexError as error:
        raise PathSyntaxError(f"{error}", 1) from error
    except RecursionError as error:
        raise PathSyntaxError("nested too deep", 1) from error
    names = _names(syntax)
    split = None
    if names is None and isinstance(syntax, tree.Child) and isinstance(syntax.right, _string.Split):
        before = _names(syntax.left)
        if before and syntax.right.max_split < 1 << 31:
            split = (before, syntax.right.char, syntax.right.segment, syntax.right.max_split)
    return Path(text, find, names, split)


def _names(syntax: Any) -> tuple[str, ...] | None:
    """Return the keys of a path that is nothing but keys, from the root down."""
    names: list[str] = []
    while isinstance(syntax, tree.Child):
        if not _is_name(syntax.right):
            return None
        names.append(syntax.right.fields[0])
        syntax = syntax.left
    if _is_name(syntax):
        names.append(syntax.fields[0])
    elif not isinstance(syntax, tree.Root):
        return None
    return tuple(reversed(names))


def _is_name(syntax: Any) -> bool:
    return type(syntax) is tree.Fields and len(syntax.fields) == 1 and syntax.fields[0] != "*"


def _path_text(match: Match) -> str:
    steps = []
    while match[2] is not None:
        steps.append(str(match[1]))
        match = match[2]
    return ".".join(reversed(steps))


def _value(match: Match) -> Any:
    if match is NOWHERE:
        raise PathEvaluationError("the root has no parent")
    return match[0]


def _spend(budget: Budget, count: int) -> None:
    budget[0] -= count
    if budget[0] < 0:
        raise PathEvaluationError(f"visits more than {MAX_MATCHES:,} values")


class _Lone(PathEvaluationError):
    """What the library gives as one match where a list of matches is expected: `sorted` of what cannot be sorted."""

    def __init__(self, match: Match) -> None:
        super().__init__("only lists and mappings can be sorted")
        self.match = match


def _compile(syntax: Any, raw: bool = False) -> Find:
    """Return the function that finds *syntax* from a match.

    *raw*: it stands where the library passes the bare document and not a match, which `sorted` cannot take.
    """
    kind = type(syntax)
    if kind is tree.Child:
        return _compile_child(syntax, raw)
    if kind is _iterable.SortedThis and raw:
        return _fails("`sorted` needs a path before it")
    if kind in (tree.Union, _arithmetic.Operation, tree.Where, tree.Descendants):
        return _BRANCHES[kind](syntax, raw)
    compiled: Find = _LEAVES[kind](syntax)
    return compiled


def _fails(reason: str) -> Find:
    def find(match: Match, budget: Budget) -> list[Match]:
        raise PathEvaluationError(reason)

    return find


def _compile_child(syntax: Any, raw: bool) -> Find:
    steps: list[Any] = []
    while isinstance(syntax, tree.Child):
        steps.append(syntax.right)
        syntax = syntax.left
    first = _compile(syntax, raw)
    rest = [_compile(step) for step in reversed(steps)]

    def find(match: Match, budget: Budget) -> list[Match]:
        try:
            found = first(match, budget)
            for step in rest:
                if not found:
                    break
                if len(found) == 1:
                    found = step(found[0], budget)
                    _spend(budget, len(found))
                else:
                    found = _each(step, found, budget)
        except _Lone as lone:
            raise PathEvaluationError(str(lone)) from None
        return found

    return find


def _each(step: Find, matches: list[Match], budget: Budget) -> list[Match]:
    found: list[Match] = []
    for match in matches:
        new = step(match, budget)
        _spend(budget, len(new))
        found += new
    return found


def _compile_union(syntax: Any, raw: bool) -> Find:
    left, right = _compile(syntax.left, raw), _compile(syntax.right, raw)
    return lambda match, budget: left(match, budget) + right(match, budget)


def _compile_where(syntax: Any, raw: bool) -> Find:
    left, right = _compile(syntax.left, raw), _compile(syntax.right)

    def holds(match: Match, budget: Budget) -> bool:
        try:
            return bool(right(match, budget))
        except _Lone:
            return True

    return lambda match, budget: [found for found in left(match, budget) if holds(found, budget)]


def _compile_descendants(syntax: Any, raw: bool) -> Find:
    left, right = _compile(syntax.left, raw), _compile(syntax.right)

    def find(match: Match, budget: Budget) -> list[Match]:
        try:
            waiting = left(match, budget)[::-1]
        except _Lone as lone:
            waiting = [lone.match]
        found: list[Match] = []
        while waiting:
            here = waiting.pop()
            found += right(here, budget)
            children = _children(here)
            _spend(budget, len(children) + 1)
            waiting += reversed(children)
        return found

    return find


def _children(match: Match) -> list[Match]:
    value = _value(match)
    if isinstance(value, list):
        return [(item, f"[{index}]", match) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return [(item, key, match) for key, item in value.items()]
    return []


def _root(syntax: Any) -> Find:
    def find(match: Match, budget: Budget) -> list[Match]:
        while match[2] is not None:
            match = match[2]
        return [(match[0], None, None)]

    return find


def _this(syntax: Any) -> Find:
    return lambda match, budget: [(None, None, None) if match is NOWHERE else match]


def _parent(syntax: Any) -> Find:
    return lambda match, budget: [NOWHERE if match[2] is None else match[2]]


def _fields(syntax: Any) -> Find:
    names: tuple[str, ...] = syntax.fields
    if "*" in names:

        def find_all(match: Match, budget: Budget) -> list[Match]:
            value = match[0]
            return [(item, key, match) for key, item in value.items()] if isinstance(value, dict) else []

        return find_all
    if len(names) == 1:
        name = names[0]

        def find_one(match: Match, budget: Budget) -> list[Match]:
            value = match[0]
            return [(value[name], name, match)] if isinstance(value, dict) and name in value else []

        return find_one

    def find(match: Match, budget: Budget) -> list[Match]:
        value = match[0]
        return [(value[name], name, match) for name in names if name in value] if isinstance(value, dict) else []

    return find


def _index(syntax: Any) -> Find:
    index: int = syntax.index
    step = f"[{index}]"

    def find(match: Match, budget: Budget) -> list[Match]:
        value = match[0]
        return [(value[index], step, match)] if len(value) > index else []

    return find


def _slice(syntax: Any) -> Find:
    cut = slice(syntax.start, syntax.end, syntax.step)

    def find(match: Match, budget: Budget) -> list[Match]:
        value = match[0]
        if isinstance(value, (dict, int, str)):
            value = [value]
            match = (value, match[1], match[2])
        return [(value[index], f"[{index}]", match) for index in range(len(value))[cut]]

    return find


def _filter_list(syntax: Any) -> Find:
    tests = [_compile_test(expression) for expression in syntax.expressions]

    def find(match: Match, budget: Budget) -> list[Match]:
        value = match[0]
        if not isinstance(value, list):
            return []
        _spend(budget, len(value))
        return [
            (item, f"[{index}]", match)
            for index, item in enumerate(value)
            if sum([test((item, None, None), budget) for test in tests]) == len(tests)
        ]

    return find


Test = Callable[[Match, Budget], bool]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}


def _compile_test(syntax: Any) -> Test:
    target = _compile(syntax.target)
    if syntax.op is None:

        def exists(match: Match, budget: Budget) -> bool:
            try:
                return bool(target(match, budget))
            except _Lone:
                return True

        return exists
    wanted = syntax.value
    compare = _regex_test if syntax.op == "~" else _COMPARE[syntax.op]
    as_number = isinstance(wanted, int)

    def test(match: Match, budget: Budget) -> bool:
        holds = False
        for found in target(match, budget):
            value = _value(found)
            if value is None:
                continue
            if as_number:
                try:
                    value = int(value)
                except ValueError:
                    continue
            if compare(value, wanted):
                holds = True  # and go on: a later one may fail, as it does in the library
        return holds

    return test


def _regex_test(value: Any, pattern: Any) -> bool:
    if not isinstance(value, str) or not isinstance(pattern, str):
        raise PathEvaluationError("~ compares text with a regular expression")
    return starts_with(pattern, value)


def _length(syntax: Any) -> Find:
    def find(match: Match, budget: Budget) -> list[Match]:
        value = match[0]
        return [(len(value), None, None)] if isinstance(value, (str, list, dict)) else []

    return find


def _sorted(syntax: Any) -> Find:
    keys = [(_compile(path), reverse) for path, reverse in syntax.expressions or ()]

    def find(match: Match, budget: Budget) -> list[Match]:
        value = match[0]
        if not isinstance(value, (list, dict)) or (isinstance(value, dict) and keys):
            raise _Lone(match)

        def compare(left: Any, right: Any) -> int:
            for path, reverse in keys:
                of_left, of_right = path((left, None, None), budget), path((right, None, None), budget)
                if len(of_left) != 1 or len(of_right) != 1:
                    continue
                one, other = _value(of_left[0]), _value(of_right[0])
                if one != other:
                    return 1 if (one < other) == reverse else -1
            return 0

        _spend(budget, len(value))
        return [(sorted(value, key=cmp_to_key(compare) if keys else None), None, None)]

    return find


def _sub(syntax: Any) -> Find:
    pattern, replacement = syntax.expr, syntax.repl
    compile_regex(pattern)

    def find(match: Match, budget: Budget) -> list[Match]:
        value = match[0]
        if not isinstance(value, str):
            raise PathEvaluationError(f"sub works on text, not on {type(value).__name__}")
        new = substitute(pattern, replacement, value)
        return [] if new == value else [(_made(new, budget), None, None)]

    return find


def _split(syntax: Any) -> Find:
    character, segment, count = syntax.char, syntax.segment, syntax.max_split

    def find(match: Match, budget: Budget) -> list[Match]:
        value = match[0]
        if not isinstance(value, str):
            return []
        try:
            pieces = value.split(character, count)
        except OverflowError:
            return []
        return [(pieces[segment], None, None)] if segment < len(pieces) else []

    return find


def _times(left: Any, right: Any) -> Any:
    for repeated, count in ((left, right), (right, left)):
        if isinstance(repeated, (str, list)) and isinstance(count, int) and len(repeated) * count > MAX_RESULT:
            raise PathEvaluationError(f"repeats a value to more than {MAX_RESULT:,} items")
    return left * right


def _made(value: Any, budget: Budget) -> Any:
    """Let through what an operator made, if it is not too large."""
    if isinstance(value, (str, list)):
        _spend(budget, len(value) // 32)
    elif isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise PathEvaluationError(f"gives a number of more than {MAX_BITS:,} bits")
    return value


_ARITHMETIC: dict[Any, Callable[[Any, Any], Any]] = {
    operator.add: operator.add,
    operator.sub: operator.sub,
    operator.mul: _times,
    operator.truediv: operator.truediv,
}


def _some(find: Find, match: Match, budget: Budget) -> list[Match] | _Lone:
    try:
        return find(match, budget)
    except _Lone as lone:
        return lone


def _compile_operation(syntax: Any, raw: bool) -> Find:
    left, right = (
        _compile(side, raw) if isinstance(side, tree.JSONPath) else None for side in (syntax.left, syntax.right)
    )
    combine = _ARITHMETIC[syntax.op]

    def find(match: Match, budget: Budget) -> list[Match]:
        lefts = [(syntax.left, None, None)] if left is None else _some(left, match, budget)
        rights = [(syntax.right, None, None)] if right is None else _some(right, match, budget)
        pairs: Iterable[tuple[Match, Match]]
        if left is not None and right is not None and (not lefts or not rights):
            return []
        if isinstance(lefts, _Lone) or isinstance(rights, _Lone):
            raise PathEvaluationError("only lists and mappings can be sorted")
        if left is not None and right is not None:
            if len(lefts) != len(rights):
                return []
            pairs = zip(lefts, rights, strict=True)
        else:
            pairs = [(one, other) for one in lefts for other in rights]
        try:
            return [(_made(combine(_value(one), _value(other)), budget), None, None) for one, other in pairs]
        except TypeError:
            return []

    return find


_BRANCHES: dict[type, Callable[[Any, bool], Find]] = {
    tree.Union: _compile_union,
    tree.Where: _compile_where,
    tree.Descendants: _compile_descendants,
    _arithmetic.Operation: _compile_operation,
}

_LEAVES: dict[type, Callable[[Any], Find]] = {
    tree.Root: _root,
    tree.This: _this,
    tree.Parent: _parent,
    tree.Fields: _fields,
    tree.Index: _index,
    tree.Slice: _slice,
    tree.Intersect: lambda syntax: _fails("& between paths is not possible"),
    _filter.Filter: _filter_list,
    _iterable.Len: _length,
    _iterable.SortedThis: _sorted,
    _string.Sub: _sub,
    _string.Split: _split,
}
