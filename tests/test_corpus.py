"""The corpus: what recorded notifications show, and what they show about definitions.

`corpus.txt` holds definitions and, below each, what is said of them with the notifications of `RECORDED`.
`EVENTDEFS_UPDATE=1 pytest tests/test_corpus.py` writes the reports anew; what changed is for a person to read.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdefs import Finding, Notification, PathSyntaxError, decode_notification, decode_notifications
from eventdefs.consumers.files import find_files, read_messages
from eventdefs.definitions import shipped_definitions
from eventdefs.definitions.corpus import MASKED, MAX_EVENT_TYPES, MAX_KEYS, Corpus, key_text
from eventdefs.definitions.findings import CODES
from eventdefs.definitions.lint import lint_texts
from eventdefs.definitions.lint.corpus import MAX_UNDEFINED, lint_corpus
from eventdefs.definitions.paths import parse_path
from eventdefs.definitions.patterns import parse_pattern
from eventdefs.types import Place, TraitType
from tests.golden import FILE, Case, read_cases, write_cases
from tests.making import notification
from tests.property import examples
from tests.property.strategies import documents

GOLDEN = Path(__file__).with_name("corpus.txt")
SAMPLES = Path(__file__).resolve().parent.parent / "samples"

VOLUME = {
    "volume_id": "v-1",
    "tenant_id": "p-1",
    "size": 4,
    "display_name": "data",
    "created_at": "2026-08-01 09:59:58",
    "nodes": [{"name": "a", "ram": 2}, {"name": "b", "ram": 8}],
    "host": "sto-1@ceph",
}
SERVER = {
    "nova_object.name": "InstanceActionPayload",
    "nova_object.data": {"uuid": "i-1", "host": "cmp-1", "flavor": {"nova_object.data": {"vcpus": 2}}},
}


def recorded() -> list[tuple[Place, Notification]]:
    """Return notifications with their places: volumes of two shapes, a server, and others."""
    bodies = [
        ("volume.create.start", {**VOLUME, "size": "4"}),
        ("volume.create.end", VOLUME),
        ("volume.create.end", {**VOLUME, "size": "huge"}),
        ("volume.delete.end", {**VOLUME, "nodes": None}),
        ("instance.create.end", SERVER),
        ("network.create.end", {"network": {"id": "n-1"}}),
        ("network.create.end", {"network": {"id": "n-2"}}),
        ("image.upload", {"id": "g-1"}),
    ]
    return [
        (Place("r.jsonl", number), notification(payload, event_type=event_type, message_id=f"m-{number}"))
        for number, (event_type, payload) in enumerate(bodies, 1)
    ]


def corpus_of(rows: list[tuple[Place, Notification]]) -> Corpus:
    corpus = Corpus()
    for place, one in rows:
        corpus.add(one, place)
    return corpus


RECORDED = corpus_of(recorded())


def found(text: str) -> list[Finding]:
    """Return what the recorded notifications show about the definitions *text*."""
    return lint_corpus(lint_texts([(FILE, text)]), RECORDED)


CASES = read_cases(GOLDEN)


@pytest.mark.skipif("EVENTDEFS_UPDATE" not in os.environ, reason="EVENTDEFS_UPDATE is not set")
def test_update() -> None:
    write_cases(GOLDEN, CASES, found)


@pytest.mark.skipif("EVENTDEFS_UPDATE" in os.environ, reason="the reports are being written")
@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_golden(case: Case) -> None:
    """What is said has place, caret and, where it is known, the path that finds something."""
    findings = found(case.text)
    assert "\n".join(map(str, findings)) == case.report
    assert sorted({finding.code for finding in findings}) == case.codes


def test_every_code_occurs() -> None:
    """There is no finding that no test has seen."""
    assert {code for case in CASES for code in case.codes} == {code for code in CODES if code[1] == "5"}


FIXES = {
    "plain": ("payload.display_nam", "payload.display_name"),
    "double quotes": ('"$.payload.display_nam"', '"$.payload.display_name"'),
    "single quotes": ("'payload.display_nam'", "'payload.display_name'"),
    "one key with dots": ("payload.nova_object.data.uuid", "payload.'nova_object.data'.uuid"),
    "one key with dots, twice": (
        "payload.nova_object.data.flavor.nova_object.data.vcpus",
        "payload.'nova_object.data'.flavor.'nova_object.data'.vcpus",
    ),
    "one key with dots in single quotes": (
        "'payload.nova_object.data.uuid'",
        "'payload.''nova_object.data''.uuid'",
    ),
    "a quoted name before it": (
        "payload.'nova_object.data'.flavor.nova_object.data.vcpus",
        "payload.'nova_object.data'.flavor.'nova_object.data'.vcpus",
    ),
    "a list": ("payload.nodes.ram", '"payload.nodes[*].ram"'),
}


@pytest.mark.parametrize(("written", "expected"), FIXES.values(), ids=FIXES)
def test_fixes_put_it_right(written: str, expected: str) -> None:
    """A fix that is applied to its line leaves nothing to say of it."""
    text = f"- event_type: ['*.create.*', '*.delete.*']\n  traits: {{x: {{fields: {written}, type: text}}}}\n"
    fixes = [finding.fix for finding in found(text) if finding.code == "W501"]
    assert len(fixes) == 1
    assert fixes[0] is not None
    place = fixes[0].place
    lines = text.split("\n")
    line = lines[place.line - 1]
    lines[place.line - 1] = line[: place.column - 1] + fixes[0].text + line[place.end_column - 1 :]
    fixed = "\n".join(lines)
    assert expected in fixed
    assert [finding for finding in found(fixed) if finding.code in ("W501", "W502")] == []


def test_a_fix_is_given_only_where_it_is_certain() -> None:
    """Of a key that is elsewhere, or of two that are near, a person decides."""
    text = "- event_type: instance.*\n  traits: {a: payload.host, b: payload.'nova_object.data'.flavor.vcpus}\n"
    said = [(finding.hint.partition("; ")[2], finding.fix) for finding in found(text) if finding.code == "W501"]
    assert said == [
        ("did you mean payload.'nova_object.data'.host?", None),
        ("did you mean payload.'nova_object.data'.flavor.'nova_object.data'.vcpus?", None),
    ]


def test_what_an_anchor_repeats_is_looked_at_together() -> None:
    """A trait that one definition lends another is right where either finds it."""
    text = """\
- event_type: network.*
  traits: &shared {resource_id: payload.network.id, size: payload.size}
- event_type: volume.*
  traits: {<<: *shared}
"""
    assert [finding.message for finding in found(text) if finding.code[0] == "W"] == []


def test_many_event_types_without_a_definition() -> None:
    """They are named by how often they came; of very many the rest is counted."""
    corpus = Corpus()
    for number in range(MAX_UNDEFINED + 7):
        for _ in range(2 if number == 40 else 1):
            corpus.add(notification(event_type=f"t{number:02}.create"))
    findings = lint_corpus(lint_texts([(FILE, "- {event_type: t00.create, traits: {}}\n")]), corpus)
    messages = [finding.message for finding in findings]
    assert len(messages) == MAX_UNDEFINED + 1
    assert messages[0] == "no definition applies to t40.create, of which 2 are recorded"
    assert messages[-1] == "no definition applies to 6 more event types, of which 6 are recorded"


def test_nothing_is_said_without_notifications() -> None:
    """No notification shows nothing."""
    assert lint_corpus(lint_texts([(FILE, "- {event_type: a, traits: {x: payload.y}}\n")]), Corpus()) == []


def test_shapes_beyond_those_kept_still_count() -> None:
    """A path that only later notifications have is not said to find nothing, nor one that looks at values."""
    corpus = Corpus(shapes=2)
    for number in range(5):
        corpus.add(notification({f"k{number}": 1, "list": [{"name": f"n{number}", "v": 1}]}))
    paths = ("payload.k4", "payload.list[?name='n4'].v", "payload.gone[?x=1].v")
    traits = "".join(f'    t{at}: "{path}"\n' for at, path in enumerate(paths))
    text = f"- event_type: volume.*\n  traits:\n{traits}"
    assert len(corpus.event_types["volume.create.end"].examples) == 2
    findings = lint_corpus(lint_texts([(FILE, text)]), corpus)
    assert [(finding.code, finding.message.partition(" ")[0]) for finding in findings] == [
        ("W501", "payload.gone[?x=1].v")
    ]


def samples() -> Corpus:
    corpus = Corpus()
    for file in find_files([str(SAMPLES)]):
        for message in read_messages(file):
            for one in decode_notifications(message.data):
                assert isinstance(one, Notification)
                corpus.add(one, message.place)
    return corpus


def test_the_shipped_definitions_fit_the_samples() -> None:
    """There is nothing to warn of, and an event type without a definition is not among the samples."""
    texts = [(file.name, file.read_text()) for file in shipped_definitions()]
    findings = lint_corpus(lint_texts(texts), samples())
    assert [str(finding) for finding in findings if finding.code not in ("N501", "N504")] == []


# --- the corpus itself ---


@examples(200)
@given(documents)
def test_every_listed_path_finds_its_value(payload: Any) -> None:
    """Whatever a body holds, each path that is listed finds what it is listed for."""
    one = notification(payload)
    corpus = Corpus.of([one])
    for path in corpus.paths():
        values = parse_path(path.text).all(one.body)
        assert values, path.text
        for example in path.examples:
            assert any(type(value) is type(example) and repr(value) == repr(example) for value in values)
        assert path.kinds <= {kind_of(value) for value in values}


def kind_of(value: Any) -> str:
    words = {bool: "boolean", int: "integer", float: "number", str: "text", list: "list", dict: "mapping"}
    return "null" if value is None else words[type(value)]


def leaves(value: Any, keys: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the keys of every value below mappings alone."""
    if not isinstance(value, dict):
        return []
    return [found for key, item in value.items() for found in ((*keys, key), *leaves(item, (*keys, key)))]


@examples(200)
@given(documents)
def test_every_value_below_keys_is_listed(payload: Any) -> None:
    """Nothing is missing but what a path cannot name: what is under the key `*`."""
    one = notification(payload)
    listed = {path.steps for path in Corpus.of([one]).paths()}
    assert listed >= {keys for keys in leaves(dict(one.body)) if "*" not in keys}


@examples(60)
@given(st.lists(documents, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_notifications_does_not_matter(payloads: list[Any], chance: random.Random) -> None:
    """Counts, kinds and forms are those of all notifications, in whatever order they come."""
    rows = [notification(payload) for payload in payloads]
    shuffled = [*rows]
    chance.shuffle(shuffled)

    def shown(corpus: Corpus) -> set[Any]:
        return {
            (path.text, path.count, path.share, path.kinds, frozenset(path.forms.items())) for path in corpus.paths()
        }

    assert shown(Corpus.of(rows)) == shown(Corpus.of(shuffled))


KEYS = ["", "a b", "it's", 'say "x"', "a\\b", "a\nb", "é", "true", "1st", "$", "a.b", "`x`", "where", "-a", "a]", "😀"]


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_quoted_as_paths_need_it(key: str) -> None:
    """What is no bare word is quoted, and read again it is the same key."""
    text = key_text(key)
    assert text is not None
    assert parse_path(f"payload.{text}").names == ("payload", key)


def test_a_key_that_no_path_names() -> None:
    """A star is every key, in quotes as well."""
    assert key_text("*") is None
    paths = Corpus.of([notification({"*": {"a": 1}, "b": 2})]).paths()
    assert [path.text for path in paths if path.text.startswith("payload.")] == ["payload.b"]


def test_paths_say_how_often_what_and_how_it_coerces() -> None:
    """Shares are of all notifications that were asked about."""
    paths = {path.text: path for path in RECORDED.paths(["volume.create.start", "volume.create.end"])}
    size = paths["payload.size"]
    assert (size.count, size.share, size.kinds) == (3, 1.0, frozenset(("integer", "text")))
    assert size.examples == ("4", 4, "huge")
    assert [size.coerced(kind) for kind in (TraitType.INT, TraitType.DATETIME, TraitType.TEXT)] == [
        (2, 3),
        (0, 3),
        (3, 3),
    ]
    assert paths["payload.created_at"].coerced(TraitType.DATETIME) == (3, 3)
    assert paths["payload.nodes[*].name"].examples == ("a", "b")
    assert {path.text: path.share for path in RECORDED.paths()}["payload.network.id"] == 0.25


def test_values_of_a_path() -> None:
    """Different values, with where they come from."""
    values = RECORDED.values("payload.network.id")
    assert [(found.value, found.event_type, found.place.line) for found in values] == [
        ("n-1", "network.create.end", 6)
    ]  # the second has the same shape
    assert [found.value for found in RECORDED.values("payload.nodes[*].ram", ["volume.create.end"])] == [2, 8]
    assert RECORDED.values("payload.nodes[*].ram", ["volume.delete.end"]) == []
    with pytest.raises(PathSyntaxError):
        RECORDED.values("payload..")


def test_event_types_that_patterns_take() -> None:
    assert list(RECORDED.matching(parse_pattern(["volume.*", "!*.end"]))) == ["volume.create.start"]
    assert list(RECORDED.matching_expressions([r"volume\.delete", "image"])) == ["volume.delete.end", "image.upload"]


SECRET = {"adminPass": "s3cret", "auth": {"token": "t-1"}, "x": {"private_key": {"pem": "k"}}, "name": "n"}


def test_secrets_are_not_shown() -> None:
    """Neither as an example, nor as a value, nor in a notification that is shown."""
    one = notification(SECRET)
    corpus = Corpus.of([one])
    shown = {path.text: path.examples for path in corpus.paths()}
    assert shown["payload.name"] == ("n",)
    assert all("s3cret" not in values and "t-1" not in values and "k" not in values for values in shown.values())
    assert [found.value for found in corpus.values("payload.adminPass")] == [MASKED]
    assert [found.value for found in corpus.values("payload.auth.token")] == [MASKED]
    assert corpus.shown(one)["payload"] == {
        "adminPass": MASKED,
        "auth": MASKED,
        "x": {"private_key": MASKED},
        "name": "n",
    }


def test_memory_is_bounded() -> None:
    """Senders choose event types, keys and sizes; what is too much is counted, not kept."""
    corpus = Corpus(kept=100_000)
    for number in range(MAX_EVENT_TYPES + 10):
        corpus.add(notification(event_type=f"t{number}"))
    assert (len(corpus.event_types), corpus.untold, corpus.count) == (MAX_EVENT_TYPES, 10, MAX_EVENT_TYPES + 10)

    corpus = Corpus(kept=100_000)
    for number in range(50):
        corpus.add(notification({f"k{number * 100 + key}": 1 for key in range(100)}))
    seen = corpus.event_types["volume.create.end"]
    assert len(seen.keys(("payload",))) == MAX_KEYS
    assert len(seen.examples) < 20
    assert seen.has(("payload", "k4999"))  # for all that is known
    assert not seen.has(("payload", "k1", "x"))


def test_deep_and_wide_bodies() -> None:
    """Neither depth nor width is a recursion."""
    deep: Any = 1
    for _ in range(150):
        deep = {"a": [deep]}
    corpus = Corpus.of([decode_notification({**notification().body, "payload": {"d": deep, "w": list(range(50_000))}})])
    texts = [path.text for path in corpus.paths()]
    assert "payload.w[*]" in texts
    assert all(len(text) <= 4_000 for text in texts)
