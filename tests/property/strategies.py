"""Made-up documents, paths and notifications, over few names so that what is looked for is often there."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

KEYS = ("a", "b", "c", "k", "a-b", "a.b", "where", "true", "*", "é", "")

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
mappings = st.one_of(
    st.dictionaries(st.sampled_from(("a", "b", "c", "k")), documents, min_size=1, max_size=4),
    st.fixed_dictionaries(
        {"a": st.lists(st.dictionaries(st.sampled_from(("a", "b", "c")), scalars, max_size=3), max_size=4)},
        optional={"b": documents, "k": st.dictionaries(st.sampled_from(KEYS), documents, max_size=4)},
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
_brackets = joined("[", _quoted, st.one_of(st.just(""), joined(",", _quoted)), "]")
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
    "a", ".", "a*", "", "^a", "b$", "[ab]+", "[^a]", "(a)(b)?", "(?i)A", "x|a", "\\\\d", "\\\\.", "a{1,2}", "a{,1}", "a{", "{",
    "[[a]", "(?P<n>a)", "(?=a)", "\\\\bA?", "a+?", "(?:a|b)*", "[{]", "\\\\Z", "(?s).", "[a-c-]", "é", "\\\\w+", "(", "a**",
)  # fmt: skip
_subs = joined(
    "`sub(/",
    st.sampled_from(REGEXES),
    "/, ",
    st.sampled_from(("", "x", "\\\\\\\\1", "\\\\\\\\g<0>", "\\\\\\\\g<n>", "\\\\\\\\n", "[&]", "é")),
    ")`",
)
_atoms = st.one_of(
    _names,
    _names,
    _names,
    _quoted,
    st.sampled_from(("*", "$", "@", "`this`", "`parent`", "`len`", "`sorted`", "a,b", "'a','b'")),
    _index,
    _slice,
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


def _longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    blank = st.sampled_from(("", " "))
    test = st.one_of(inner, joined(inner, blank, _operators, blank, _literals))
    tests = st.one_of(test, test, joined(test, " & ", test), joined("(", test, ")"))
    sort = joined(st.sampled_from(("/", "\\")), inner)
    sorts = st.one_of(sort, joined(sort, ",", sort))
    return st.one_of(
        joined(inner, ".", inner),
        joined(inner, ".", inner),
        joined(inner, ".", inner),
        joined(inner, "..", inner),
        joined(inner, "|", inner),
        joined(inner, " where ", inner),
        joined(inner, "&", inner),
        joined("(", inner, ")"),
        joined(inner, st.one_of(_index, _slice, _brackets)),
        joined(inner, "[?", tests, "]"),
        joined(inner, "[", sorts, "]"),
        joined(inner, blank, st.sampled_from("+-*/"), blank, inner),
        joined(inner, " ", st.sampled_from("+-*"), " ", st.one_of(_numbers, _floats)),
        joined(st.one_of(_numbers, _floats), " ", st.sampled_from("+-*"), " ", inner),
    )


expressions = st.recursive(_atoms, _longer, max_leaves=7)
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
