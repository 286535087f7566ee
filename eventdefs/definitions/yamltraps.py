"""What is behind a syntax error of YAML: the traps that definitions fall into, said in an operator's words.

The parser says where it gave up, which is at the line at fault or on a later one. This looks at those lines for what
is known to go wrong, and says where, why, and where it is certain with which edit it is put right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

MAX_LINE = 2_000
"""How many characters a line has that is looked at; longer ones are read by machines."""


class Trap(NamedTuple):
    """What is wrong on one line.

    Attributes:
        line, column, end_column: where, counted from 1.
        hint: what it is, and how it is written right.
        text: what stands there instead, None where the edit is not certain.
    """

    line: int
    column: int
    end_column: int
    hint: str
    text: str | None = None


Lines = Sequence[str]
_Look = Callable[[Lines, int, int, str], Iterator[Trap]]

_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:''|[^'])*'|(?:^|(?<=\s))#.*")
_INDICATORS = re.compile(r"(?:^\s*(?:- +)*|: +|[\[{,] *|(?<=[\[{,])|- +)(?P<value>[*&!%@`][^\s,\]}]*)")
_ALIAS = re.compile(r"[*&][\w-]+(?=\s*(?:[,\]}#]|$))")
_NO_BLANK = re.compile(r"(?:^\s*(?:- +)*|[{,] *)(?P<key>[A-Za-z_][\w-]*):(?P<value>[^\s:/,}\]'][^,}\]]*)")
_PATH_IN_FLOW = re.compile(r"(?<![\w'\"])(?P<path>\$?[\w.$-]+(?:\[[\w*?@=<>.-]*\][\w.-]*)+)(?=\s*[,}\]])")
_SECOND_KEY = re.compile(r"^\s*(?:- +)*(?P<key>[\w-]+): +(?P<value>[A-Za-z_][^\s:{\[]*): ")
_DASH = re.compile(r"^\s*(?P<dash>-)[A-Za-z_]\w*:(?: |$)")
_AFTER_QUOTE = re.compile(
    r"(?:^\s*(?:- +)*[\w-]+: +|^\s*(?:- +)+|[{,\[] *(?:[\w-]+: +)?)"
    r"(?P<text>\"[^\"]*\"|'[^']*')(?P<rest>[^\s,}\]:#][^\s,}\]]*)"
)
_ESCAPED = re.compile(r"\"(?P<inner>[^\"']*)\"")


def find_trap(lines: Lines, line: int, column: int, said: str) -> Trap | None:
    """Return what is behind the error *said* of the parser at *line* and *column*, None where nothing is known."""
    before = line - 1
    while before > 0 and (not lines[before - 1].strip() or lines[before - 1].lstrip().startswith("#")):
        before -= 1
    for look, wanted, looks_back in _LOOKS:
        if re.search(wanted, said):
            for number in (line, before) if looks_back else (line,):
                if 0 < number <= len(lines) and len(lines[number - 1]) <= MAX_LINE:
                    for trap in look(lines, number, column, said):
                        return trap
    return None


def _bare(line: str) -> str:
    """Return *line* with blanks for its quoted texts and its comment."""
    return _QUOTED.sub(lambda found: " " * len(found[0]), line)


def _tab(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    line = lines[number - 1]
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        begin = indent.index("\t")
        yield Trap(number, begin + 1, begin + 2, "indent with blanks, not with tabs")


def _indicator(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    line = lines[number - 1]
    bare = _bare(line)
    for found in _INDICATORS.finditer(bare):
        begin = found.start("value")
        if _ALIAS.match(line, begin):
            continue
        before = bare[:begin]
        within = before.count("{") > before.count("}") or before.count("[") > before.count("]")
        ends = re.search(r"[,}\]]|$" if within else "$", bare[begin:].rstrip())
        value = line[begin : begin + ends.start()] if ends else found["value"]
        means = {"*": "an alias", "&": "an anchor", "!": "a tag"}.get(value[0], "no text")
        certain = "'" not in value and ": " not in value and not value.endswith(":")
        hint = f"what begins with {value[0]} is {means} in YAML: quote it"
        yield Trap(number, begin + 1, begin + len(value) + 1, hint, f"'{value}'" if certain else None)


def _no_blank(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    for found in _NO_BLANK.finditer(_bare(lines[number - 1])):
        begin = found.end("key")
        hint = f"a blank stands after the colon: {found['key']}: {found['value'].strip()[:40]}"
        yield Trap(number, begin + 1, begin + 2, hint, ": ")


def _path_in_flow(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    line = lines[number - 1]
    if not 0 < column <= len(line) or line[column - 1] not in "[{":
        return
    for found in _PATH_IN_FLOW.finditer(_bare(line)):
        if found.start() < column <= found.end():
            yield Trap(
                number,
                found.start() + 1,
                found.end() + 1,
                "within {...} and [...] a path with brackets is quoted",
                f"'{found['path']}'",
            )
            return
    yield Trap(number, column, column + 1, "within {...} and [...] a path with brackets is quoted")


def _second_key(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    found = _SECOND_KEY.match(_bare(lines[number - 1]) + " ")
    if found is not None:
        hint = f"{found['value']} begins a line of its own, indented under {found['key']}; text with a colon is quoted"
        yield Trap(number, found.end("value") + 1, found.end("value") + 2, hint)


def _deeper(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    line = lines[number - 1]
    before = next((at for at in range(number - 1, 0, -1) if lines[at - 1].strip()), 0)
    if before and _depth(line) > _depth(lines[before - 1]) and not line.lstrip().startswith("- "):
        hint = f"it is indented deeper than line {before}, which has a value already"
        yield Trap(number, _depth(line) + 1, len(line.rstrip()) + 1, hint)


def _uneven(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    line = lines[number - 1]
    depth, end = _depth(line), len(line.rstrip()) + 1
    depths = sorted({_depth(above) for above in lines[max(0, number - 40) : number - 1] if above.strip()})
    is_item = line.lstrip().startswith("- ")
    if depth and depths and depth not in depths:
        if depth < depths[-1] or "indicator" in said:
            hint = f"it is indented by {depth}, lines above it by {', '.join(map(str, depths))}"
            yield Trap(number, 1, depth + 1, hint)
    elif "indicator" in said and not is_item:
        yield Trap(number, depth + 1, end, "it stands beside the items of a list, which begin with `- `: indent it")
    elif "expected key" in said and is_item:
        yield Trap(number, depth + 1, depth + 2, "it stands beside keys, which do not begin with `- `")


def _dash(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    found = _DASH.match(lines[number - 1])
    if found is not None:
        yield Trap(number, found.start("dash") + 1, found.end("dash") + 1, "a blank stands after the dash", "- ")


def _after_quote(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    for found in _AFTER_QUOTE.finditer(lines[number - 1]):
        text, rest = found["text"], found["rest"]
        whole = text + rest
        edit = None
        if rest[0] in ".[":
            other = "'" if text[0] == '"' else '"'
            hint = f"a value that begins with a quote ends with it: put all of {whole} in {other}"
            edit = f"{other}{whole}{other}" if other not in whole and "\\" not in whole else None
        elif text[0] == rest[-1] == "'":
            hint = "within single quotes a single quote is written twice"
            edit = f"{text}'{rest}" if rest.count("'") == 1 else None
        else:
            hint = "a value that begins with a quote ends with it"
        yield Trap(number, found.start("text") + 1, found.end("rest") + 1, hint, edit)


def _block_text(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    found = re.search(r": +(?P<sign>[|>])", lines[number - 1])
    if found is not None:
        begin = found.start("sign") + 1
        yield Trap(number, begin, begin + 1, f"{found['sign']} begins a text of several lines in YAML: quote it")


def _escape(lines: Lines, number: int, column: int, said: str) -> Iterator[Trap]:
    hint = "within double quotes a backslash begins an escape: use single quotes"
    for found in _ESCAPED.finditer(lines[number - 1]):
        if found.start() < column <= found.end():
            yield Trap(number, found.start() + 1, found.end() + 1, hint, f"'{found['inner']}'")
            return
    yield Trap(number, column, column + 1, hint)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


_LOOKS: tuple[tuple[_Look, str, bool], ...] = (
    (_tab, "tab|indent|block|token|simple key|plain scalar", True),
    (_escape, "escape", False),
    (_block_text, "block scalar", True),
    (_dash, "block|mapping values|simple key", True),
    (_no_blank, "simple key|mapping values|block mapping|flow mapping", True),
    (_after_quote, "flow|block", True),
    (_path_in_flow, "flow", False),
    (_indicator, "alias|anchor|tag|token|simple key|flow|block", True),
    (_second_key, "mapping values", False),
    (_deeper, "mapping values", False),
    (_uneven, "expected key|indicator|block end", False),
)
"""What is looked for, and in which messages of the parser, and whether on the line before too; the first counts."""


def missing_blank(text: str) -> str:
    """Return *text* with a blank after its colon, where it is a key and a value without one between; else ''."""
    found = re.fullmatch(r"([A-Za-z_][\w-]*):((?:\$|payload\b|ctxt\b|\w+$).*)", text)
    return f"{found[1]}: {found[2]}" if found else ""
