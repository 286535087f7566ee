"""The dialect of paths: text to the syntax tree of jsonpath-rw-ext.

The library's own grammar is used as it is, so that what it reads is read and nothing else. Two things differ from
calling it: its lexer and its tables are built once (it rebuilds both at every call, 16 ms a path), and what it
raises, whatever that is, becomes a `PathSyntaxError` with a column.
"""

from __future__ import annotations

import logging
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
    "|": "alternatives inside a filter are not possible",
}
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
            raise PathSyntaxError("a quote that is never closed", lexer.string_start)
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
        except PathSyntaxError:
            raise
        except Exception as error:  # The library raises what it likes: Exception, re.error, its own.
            raise PathSyntaxError(f"{error}".partition(" at 1:")[0], parser.lexer.operator_column) from error
