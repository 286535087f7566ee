"""What the words of a definition file mean, in Markdown, and what they find in recorded notifications."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

from eventdefs.definitions import keys
from eventdefs.definitions.corpus import PathSeen
from eventdefs.definitions.keys import Key, Shape
from eventdefs.definitions.plugins import find_plugin
from eventdefs.language_server.anchors import Sign, anchor_of, sign_at
from eventdefs.language_server.recordings import Recordings
from eventdefs.language_server.tokens import Token, Trail, read_tokens, token_at
from eventdefs.language_server.vocabulary import Expected, definition_of, expected_at, values_below
from eventdefs.types import excerpt

SHOWN = 8
"""How many values or event types are listed."""


def described(row: Key) -> str:
    """Return what *row* means."""
    lines = [row.description]
    if row.words:
        lines.append("\n".join(f"- `{word}`: {text}" for word, text in row.words.items()))
    if row.default:
        lines.append(f"Default: {row.default}.")
    lines.append(f"```yaml\n{row.example}\n```")
    return "\n\n".join(lines)


def plugin_text(name: str, plugin: Any) -> str:
    """Return what the plugin *name* does; of a third party's, what it says of itself."""
    known = keys.PLUGINS.get(name)
    if known is not None:
        description, parameters = known
        rows = [f"- `{row.name}`: {row.description}{_default(row)}" for row in parameters]
        return "\n".join([description, "", *rows])
    try:
        signature = str(inspect.signature(plugin))
    except (TypeError, ValueError):
        signature = "(...)"
    return f"```python\n{name}{signature}\n```\n\n{inspect.getdoc(plugin) or ''}".rstrip()


def _default(row: Key) -> str:
    return f" Default: {row.default}." if row.default else " Required." if row.required else ""


def seen_text(seen: PathSeen) -> str:
    """Return what was seen at a path."""
    kinds = ", ".join(sorted(seen.kinds))
    lines = [f"`{seen.text}`: {kinds}, in {seen.share:.0%} of the recorded notifications"]
    lines += [f"- {_code(value)}" for value in seen.examples]
    return "\n".join([lines[0], "", *lines[1:]] if lines[1:] else lines)


def _code(value: Any) -> str:
    text = "null" if value is None else excerpt(value, 80)
    text = "".join(char if char.isprintable() else " " for char in text).replace("`", "'")
    return f"`{text}`" if text else "`''`"


class Explanation(NamedTuple):
    """Markdown, and the columns of the line that it is about."""

    text: str
    begin: int
    end: int


def explain_at(
    rows: Sequence[str], line: int, column: int, signs: Sequence[Sign], recordings: Recordings
) -> Explanation | None:
    """Return what is to say about what stands at *column* of *line*; None for nothing."""
    sign = sign_at(signs, line, column)
    if sign is not None and not sign.is_anchor:
        anchor = anchor_of(signs, sign)
        said = f"no anchor `&{sign.name}` stands before this" if anchor is None else _anchored(rows, anchor)
        return Explanation(said, sign.begin, sign.end)
    tokens = list(read_tokens(rows))
    token = token_at(tokens, line, column)
    if token is None:
        return None
    text = _of_key(token, tokens) if token.role == "key" else _of_value(token, tokens, recordings)
    return Explanation(text, token.begin, token.end) if text else None


def _anchored(rows: Sequence[str], anchor: Sign) -> str:
    """Return the lines that an anchor is at the head of."""
    indent = len(rows[anchor.line]) - len(rows[anchor.line].lstrip())
    last = anchor.line + 1
    while last < len(rows) and last < anchor.line + 12:
        row = rows[last]
        if row.strip() and len(row) - len(row.lstrip()) <= indent:
            break
        last += 1
    text = "\n".join(row[indent:] for row in rows[anchor.line : last]).rstrip()
    return f"`&{anchor.name}`, line {anchor.line + 1}\n\n```yaml\n{text}\n```"


def _of_key(token: Token, tokens: Sequence[Token]) -> str:
    if token.text == "<<":
        return "Lays a mapping, or a list of them, under this one: what is written here counts before what is merged."
    around = expected_at(token.trail, tokens)
    row = next((row for row in around.rows if row.name == token.text), None)
    return "" if row is None else f"**{row.name}** ({_holds(row)})\n\n{described(row)}"


def _holds(row: Key) -> str:
    return f"{row.shape.value}, required" if row.required else row.shape.value


def _of_value(token: Token, tokens: Sequence[Token], recordings: Recordings) -> str:
    expected = expected_at(token.trail, tokens)
    row = expected.key
    if row is None:
        return ""
    word = row.words.get(token.text) or row.words.get(token.text.lower(), "")
    if word:
        return f"**{token.text.lower()}**: {word}"
    if _is_plugin(row, token.trail):
        plugin = find_plugin(token.text)
        return "" if plugin is None else f"**{token.text}**: {plugin_text(token.text, plugin)}"
    if not recordings:
        return ""
    if row.shape in (Shape.GLOBS, Shape.EXPRESSIONS):
        return _of_event_type(token.text, row.shape, recordings)
    return _of_path(token, tokens, expected, recordings)


def _is_plugin(row: Key, trail: Trail) -> bool:
    return row.shape is Shape.PLUGIN or (row.name == "name" and trail[-2:] == ("plugin", "name"))


def _of_event_type(text: str, shape: Shape, recordings: Recordings) -> str:
    if shape is Shape.GLOBS:
        found = recordings.taken_by_globs([text.removeprefix("!")])
    else:
        found = recordings.taken_by_expressions([text])
    verb = "excludes" if shape is Shape.GLOBS and text.startswith("!") else "matches"
    if not found:
        return f"{verb} no event type of the {recordings.corpus.count:,} recorded notifications"
    lines = [f"{verb} {len(found)} of {len(recordings.corpus.event_types)} recorded event types", ""]
    lines += [f"- `{name}` ({count})" for name, count in sorted(found.items())[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"- and {len(found) - SHOWN} more")
    return "\n".join(lines)


def event_types_of(trail: Trail, tokens: Sequence[Token], recordings: Recordings) -> tuple[str, ...] | None:
    """Return the recorded event types that the definition at *trail* takes; None where it says none."""
    definition = definition_of(trail)
    texts = values_below((*definition, "event_type"), tokens) if definition else []
    if not texts:
        return None
    if definition[0] == "metric":
        return tuple(recordings.taken_by_expressions(texts))
    return tuple(recordings.taken_by_globs(texts))


def _of_path(token: Token, tokens: Sequence[Token], expected: Expected, recordings: Recordings) -> str:
    assert expected.key is not None
    if expected.key.shape not in (Shape.PATHS, Shape.FIELDS):
        return ""
    types = event_types_of(token.trail, tokens, recordings)
    if types is not None and not types:
        return "no recorded notification has an event type that this definition takes"
    chosen = types or tuple(recordings.corpus.event_types)
    found = recordings.values(token.text, chosen, SHOWN)
    if found is None:
        return ""
    if not found:
        count = sum(recordings.corpus.event_types[name].count for name in chosen)
        return f"`{token.text}` finds nothing in {count:,} recorded notifications of this definition"
    lines = [f"`{token.text}` finds", ""]
    lines += [f"- {_code(one.value)} in `{one.event_type}`" for one in found]
    return "\n".join(lines)
