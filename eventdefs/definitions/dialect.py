"""The dialect of paths: text to the syntax tree of jsonpath-rw-ext.

The library's own grammar is used as it is, so that what it reads is read and nothing else. Two things differ from
calling it: its lexer and its tables are built once (it rebuilds both at every call, 16 ms a path), and what it
raises, whatever that is, becomes a `PathSyntaxError` with a column.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import ply.lex
import ply.yacc
from jsonpath_rw import parser as _grammar
from jsonpath_rw_ext import _string
from jsonpath_rw_ext import parser as _extended

from eventdefs.errors import PathSyntaxError

MAX_LENGTH = 4_000
MAX_TOKENS = 300

# Reading a `sub(...)`, the library prints to stdout, which carries our own output. This shadows the built-in
# in that one module.
_string.print = lambda *words: None

_log = logging.getLogger(__name__)
_log.setLevel(logging.CRITICAL)

_HINTS = {
    "BOOL": "a bare word cannot begin with true or false: quote it, as in payload.'true_key'",
    "WHERE": "the bare word `where` is an operator: quote it",
    "SORT_DIRECTION": "there is no division in paths; a key with a slash or a backslash is quoted",
    "NUMBER": "a key that begins with a digit is quoted; a list index stands in brackets",
    "FILTER_OP": "comparisons stand in a filter: list[?key='value']",
    "ID": "two names need a dot between them; a key with other characters than letters, digits, _ and - is quoted",
    ".": "a path does not begin with a dot, and two dots mean `any depth`",
    "|": "alternatives are a list of paths; inside a filter they are not possible",
    ":": "a key with a colon is quoted",
    "(": "functions stand in backquotes: payload.list.`len`",
    "?": "a filter begins with [?: list[?key='value']",
}
_NEVER_CLOSED = "a quote that is never closed"
_ENDS_EARLY = "the path ends too early: something is missing after the last sign"


class _Lexer(_extended.ExtendedJsonPathLexer):  # type: ignore[misc]
    """The library's lexer, built once and cloned for each text."""

    def __init__(self) -> None:
        super().__init__()
        self._built = ply.lex.lex(module=self, errorlog=_log)
        self.column = 1
        self.operator_column = 1

    def tokenize(self, text: str) -> Iterator[Any]:
        lexer = self._built.clone()
        lexer.latest_newline = 0
        lexer.string_value = None
        lexer.string_start = 0
        lexer.input(text)
        for _ in range(MAX_TOKENS):
            token = lexer.token()
            if token is None:
                break
            token.col = token.lexpos - lexer.latest_newline
            quoted = text[token.lexpos] in "'\"`" and lexer.string_start <= token.lexpos
            self.column = lexer.string_start if quoted else token.lexpos + 1
            if token.type == "NAMED_OPERATOR":
                self.operator_column = self.column
            yield token
        else:
            raise PathSyntaxError(f"a path of more than {MAX_TOKENS} words and signs", self.column)
        if lexer.string_value is not None:
            raise PathSyntaxError(_NEVER_CLOSED, lexer.string_start)
        self.column = len(text.rstrip()) + 1

    def t_error(self, token: Any) -> None:
        raise PathSyntaxError(
            f"unexpected character {token.value[0]!r}", token.lexpos + 1, "a key with such characters is quoted"
        )

    def t_singlequote_error(self, token: Any) -> None:
        raise PathSyntaxError("a backslash at the end of a quoted key", token.lexpos + 1)

    t_doublequote_error = t_singlequote_error
    t_backquote_error = t_singlequote_error


class _Parser(_extended.ExtentedJsonPathParser):  # type: ignore[misc]
    """The library's parser with its tables built once."""

    def __init__(self) -> None:
        super().__init__()
        self.lexer = _Lexer()
        self._built = ply.yacc.yacc(
            module=self, debug=False, write_tables=False, start="jsonpath", errorlog=_log, tabmodule="unused"
        )

    def parse_text(self, text: str) -> Any:
        return self._built.parse(lexer=_grammar.IteratorToTokenStream(self.lexer.tokenize(text)))

    def p_error(self, token: Any) -> None:
        if token is None:
            raise PathSyntaxError("unexpected end of the path", self.lexer.column, _ENDS_EARLY)
        raise PathSyntaxError(f"unexpected {_shown(token)}", self.lexer.column, _HINTS.get(token.type, ""))


def _shown(token: Any) -> str:
    if token.type == "BOOL":
        return f"'{str(token.value).lower()}'"
    return f"'{token.value}'"


# PLY's parsers keep the state of a parse in themselves.
_lock = threading.Lock()


@cache
def _parser() -> _Parser:
    return _Parser()


def parse(text: str) -> Any:
    """Return the library's syntax tree of *text*.

    Raises:
        PathSyntaxError: it is no path, or a longer one than `MAX_LENGTH` characters and `MAX_TOKENS` tokens.
    """
    if len(text) > MAX_LENGTH:
        raise PathSyntaxError(f"a path of {len(text):,} characters; at most {MAX_LENGTH:,} are read", 1)
    with _lock:
        parser = _parser()
        try:
            return parser.parse_text(text)
        except PathSyntaxError as error:
            raise _explained(text, error) from error
        except Exception as error:  # The library raises what it likes: Exception, re.error, its own.
            raise PathSyntaxError(f"{error}".partition(" at 1:")[0], parser.lexer.operator_column) from error


def _explained(text: str, error: PathSyntaxError) -> PathSyntaxError:
    """Return *error*, or what is the matter with *text* where that can be said better than the grammar does."""
    if error.reason.startswith("a path of"):  # it is too long, whatever else is wrong
        return error
    if not text.strip():
        return PathSyntaxError("it is empty", 1, "expected a path, as payload.some_key")
    if _NUMBER.fullmatch(text.strip()):
        hint = "a constant is a number that is not quoted and stands alone; a key that is a number is quoted within"
        return PathSyntaxError("it is a number", 1, hint)
    if error.reason == _NEVER_CLOSED:
        return PathSyntaxError(error.reason, error.column, f"close it with {text[error.column - 1]}")
    bracket, column = _unbalanced(text)
    if bracket in ("[", "("):
        return PathSyntaxError(f"a {bracket} that is never closed", column, f"close it with {_CLOSED_BY[bracket]}")
    if bracket:
        return PathSyntaxError(f"unexpected '{bracket}'", column, "nothing that it closes is open")
    glued = _GLUED.match(text)
    if glued is not None and error.column == glued.end(1) + 1:
        return PathSyntaxError(error.reason, error.column, f"a dot stands after {glued[1]}: {glued[1]}.{glued[2]}")
    index = _BARE_INDEX.search(text, max(0, error.column - 12))
    if index is not None and index.start() <= error.column <= index.end() + 1:
        hint = f"a list index stands in brackets, as [{index[1]}]; a key that is a number is quoted, as '{index[1]}'"
        return PathSyntaxError(f"unexpected '{index[1]}'", index.start(1) + 1, hint)
    return error


_CLOSED_BY = {"[": "]", "(": ")"}
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_GLUED = re.compile(r"\s*(\$)(\w+)")
_BARE_INDEX = re.compile(r"\.(\d+)(?=\.|\s*$)")
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`")


def _unbalanced(text: str) -> tuple[str, int]:
    """Return the first bracket that has no partner, and its column; ('', 0) where each has one."""
    opened: list[tuple[str, int]] = []
    for column, character in enumerate(_QUOTED.sub(lambda quoted: " " * len(quoted[0]), text), 1):
        if character in _CLOSED_BY:
            opened.append((character, column))
        elif character in _CLOSED_BY.values():
            if not opened or _CLOSED_BY[opened[-1][0]] != character:
                return character, column
            opened.pop()
    return opened[0] if opened else ("", 0)
