"""`eventdefs dead-letters`, as it is called: what it prints where, what it changes, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from eventdefs import cli
from eventdefs.deadletters import DeadLetter, open_dead_letters
from eventdefs.deadletters.letters import letter_of_item, write_letter
from eventdefs.types import Refused
from tests import making
from tests.test_cli import COMMAND, ENVIRONMENT

TOP = Path(__file__).resolve().parent.parent
PAGE = TOP / "docs" / "reference" / "dead-letters.md"
WHEN = datetime(2026, 8, 2, 12, tzinfo=UTC)
STRICT = """\
- event_type: volume.*
  traits:
    resource_id: {fields: payload.id, required: true}
    size: {fields: payload.size, type: int}
"""
LENIENT = """\
- event_type: volume.*
  traits:
    resource_id: {fields: [payload.id, payload.volume]}
    size: {fields: payload.size, type: int}
"""
NO_JSON = "not JSON: Expecting property name enclosed in double quotes at line …, column …"
WHY = "not an int: invalid literal for int() with base 10: 'big'"


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(*arguments: str, given: bytes = b"") -> Ran:
    ran = subprocess.run([*COMMAND, *arguments], input=given, capture_output=True, env=ENVIRONMENT, timeout=120)
    return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def letters(*arguments: str) -> Ran:
    return run("dead-letters", *arguments)


def line(message_id: str, payload: Any, **keys: Any) -> bytes:
    document = {
        "message_id": message_id,
        "event_type": "volume.create.end",
        "timestamp": "2026-08-01 01:02:03",
        "_context_auth_token": "secret",
        "payload": payload,
    }
    return json.dumps({**document, **keys}).encode() + b"\n"


GIVEN = (
    line("m-1", {"volume": "v-1", "size": 4, "tenant_id": "p-1"})
    + line("m-2", {"id": "v-2", "size": "big", "tenant_id": "p-2"})
    + line("m-3", {"id": "v-3", "size": 4, "tenant_id": "p-1"})
    + b'{"_context_auth_token": "secret", oops\n'
)
BETTER = ("--definitions", "lenient.yaml")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with definitions."""
    monkeypatch.chdir(tmp_path)
    Path("strict.yaml").write_text(STRICT)
    Path("lenient.yaml").write_text(LENIENT)
    return tmp_path


@pytest.fixture(params=["dead.jsonl", "sqlite:///dead.db"])
def place(request: pytest.FixtureRequest) -> str:
    """A place with a letter that can be replayed, and two that cannot; their notifications ran to `events.db`."""
    ran = run("run", "--definitions", "strict.yaml", "--to", "sqlite:///events.db", "--quiet", *kept(request.param))
    assert (ran.status, ran.err) == (1, "")
    return str(request.param)


def kept(place: str) -> tuple[str, ...]:
    Path("in.jsonl").write_bytes(GIVEN)
    return "--dead-letters", place, "in.jsonl"


def stored() -> list[str]:
    with closing(sqlite3.connect("events.db")) as connection:
        return [row[0] for row in connection.execute("SELECT message_id FROM events ORDER BY message_id")]


def write(*made: DeadLetter) -> None:
    Path("dead.jsonl").write_bytes(b"".join(write_letter(one) + b"\n" for one in made))


def letter(id: str, **values: Any) -> DeadLetter:
    ours: dict[str, Any] = {"fate": "undecodable", "reason": "empty", "first": WHEN, "last": WHEN, "original": "x"}
    return DeadLetter(id=id.ljust(32, "0"), **{**ours, **values})


# --- list and summary ------------------------------------------------------------------------------------------------


def test_list() -> None:
    """A line a letter: when, which, its fate, what and whose it is, and why; nothing that a terminal would obey."""
    write(
        letter("a1", reason="no\x1b[31m timestamp"),
        letter("b2", fate="partial", event_type="volume.x", tenant="p-1", original={}, reason="trait size: not an int"),
        letter("c3", fate="undelivered", kind="sample", event_type="size", publisher="a://h", first=None, last=None),
    )
    assert [re.split(r"\s{2,}", row) for row in letters("list", "dead.jsonl").out.splitlines()] == [
        ["2026-08-02T12:00:00Z", "a10000000000", "undecodable", "-", "-", r"no\x1b[31m timestamp"],
        ["2026-08-02T12:00:00Z", "b20000000000", "partial", "volume.x", "p-1", "trait size: not an int"],
        ["-", "c30000000000", "undelivered", "size", "-", "a://h: empty"],
    ]


def test_list_as_json(place: str) -> None:
    """Each letter whole, a line each, as a file has them; credentials are nowhere."""
    ran = letters("list", place, "--format", "json")
    assert "secret" not in ran.out
    assert sorted((one["fate"], one["place"], one["count"]) for one in ran.documents) == [
        ("partial", "in.jsonl:2", 1),
        ("rejected", "in.jsonl:1", 1),
        ("undecodable", "in.jsonl:4", 1),
    ]
    assert set(ran.documents[0]) == set(DeadLetter.__struct_fields__)


FILTERS = {
    "everything": ((), ["m-1", "m-2", ""]),
    "a fate": (("--fate", "partial"), ["m-2"]),
    "fates": (("--fate", "partial", "--fate", "rejected"), ["m-1", "m-2"]),
    "a reason": (("--reason", "*not an int*"), ["m-2"]),
    "an event type": (("--event-type", "volume.*"), ["m-1", "m-2"]),
    "a tenant": (("--tenant", "p-1"), ["m-1"]),
    "nobody's": (("--tenant", ""), [""]),
    "since": (("--since", "-1h"), ["m-1", "m-2", ""]),
    "until": (("--until", "-1h"), []),
    "an id of nobody": (("--id", "zz"), []),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(name: str) -> None:
    """Each says which letters are meant."""
    run("run", "--definitions", "strict.yaml", "--to", "memory://", "--quiet", *kept("dead.jsonl"))
    options, wanted = FILTERS[name]
    ran = letters("list", "dead.jsonl", *options, "--format", "json")
    assert (ran.status, [one["message_id"] for one in ran.documents]) == (0, wanted)


def test_summary(place: str) -> None:
    """Reasons with how many letters, the definition that they are about, and first and last seen."""
    text = re.sub(r"2\d{3}-\S+Z", "TIME", letters("summary", place).out)
    count, heads, *rows = text.splitlines()
    assert (count, heads.split()) == ("3 letters", ["letters", "fate", "first", "last", "reason"])
    assert rows == [
        "      1  partial      TIME  TIME  trait size: not an int [strict.yaml:4]",
        "      1  rejected     TIME  TIME  trait resource_id: required, and not there [strict.yaml:3]",
        f"      1  undecodable  TIME  TIME  {NO_JSON}",
    ]
    documents = letters("summary", place, "--format", "json").documents
    assert [(one["kind"], one["name"], one["definition"], one["letters"], one["count"]) for one in documents] == [
        ("group", "trait size", "strict.yaml:4", 1, 1),
        ("group", "trait resource_id", "strict.yaml:3", 1, 1),
        ("group", "", "", 1, 1),
    ]


def test_the_same_run_again(place: str) -> None:
    """Letters are not repeated, but counted."""
    run("run", "--definitions", "strict.yaml", "--to", "sqlite:///events.db", "--quiet", *kept(place))
    assert letters("summary", place).out.splitlines()[0] == "3 letters, dead-lettered 6 times"


def test_lines_that_cannot_be_read() -> None:
    """They are named, up to ten, the others are listed, and the status is 1."""
    path = Path("dead.jsonl")
    path.write_bytes(b"oops\n" * 12 + write_letter(letter("a")) + b"\n")
    ran = letters("list", "dead.jsonl")
    assert (ran.status, ran.out.count("\n")) == (1, 1)
    assert ran.err.splitlines() == [
        *(f"eventdefs: dead.jsonl:{number}: no JSON" for number in range(1, 11)),
        "eventdefs: 2 more cannot be read",
    ]


# --- show ------------------------------------------------------------------------------------------------------------


def id_of(place: str, fate: str) -> str:
    (found,) = letters("list", place, "--fate", fate, "--format", "json").documents
    return str(found["id"])


def test_show(place: str) -> None:
    """Why, the original, and what today's definitions make of it."""
    ran = letters("show", place, id_of(place, "rejected")[:10], *BETTER)
    assert (ran.status, ran.err) == (0, "")
    wanted = (
        "  why         trait resource_id: required, and not there  in strict.yaml:3  at payload.id\n",
        "  place       in.jsonl:1\n",
        "original\n  {\n",
        '      "volume": "v-1",\n',
        "today\nvolume.create.end  m-1  info",
        "resource_id  v-1  text",
    )
    assert [part for part in wanted if part not in ran.out] == []
    assert "secret" not in ran.out


def test_show_of_what_is_no_notification(place: str) -> None:
    """The text that came, masked, and why it still is none."""
    out = letters("show", place, id_of(place, "undecodable")).out
    assert 'original\n  {"_context_auth_token": "***", oops\n' in out
    assert "today\nin.jsonl:4: no notification: not JSON" in out


def test_show_as_json(place: str) -> None:
    """The letter, and the explanation as `explain` gives it."""
    (document,) = letters("show", place, id_of(place, "partial"), *BETTER, "--format", "json").documents
    assert (document["letter"]["message_id"], document["today"][0]["kind"]) == ("m-2", "explanation")
    assert document["today"][0]["problems"][0]["reason"] == WHY


def test_show_of_an_item() -> None:
    """The item as it would be published, and who did not take it."""
    made = letter_of_item("kafka://h/t", Refused(making.usage(), "too\x1b large"), None, WHEN)
    write(made)
    out = letters("show", "dead.jsonl", made.id).out
    for part in (
        "publisher   kafka://h/t\n",
        "meter       database.uptime\n",
        "usage\n  {\n",
        r"why         too\x1b large",
    ):
        assert part in out


def test_show_finds_one() -> None:
    """An id of none or of several is a finding, with those that it could be."""
    write(letter("aa"), letter("ab"))
    ran = letters("show", "dead.jsonl", "a")
    text = "eventdefs: 2 open letters with an id that begins with 'a': aa0000000000, ab0000000000\n"
    assert (ran.status, ran.out, ran.err) == (1, "", text)
    ran = letters("show", "dead.jsonl", "b")
    assert (ran.status, ran.err) == (1, "eventdefs: 0 open letters with an id that begins with 'b'\n")


# --- replay ----------------------------------------------------------------------------------------------------------


STAYS = f"""\
        1  {NO_JSON}
        1  trait size: {WHY.replace("'big'", "…")}
"""


def in_order(text: str) -> list[str]:
    """Return the lines of *text*, the reasons among them sorted: a place gives letters in an order of its own."""
    lines = text.splitlines(keepends=True)
    first = next((number for number, one in enumerate(lines) if one.startswith("     ")), len(lines))
    return lines[:first] + sorted(lines[first:])


def test_dry_run(place: str) -> None:
    """It says how many would now succeed and why the others would not, and changes nothing."""
    before = letters("list", place, "--format", "json").out
    ran = letters("replay", place, "--dry-run", *BETTER)
    text = f"3 letters: 1 would be replayed, 2 would still fail\nwould still fail:\n{STAYS}"
    assert (ran.status, in_order(ran.out), ran.err) == (1, text.splitlines(keepends=True), "")
    assert (letters("list", place, "--format", "json").out, stored()) == (before, ["m-2", "m-3"])


def test_replay(place: str) -> None:
    """What can be read now is published and settled; again, it finds nothing of that to do."""
    to = ("--to", "sqlite:///events.db", *BETTER)
    first, second = letters("replay", place, *to), letters("replay", place, *to)
    assert (first.status, in_order(first.out)) == (
        1,
        f"3 letters: 1 replayed, 2 still failing\nsqlite:///events.db: 1 published\nstill failing:\n{STAYS}".splitlines(
            keepends=True
        ),
    )
    assert second.out.startswith("2 letters: 0 replayed, 2 still failing\nsqlite:///events.db: 0 published\n")
    assert stored() == ["m-1", "m-2", "m-3"]
    attempts = [one["attempts"] for one in letters("list", place, "--format", "json").documents]
    assert attempts == [2, 2]


@pytest.mark.parametrize(("options", "size"), [((), None), (("--replace",), "big")])
def test_replay_of_what_is_there_in_part(options: tuple[str, ...], size: str | None) -> None:
    """A stored event stays as it is, or `--replace` corrects it; it is there once, and the letter is settled."""
    run("run", "--definitions", "strict.yaml", "--to", "sqlite:///events.db", "--quiet", *kept("dead.jsonl"))
    Path("text.yaml").write_text(STRICT.replace("{fields: payload.size, type: int}", "payload.size"))
    to = ("--to", "sqlite:///events.db", "--definitions", "text.yaml")
    ran = letters("replay", "dead.jsonl", "--fate", "partial", *to, *options)
    assert (ran.status, stored()) == (0, ["m-2", "m-3"]), ran.err
    (event,) = run("events", "sqlite:///events.db", "--message-id", "m-2", "--format", "json").documents
    assert event["traits"].get("size") == size


def test_replay_as_json(place: str) -> None:
    """The same for programs; a filter chooses, and when all of that is delivered the status is 0."""
    ran = letters("replay", place, "--fate", "rejected", "--to", "sqlite:///events.db", *BETTER, "--format", "json")
    assert (ran.status, ran.documents) == (
        0,
        [
            {
                "kind": "replay",
                "dry_run": False,
                "letters": 1,
                "replayed": 1,
                "failing": 0,
                "reasons": {},
                "published": [{"to": "sqlite:///events.db", "published": 1, "duplicates": 0}],
                "error": None,
            }
        ],
    )


def test_replay_through_a_pipeline(place: str) -> None:
    """A pipeline file says what goes where."""
    Path("pipeline.yaml").write_text(
        "sources:\n- {name: volumes, events: ['volume.*'], sinks: [store]}\n"
        "- {name: images, events: ['image.*'], sinks: [other]}\n"
        "sinks:\n- {name: store, publishers: ['sqlite:///events.db']}\n"
        "- {name: other, publishers: ['file://other.jsonl']}\n"
    )
    ran = letters("replay", place, "--fate", "rejected", "--pipeline", "pipeline.yaml", *BETTER)
    assert (ran.status, stored()) == (0, ["m-1", "m-2", "m-3"]), ran.err
    assert not Path("other.jsonl").exists() or Path("other.jsonl").read_text() == ""


def test_a_publisher_that_is_away(place: str) -> None:
    """It is said, nothing is settled and no attempt counted, and the status is 2; run again, all is delivered."""
    to = ("--to", "sqlite:///events.db", "--to", "file:///dev/full?retry_for=0s")
    before = letters("list", place, "--format", "json").out
    ran = letters("replay", place, "--fate", "rejected", *to, *BETTER)
    assert (ran.status, ran.err) == (2, "eventdefs: /dev/full: No space left on device; run it again\n")
    assert letters("list", place, "--format", "json").out == before
    ran = letters("replay", place, "--fate", "rejected", *to[:2], *BETTER)
    assert ran.out == "1 letter: 1 replayed, 0 still failing\nsqlite:///events.db: 1 published, 1 there already\n"


CANNOT = {
    "no publisher": (("replay", "dead.jsonl"), "nothing to replay to: name a publisher with --to, or a pipeline"),
    "a publisher that keeps nothing": (
        ("replay", "dead.jsonl", "--to", "stdout://"),
        "stdout:// keeps nothing: what is replayed to it alone would be gone",
    ),
    "an unknown option": (("replay", "dead.jsonl", "--to", "sqlite:///e.db?x=1"), "sqlite:///e.db: unknown option 'x'"),
    "no letters": (("list", "no.jsonl"), "there are no dead letters no.jsonl"),
    "no place": (("summary", "udp://h:1"), "udp://h:1 keeps no dead letters, known are a path and file, kafka"),
    "a database that is away": (
        ("list", "postgresql://user:secret@127.0.0.1:1/x"),
        "dead letters postgresql://127.0.0.1:1/x: ",
    ),
    "drop of nothing": (("drop", "dead.jsonl"), "say which letters to drop, as --id or --reason does, or --all"),
    "drop of all and some": (("drop", "dead.jsonl", "--all", "--id", "a"), "--all and a filter exclude one another"),
}


@pytest.mark.parametrize("name", CANNOT)
def test_what_cannot_be_done(name: str) -> None:
    """It is said in one line, without secrets, and the status is 2."""
    write(letter("a"))
    before = Path("dead.jsonl").read_bytes()
    arguments, text = CANNOT[name]
    ran = letters(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"eventdefs: {text}")
    assert (ran.err.count("\n"), "secret" in ran.err) == (1, False)
    assert Path("dead.jsonl").read_bytes() == before


def test_a_replay_keeps_no_backlog(place: str) -> None:
    """Options that would let a publisher take over what it has not delivered are left out."""
    url = f"sqlite:///events.db?required=false&spool={Path.cwd()}/spool&dead_letters=x&retry_for=1s"
    assert letters("replay", place, "--fate", "rejected", "--to", url, *BETTER).status == 0
    assert (stored(), Path("spool").exists(), Path("x").exists()) == (["m-1", "m-2", "m-3"], False, False)


@pytest.mark.parametrize("at", [1, 900, 2500])
@pytest.mark.parametrize("kind", ["dead.jsonl", "sqlite:///dead.db"])
def test_killed_in_the_middle(kind: str, at: int) -> None:
    """Killed once the store has so many events and begun again: nothing is lost, nothing is there twice."""
    count = 4000
    with open_place(kind) as place:
        place.add(
            [
                msgspec.structs.replace(
                    letter_of_item("a://", Refused(making.event(f"m-{number:05}"), "no"), None, WHEN), first=WHEN
                )
                for number in range(count)
            ]
        )
    replay = ("dead-letters", "replay", kind, "--to", "sqlite:///events.db?batch_items=100")
    process = subprocess.Popen([*COMMAND, *replay], env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    while process.poll() is None and rows() < at:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    ran = run(*replay, "--format", "json")
    assert (ran.status, ran.documents[0]["failing"]) == (0, 0), ran.err
    assert stored() == [f"m-{number:05}" for number in range(count)]
    assert letters("list", kind).out == ""


def open_place(url: str) -> Any:
    return closing(open_dead_letters(url))


def rows() -> int:
    try:
        return len(stored())
    except sqlite3.OperationalError:  # there is no table yet
        return 0


def test_what_a_broker_refuses(kafka: str) -> None:
    """What is too large for one is dead-lettered with its notification, and replayed when it is allowed to be."""
    from kafka import KafkaConsumer

    topic = f"kafka://{kafka}/letters-{Path.cwd().name[:100]}"
    given = line("m-1", {"id": "v-1", "size": 1}) + line("m-2", {"id": "v" * 5000, "size": 2})
    Path("in.jsonl").write_bytes(given)
    options = ("--definitions", "strict.yaml", "--dead-letters", "dead.jsonl", "--quiet")
    ran = run("run", "in.jsonl", "--to", f"{topic}?max_bytes=2000", *options)
    assert ran.status == 1, ran.err
    (made,) = letters("list", "dead.jsonl", "--format", "json").documents
    assert (made["fate"], made["publisher"], made["message_id"], made["original"]["payload"]["size"]) == (
        "undelivered",
        topic,
        "m-2",
        2,
    )
    ran = letters("replay", "dead.jsonl", "--to", f"{topic}?max_bytes=20000", "--definitions", "strict.yaml")
    assert (ran.status, ran.out) == (0, f"1 letter: 1 replayed, 0 still failing\n{topic}: 1 published\n")
    name = topic.rpartition("/")[2]
    consumer = KafkaConsumer(name, bootstrap_servers=kafka, auto_offset_reset="earliest", consumer_timeout_ms=5000)
    found = sorted(json.loads(message.value)["message_id"] for _, message in zip(range(2), consumer, strict=False))
    consumer.close()
    assert found == ["m-1", "m-2"]


# --- drop ------------------------------------------------------------------------------------------------------------


def test_drop(place: str) -> None:
    """What is chosen is listed no more, and replayed no more."""
    assert letters("drop", place, "--fate", "undecodable", "--dry-run").out == "1 letter would be dropped\n"
    assert len(letters("list", place).out.splitlines()) == 3
    assert letters("drop", place, "--fate", "undecodable").out == "1 letter dropped\n"
    assert letters("drop", place, "--fate", "undecodable").out == "0 letters dropped\n"
    assert len(letters("list", place).out.splitlines()) == 2
    ran = letters("drop", place, "--all", "--format", "json")
    assert ran.documents == [{"kind": "drop", "dry_run": False, "dropped": 2, "purged": 0}]
    assert letters("replay", place, "--dry-run").out == "0 letters: 0 would be replayed, 0 would still fail\n"


def test_purge() -> None:
    """A file is written anew with what is open."""
    write(letter("a"), letter("b"), letter("a"))
    assert letters("drop", "dead.jsonl", "--id", "b", "--purge").out == "1 letter dropped\n3 records purged\n"
    assert Path("dead.jsonl").read_bytes() == write_letter(letter("a", count=2)) + b"\n"
    assert letters("drop", "dead.jsonl", "--purge").out == "0 records purged\n"


# --- the page --------------------------------------------------------------------------------------------------------


(COMMANDS,) = (
    action.choices
    for parser in (cli.full_parser()._actions[-1].choices["dead-letters"],)
    for action in parser._actions
    if isinstance(action.choices, dict)
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    """The section of a command names its options; what chooses letters stands in one for all."""
    text = PAGE.read_text()
    section = text.partition(f"## eventdefs dead-letters {name}\n")[2].partition("\n## ")[0]
    choosing = text.partition("## Choosing letters\n")[2].partition("\n## ")[0]
    assert section
    assert choosing
    words = set(re.findall(r"`([^`\n]+)`", section + choosing))
    options = [word for one in COMMANDS[name]._actions for word in one.option_strings if word not in ("-h", "--help")]
    assert [option for option in options if option not in words] == []


def test_every_field_of_a_letter_is_documented() -> None:
    """The page names each."""
    words = set(re.findall(r"`([^`\n]+)`", PAGE.read_text()))
    assert [name for name in DeadLetter.__struct_fields__ if name not in words] == []


def test_a_hundred_thousand_letters() -> None:
    """They are listed and summarised without being held in memory."""
    with open("dead.jsonl", "wb") as stream:
        for number in range(100_000):
            stream.write(write_letter(letter(f"{number:08x}", original="x" * 1500)) + b"\n")
    # The most that this program had; what `getrusage` says may be that of the process that started it.
    script = (
        "import re, sys\nfrom eventdefs.cli import main\nmain(sys.argv[1:])\n"
        "sys.stderr.write(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    for command, lines in (("list", 100_000), ("summary", 3)):
        command_line = [sys.executable, "-c", script, "dead-letters", command, "dead.jsonl"]
        ran = subprocess.run(command_line, capture_output=True, env=ENVIRONMENT, check=True)
        assert (ran.stdout.count(b"\n"), int(ran.stderr) < 180_000) == (lines, True), ran.stderr
