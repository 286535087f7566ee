"""Text from an operator, or from somebody who would be one: definitions, or DefinitionErrors."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import DefinitionErrors, Definitions, decode_notification, load_definitions, parse_definitions
from tests.property import examples

from .bounds import below, within

EVENTS = r"""
# a comment
- event_type: &types [compute.instance.*, '!compute.instance.exists']
  description: of instances
  traits: &traits
    memory_mb: {type: int, fields: payload.memory_mb, required: true}
    host: {fields: publisher_id, plugin: {name: split, parameters: {segment: 1, max_split: 1}}}
    created: {type: datetime, fields: [payload.created_at, 'payload.l[0].`this`'], on_error: reject}
    n: 5
- event_type: *types
  traits: {<<: *traits, "x": "payload.'a b'", 'y': !!str 5}
"""
METERS = r"""
metric:
  - &base
    name: "memory"
    event_type: ['compute\.instance\..*']
    type: gauge
    unit: MB
    volume: $.payload.memory_mb
    resource_id: $.payload.instance_id
    metadata: &meta {host: payload.host}
    user_metadata: $.payload.metadata
  - <<: *base
    name: '$.payload.l[*].name'
    lookup: [name, volume]
    volume: '$.payload.l[*].v * 2'
  - {name: h, event_type: a, type: delta, unit: h, resource_id: b, dimensions: {f: c},
     period: {begin: d, end: e, not_before: i, while: {f: [g]}}}
  - {name: h, event_type: b, type: delta, unit: h, resource_id: b,
     period: {end: e, length: 90 min, not_after: j, closes: {f: [g, null]}}}
"""
_pieces = st.sampled_from(
    (
        "",
        "\n",
        "  ",
        "\t",
        "- ",
        ": ",
        ":",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        '"',
        "#",
        "&a ",
        "*a",
        "*types",
        "<<: ",
        "<<: *traits",
        "!!int ",
        "!!float ",
        "!!bool ",
        "!!null ",
        "!!timestamp ",
        "!!binary ",
        "!!seq ",
        "!!map ",
        "!!merge ",
        "!!python/name:os ",
        "!x ",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "|\n",
        ">-\n",
        "? ",
        "=",
        "~",
        "null",
        "yes",
        "0x",
        "0xf",
        "0b",
        "0o7",
        "1_0",
        "1:20",
        ".inf",
        ".nan",
        "1e400",
        "2026-08-01",
        "2026-13-45",
        "2026-08-01T01:02:03+99:99",
        "\x00",
        "\x07",
        "\ufeff",
        "\u2028",
        "é",
        "\ud800",
        "9" * 5000,
        "`len`",
        "$.",
        "..",
        "event_type",
        "traits",
        "fields",
        "plugin",
        "period",
        "length",
        "closes",
        "1h",
        "lookup",
        "type",
        "name",
    )
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Correct files with pieces put in, cut out or moved."""
    text = draw(st.sampled_from((EVENTS, METERS)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        until = at + draw(st.sampled_from((0, 0, 1, 2, 8, 30)))
        text = text[:at] + draw(st.one_of(_pieces, _pieces, st.just(text[until : until + 40]))) + text[until:]
    return text


_yamlish = st.lists(_pieces, max_size=20).map("".join)
TEXTS = st.one_of(
    mutated(), mutated(), _yamlish, _yamlish.map("- event_type: a\n  traits: {{x: {}}}".format), st.text(max_size=40)
)
NOTIFICATION = decode_notification(
    {
        "message_id": "m-1",
        "event_type": "compute.instance.create.end",
        "publisher_id": "compute.host",
        "timestamp": "2026-08-01",
        "payload": {
            "memory_mb": "x",
            "created_at": "?",
            "l": [{"name": "a", "v": 1}, 2],
            "metadata": {"metering.a": 1},
        },
    }
)


def load(text: str) -> Definitions | None:
    """Return the definitions of *text*; None where it is refused, with at least one error that can be shown."""
    try:
        definitions = parse_definitions(text)
    except DefinitionErrors as error:
        refused = error
    else:
        assert all(str(warning) for warning in definitions.warnings)
        return definitions
    assert str(refused)
    assert any(finding.severity == "error" for finding in refused.findings)
    return None


@given(TEXTS)
@examples(1500)
def test_any_text_is_definitions_or_definition_errors(text: str) -> None:
    """Nothing else is raised, and what loads converts."""
    definitions = load(text)
    if definitions is not None:
        definitions.convert(NOTIFICATION)


SCALARS = (
    "!!bool foo",
    "!!int ''",
    "!!int _",
    "!!float ''",
    "!!timestamp foo",
    "!!null x",
    "!!binary '*'",
    "!!merge x",
    "=",
    "!!int 0x",
    "\ud800",
    "'\ud800'",
    f"0x{'f' * 5000}",
    f"-0x{'f' * 5000}",
    "9" * 5000,
    "1" + ":1" * 5000,
    "2026-08-01T01:02:03+99:99",
    "!!python/object/apply:os.system [id]",
    ".nan",
    "1e999",
)


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda text: ascii(text[:30]))
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "- event_type: {}\n  traits: {{}}",
        "- event_type: a\n  traits: {{x: {}}}",
        "- event_type: a\n  traits: {{x: {{type: datetime, fields: {}}}}}",
        "- event_type: a\n  traits: {{x: {{type: {}, fields: a}}}}",
        "- {{event_type: a, traits: {{? {} : b}}}}",
        "metric: [{{name: {0}, event_type: a, type: gauge, unit: {0}, volume: {0}, resource_id: {0}}}]",
        "- event_type: a\n  traits: {{x: {{fields: b, plugin: {{name: map, parameters: {{values: {{? {} : 1}}}}}}}}}}",
    ],
)
def test_any_scalar_stands_anywhere(scalar: str, around: str) -> None:
    """A scalar that PyYAML cannot build, or Python cannot show, is a finding."""
    definitions = load(around.format(scalar))
    if definitions is not None:
        definitions.convert(NOTIFICATION)


def _bomb(kind: str) -> str:
    """Write a few hundred bytes that unfold to 10**9 and more nodes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]" if kind == "list" else "a0: &a0 {k0: x}"]
    for number in range(1, 20):
        above = f"*a{number - 1}"
        many = ", ".join([above] * 10)
        if kind == "list":
            lines.append(f"a{number}: &a{number} [{many}]")
        elif kind == "map":
            lines.append(f"a{number}: &a{number} {{{', '.join(f'm{i}: {above}' for i in range(10))}}}")
        else:
            lines.append(f"a{number}: &a{number} {{<<: [{many}], k{number}: x}}")
    return "\n".join(lines)


@pytest.mark.parametrize("kind", ["list", "map", "merge"])
@pytest.mark.parametrize(
    "use",
    [
        "event_type: *a19\n  traits: {}",
        "event_type: a\n  traits: *a19",
        "event_type: a\n  traits: {x: *a19}",
        "event_type: a\n  traits: {x: {fields: *a19, plugin: *a19}}",
        "event_type: a\n  traits: {x: {fields: [*a19, *a19]}}",
        "event_type: a\n  traits: {x: {fields: b, plugin: {name: map, parameters: {values: {k: *a19}}}}}",
    ],
)
def test_a_yaml_bomb_does_not_go_off(kind: str, use: str) -> None:
    """Aliases of aliases share one node; what must be unfolded is counted."""
    with within(), below(200):
        load("- x:\n    " + _bomb(kind).replace("\n", "\n    ") + "\n- " + use)


def _listed(before: str, item: str, count: int, after: str) -> str:
    return before + ",".join(item.format(number) for number in range(count)) + after


MANY = [
    (
        "aliases of one mapping of traits",
        _listed("- {event_type: a, traits: &t {", "t{0}: payload.x", 10_000, "}}\n")
        + "- {event_type: b, traits: *t}\n" * 10_000,
    ),
    (
        "aliases of one list of patterns",
        _listed("- {event_type: &g [", "g{0}.*", 10_000, "], traits: {}}\n")
        + "- {event_type: *g, traits: {}}\n" * 10_000,
    ),
    (
        "aliases of one list of paths",
        _listed("- {event_type: a, traits: {x: &p [", "payload.k{0}", 2_000, "]}}\n")
        + _listed("- {event_type: b, traits: {", "t{0}: *p", 10_000, "}}\n"),
    ),
    (
        "wide merges",
        _listed("- {event_type: a, traits: &t {", "t{0}: payload.x", 10_000, "}}\n")
        + "- {event_type: b, traits: {<<: *t}}\n" * 10_000,
    ),
    ("findings on one line", "[" + "1," * 100_000 + "]"),
    ("findings on many lines", "- 1\n" * 100_000),
    ("unknown keys", "- event_type: a\n  traits: {}\n" + "".join(f"  event_typo{n}: 1\n" for n in range(50_000))),
    ("a sexagesimal number", "- {event_type: a, traits: {x: 1%s}}" % (":1" * 500_000)),
    ("bad paths", "- event_type: a\n  traits:\n" + "".join(f"    t{n}: 'payload[{n}'\n" for n in range(2_000))),
    ("one name", "- event_type: a\n  traits:\n" + "    x: payload.y\n" * 30_000),
    ("undefined aliases", "".join(f"- &a{n} x\n- *b{n}\n" for n in range(3_000))),
    ("a long path", "- {event_type: a, traits: {x: payload%s}}" % (".a" * 500_000)),
    ("nesting", "[" * 500_000),
    ("nesting of blocks", "- " * 100_000),
    ("nesting of mappings", "{a: " * 100_000),
]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in MANY])
def test_much_of_anything_is_bounded(text: str) -> None:
    """A file of a few megabytes loads or is refused in seconds, and does not fill the memory."""
    with below(600), within(25):
        load(text)


def test_ten_thousand_definitions_load_and_convert() -> None:
    """And the time of a look-up does not depend on their number."""
    text = "".join(f"- {{event_type: [a{n}.*, '!a{n}.x.*'], traits: {{t: payload.a}}}}\n" for n in range(10_000))
    with within(20):
        definitions = load(text)
    assert definitions is not None
    with within():
        found = [str(definitions.find(f"a{n}.b.c")) for n in range(10_000)]
    assert found == [f"a{n}.* !a{n}.x.*" for n in range(10_000)]


def test_ten_thousand_sample_definitions_load_and_convert() -> None:
    """Regular expressions too are looked up together."""
    row = "- {{name: m{0}, event_type: 'a{0}[.]b|c{0}$', type: gauge, unit: B, volume: 1, resource_id: payload.a}}\n"
    with within(30):
        definitions = load("metric:\n" + "".join(row.format(n) for n in range(10_000)))
    assert definitions is not None
    with within():
        assert [one.name for one in definitions.find_samples("a77.b")] == ["m77"]


def test_a_definition_of_twenty_thousand_traits_converts() -> None:
    """Code is generated for all of them."""
    text = "- event_type: a\n  traits:\n" + "".join(f"    t{n}: payload.k{n}\n" for n in range(20_000))
    with within(60):
        definitions = load(text)
        assert definitions is not None
        event = definitions.convert(
            decode_notification({"message_id": "m", "event_type": "a", "timestamp": "2026-08-01", "payload": {"k9": 1}})
        ).event
    assert event is not None
    assert event.traits == {"t9": "1"}


HOSTILE = (
    "'",
    '"',
    "'''",
    '"""',
    "\\",
    "\\'",
    "\n",
    "\r\n",
    "\x00",
    "\t",
    "\u2028",
    "{0}",
    "%s",
    "x'] = 1; import os #",
    "')\n import os\n#",
    "__import__('os').system('true')",
    "traits",
    "value",
    "body",
    "problems",
    "T0",
    "T0_0",
    "get1",
    "under",
    "class",
    "None",
    "",
    " ",
    "é",
    "\U0001f600",
    "\x85",
    "\x7f",
    "#",
    "*",
    "a" * 1_000,
    "_" * 3,
)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_a_name_is_only_ever_a_name(name: str, tmp_path: Any) -> None:
    """Names of traits, keys of payloads and separators that look like code are data, and work."""
    yaml = _quoted(name)
    keys = [f"payload.{_quoted_key(name)}"] if len(name) < 1000 and "\n" not in name else ["payload.k"]
    payload = {name: "v.w", "k": "v.w"}
    text = (
        f"- event_type: [a, {yaml}]\n  description: {yaml}\n  traits:\n"
        f"    {yaml}: {_quoted(keys[0]) if name != '*' else 'payload.k'}\n"
        "    other:\n      fields: [payload.nothing, payload.k]\n"
        f"      plugin: {{name: split, parameters: {{separator: {yaml}, segment: 0}}}}\n"
        if name
        else "- event_type: a\n  traits:\n    '': payload.k\n    other: payload.k\n"
    )
    if name in ("\x00", "\x7f", "\x85", "\u2028"):
        text = text.replace(name, f"\\u{ord(name):04x}")
    definitions = load(text)
    assert definitions is not None
    event = definitions.convert(
        decode_notification({"message_id": "m", "event_type": "a", "timestamp": "2026-08-01", "payload": payload})
    ).event
    assert event is not None
    assert event.traits[name] == "v.w"
    assert "other" in event.traits


def _quoted(text: str) -> str:
    """Write *text* in double quotes, for YAML."""
    escaped = "".join(f"\\U{ord(char):08x}" if not char.isalnum() or char.isspace() else char for char in text)
    return f'"{escaped}"'


def _quoted_key(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.mark.parametrize("name", ["it's.yaml", "new\nline.yaml", "\udc80.yaml", "é.yaml", "'''.yaml"])
def test_a_file_of_any_name_is_loaded(name: str, tmp_path: Any) -> None:
    """The name of the file is in the generated code's place, and in reports."""
    file = tmp_path / name
    try:
        file.write_text("- {event_type: a, traits: {x: payload.y}}")
    except (OSError, UnicodeError):
        pytest.skip("no such file here")
    definitions = load_definitions(file)
    assert definitions.convert(NOTIFICATION).problems == ()


def test_shuffled_bytes_of_a_file_are_refused_or_loaded(tmp_path: Any) -> None:
    """Files are bytes: what is no UTF-8 is a finding."""
    chance = random.Random(1)
    file = tmp_path / "d.yaml"
    refused: list[str] = []
    for _ in range(200):
        data = bytearray(EVENTS.encode())
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(data)
        try:
            load_definitions(file)
        except DefinitionErrors as error:
            refused.append(str(error))
    assert refused
    assert all(refused)
