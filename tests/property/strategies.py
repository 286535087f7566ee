"""Made-up documents, paths and notifications, over few names so that what is looked for is often there."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

KEYS = ("a", "b", "c", "k", "a-b", "a.b", "where", "true", "*", "é", "")

_keys = st.sampled_from(("a", "b", "c", "k"))
_BIG = (2**31, 2**64, -(2**70), 10**400)
_texts = st.one_of(st.sampled_from(("", "a", "b", "5", "-1", "2.5", "a.b.c", "x/y", "aab\n", "é")), st.text(max_size=4))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.sampled_from(_BIG),
    st.sampled_from((0.5, -0.0, 2.0, 1e300, float("nan"), float("inf"))),
    _texts,
)
documents: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
        st.lists(st.dictionaries(st.sampled_from(("a", "b", "c")), inner, max_size=3), max_size=4),
    ),
    max_leaves=25,
)
_texts_or_numbers = st.one_of(st.integers(-1, 5), st.sampled_from(("a", "aab", "a.b", "5")))
_rows = st.lists(st.dictionaries(_keys, st.one_of(_texts_or_numbers, scalars), max_size=3), max_size=4)
mappings = st.one_of(
    st.dictionaries(_keys, documents, min_size=1, max_size=4),
    st.fixed_dictionaries(
        {"a": st.one_of(_rows, _texts_or_numbers, st.lists(_texts_or_numbers, max_size=4))},
        optional={
            "b": st.one_of(_rows, documents),
            "k": st.fixed_dictionaries({"a": _texts_or_numbers, "b": st.one_of(_texts_or_numbers, documents)}),
            "a-b": scalars,
        },
    ),
)


def joined(*parts: Any) -> st.SearchStrategy[str]:
    """Make the parts, texts as they are, and join them."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


_names = st.sampled_from(("a", "b", "c", "k", "a", "b", "a-b", "@t", "_", "len"))
_quoted = st.one_of(
    st.sampled_from(KEYS).map(lambda key: f"'{key}'"),
    st.sampled_from(KEYS).map(lambda key: f'"{key}"'),
    st.sampled_from(("'it\\'s'", '"a\\"b"', "'a\\\\b'", "'a`b'")),
)
_numbers = st.one_of(st.integers(-4, 4), st.sampled_from((99, -99, 2**64))).map(str)
_floats = st.sampled_from(("0.5", "2.0", "-1.5"))
_index = joined("[", _numbers, "]")
_slice = st.one_of(
    st.just("[*]"),
    joined("[", st.one_of(st.just(""), _numbers), ":", st.one_of(st.just(""), _numbers), "]"),
)
_splits = joined(
    "`split(",
    st.sampled_from((".", "a", ",", " ", "(")),
    ", ",
    st.sampled_from(("0", "1", "2", "7", "99999999999999999999")),
    ", ",
    st.sampled_from(("-1", "0", "1", "2", "99999999999999999999")),
    ")`",
)
REGEXES = (
    "a",
    ".",
    "a*",
    "",
    "^a",
    "b$",
    "[ab]+",
    "[^a]",
    "(a)(b)?",
    "(?i)A",
    "x|a",
    r"\\d",
    r"\\.",
    "a{1,2}",
    "a{,1}",
    "a{",
    "{",
    "[[a]",
    "(?P<n>a)",
    "(?=a)",
    r"\\bA?",
    "a+?",
    "(?:a|b)*",
    "[{]",
    r"\\Z",
    "(?s).",
    "[a-c-]",
    "é",
    r"\\w+",
    "(",
    "a**",
)
_subs = joined(
    "`sub(/",
    st.sampled_from(REGEXES),
    "/, ",
    st.sampled_from(("", "x", r"\\1", r"\\g<0>", r"\\g<n>", r"\\n", "[&]", "é")),
    ")`",
)
_named = st.sampled_from(("`this`", "`parent`", "`len`", "`len`", "`sorted`"))
_atoms = st.one_of(
    _names,
    _names,
    _quoted,
    st.sampled_from(("*", "$", "@", "a,b", "'a','b'")),
    _index,
    _slice,
    _named,
    _splits,
    _subs,
)
_literals = st.one_of(
    _numbers,
    _floats,
    st.sampled_from(("true", "false", "a", "b", "x", "5", "null")),
    st.sampled_from(REGEXES).map(lambda text: f"'{text}'"),
)
_operators = st.sampled_from(("==", "=", "<=", "<", ">=", ">", "!=", "~"))


_blank = st.sampled_from(("", " "))


def _tests(target: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    test = st.one_of(target, joined(target, _blank, _operators, _blank, _literals))
    return st.one_of(test, test, joined(test, " & ", test), joined("(", test, ")"))


def _sorts(target: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sort = joined(st.sampled_from(("/", "\\")), target)
    return st.one_of(sort, joined(sort, ",", sort))


_step = st.one_of(
    joined(".", _keys),
    joined("..", _keys),
    joined(".", st.one_of(_named, _splits, _subs, st.just("*"))),
    st.sampled_from(("[0]", "[*]", "[*]", "[1:]", "[-1]")),
    joined("[?", _tests(_keys), "]"),
    joined("[", _sorts(_keys), "]"),
)
_usual = st.tuples(
    st.sampled_from(("a", "b", "k", "$.a", "$.k", "$", "*", "$..a", "@.a")), st.lists(_step, max_size=3).map("".join)
).map("".join)


def _longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        joined(inner, ".", inner),
        joined(inner, ".", inner),
        joined(inner, ".", inner),
        joined(inner, "..", inner),
        joined(inner, "|", inner),
        joined(inner, " where ", inner),
        joined(inner, "&", inner),
        joined("(", inner, ")"),
        joined(inner, _step),
        joined(inner, _step),
        joined(inner, st.one_of(_index, _slice, joined("[", _quoted, "]"), joined("[", _quoted, ",", _quoted, "]"))),
        joined(inner, "[?", _tests(inner), "]"),
        joined(inner, "[", _sorts(inner), "]"),
        joined(inner, _blank, st.sampled_from("+-*/"), _blank, inner),
        joined(inner, " ", st.sampled_from("+-*"), " ", st.one_of(_numbers, _floats)),
        joined(st.one_of(_numbers, _floats), " ", st.sampled_from("+-*"), " ", inner),
    )


expressions = st.one_of(
    _usual,
    st.recursive(_usual, _longer, max_leaves=3),
    st.recursive(st.one_of(_usual, _atoms, _atoms), _longer, max_leaves=6),
)
"""Texts that are paths, nearly all of them."""

_SIGNS = ".|*$@[](){},:?&=<>!~/\\+-`'\" \t\n09aeé-"


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Texts that are nearly paths."""
    text = draw(expressions)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.sampled_from((at, at, at + 1, at + 2)))
        text = text[:at] + draw(st.one_of(st.just(""), st.sampled_from(_SIGNS))) + text[until:]
    return text


near_expressions = st.one_of(mutated(), st.text(st.sampled_from(_SIGNS), max_size=12), st.text(max_size=12))
