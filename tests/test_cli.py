"""The command line, as it is called: what it prints where, and how it ends."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import eventdefs

TOP = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "eventdefs"]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
    "PYTHONPATH": str(TOP),
    "PYTHONUTF8": "1",
    "TERM": "xterm",
}
DEFINITIONS = """\
- event_type: volume.*
  description: Volumes.
  traits:
    resource_id: {fields: payload.id, required: true}
    size: {type: int, fields: payload.size}
"""
METERS = """\
metric:
  - {name: size, event_type: volume, type: gauge, unit: GiB, volume: $.payload.size, resource_id: $.payload.id}
"""


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with definitions."""
    monkeypatch.chdir(tmp_path)
    Path("d.yaml").write_text(DEFINITIONS)
    Path("m.yaml").write_text(METERS)
    return tmp_path


def run(*arguments: str, given: bytes = b"") -> Ran:
    ran = subprocess.run([*COMMAND, *arguments], input=given, capture_output=True, env=ENVIRONMENT, timeout=60)
    return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def line(message_id: str = "m-1", **keys: Any) -> bytes:
    document = {
        "message_id": message_id,
        "event_type": "volume.create.end",
        "publisher_id": "volume.host-1",
        "priority": "INFO",
        "timestamp": "2026-08-01 01:02:03",
        "payload": {"id": "v-1", "size": 4, "tenant_id": "p-1"},
        "_context_auth_token": "secret",
    }
    return json.dumps({**document, **keys}).encode() + b"\n"


GOOD = line("m-1") + line("m-2")
BAD = line("m-3", payload={"id": "v-1", "size": "big", "tenant_id": "p-1"})
REJECTED = line("m-4", payload={"size": 4})
UNKNOWN = line("m-5", event_type="port.create.end")
BROKEN = b'{"_context_auth_token": "secret", oops\n'

EVENT = {
    "kind": "event",
    "message_id": "m-1",
    "event_type": "volume.create.end",
    "generated": "2026-08-01T01:02:03Z",
    "tenant": "p-1",
    "priority": "info",
    "publisher_id": "volume.host-1",
    "traits": {
        "service": "volume.host-1",
        "project_id": "p-1",
        "tenant_id": "p-1",
        "resource_id": "v-1",
        "size": 4,
    },
}
USE = ("--definitions", "d.yaml")


# --- output ----------------------------------------------------------------------------------------------------------


def test_lines_in_a_pipe() -> None:
    """Standard input becomes lines of JSON, and the summary goes where it disturbs nobody."""
    ran = run("run", *USE, given=GOOD)
    assert (ran.status, ran.lines) == (0, [EVENT, {**EVENT, "message_id": "m-2"}])
    first, *rest = ran.err.splitlines()
    assert first.startswith("2 notifications: 2 events, 0 samples, 0 periods in ")
    assert rest == ["stdout://: 2 published"]


def test_files_and_standard_input_together() -> None:
    """Paths are read in their order, and `-` is standard input."""
    Path("a.jsonl").write_bytes(line("m-1"))
    Path("b.jsonl").write_bytes(line("m-3"))
    ran = run("run", "a.jsonl", "-", "b.jsonl", *USE, "--quiet", given=line("m-2"))
    assert ([document["message_id"] for document in ran.lines], ran.err) == (["m-1", "m-2", "m-3"], "")


def test_table_in_a_pipe() -> None:
    """`--format text` gives the table where lines would be given."""
    ran = run("run", *USE, "--format", "text", given=line())
    assert ran.out == (
        "2026-08-01 01:02:03  event   volume.create.end                 p-1       "
        "resource_id=v-1 size=4 service=volume.host-1 project_id=p-1 tenant_id=p-1\n"
    )


class Terminal:
    """The command on a terminal of 80 columns."""

    def __init__(self, *arguments: str, stdout: bool = True, stderr: bool = True) -> None:
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.PIPE,
            stdout=slave if stdout else subprocess.DEVNULL,
            stderr=slave if stderr else subprocess.PIPE,
            env={**ENVIRONMENT, "COLUMNS": "80"},
        )
        os.close(slave)
        self.shown = b""

    def give(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def look(self, seconds: float) -> None:
        """Read what is shown, for at most so long."""
        if select.select([self._master], [], [], seconds)[0]:
            with contextlib.suppress(OSError):  # the other side is closed
                self.shown += os.read(self._master, 65536)

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        until = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < until:
            self.look(0.05)
        while select.select([self._master], [], [], 0)[0]:
            before = self.shown
            self.look(0)
            if self.shown == before:
                break
        os.close(self._master)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return self.process.wait(5)


def test_table_on_a_terminal() -> None:
    """A person gets a table, each row on one line of the terminal."""
    terminal = Terminal("run", "-", *USE, "--quiet")
    terminal.give(line("m-1") + line("m-2", payload={"id": "v\x1b[31m", "size": 5}))
    assert terminal.end() == 0
    rows = terminal.shown.decode().split("\r\n")
    assert rows == [
        "2026-08-01 01:02:03  event   volume.create.end                 p-1       resour…",
        "2026-08-01 01:02:03  event   volume.create.end                 -         resour…",
        "",
    ]


def test_lines_on_a_terminal() -> None:
    """`--format json` gives lines even there."""
    terminal = Terminal("run", "-", *USE, "--quiet", "--format", "json")
    terminal.give(line())
    assert (terminal.end(), json.loads(terminal.shown)) == (0, EVENT)


def test_nothing_to_read_on_a_terminal() -> None:
    """Who names nothing and types nothing is told what to name."""
    master, slave = pty.openpty()
    ran = subprocess.run([*COMMAND, "run"], stdin=slave, capture_output=True, env=ENVIRONMENT, timeout=60)
    os.close(master)
    os.close(slave)
    assert (ran.returncode, ran.stdout, ran.stderr.decode()) == (
        2,
        b"",
        "eventdefs: no notifications: name files or directories of them, or - for standard input\n",
    )


@pytest.mark.parametrize("options", [(), ("--quiet",)], ids=["a terminal", "quiet"])
def test_progress(options: tuple[str, ...]) -> None:
    """After a second a terminal shows how far it is, on one line that goes when it is done."""
    terminal = Terminal("run", "-", *USE, "--to", "memory://", *options, stdout=False)
    begun, number = time.monotonic(), 0
    while b"a second" not in terminal.shown and time.monotonic() - begun < (1.4 if options else 20):
        terminal.give(b"".join(line(f"m-{number + index}") for index in range(64)))
        number += 64
        terminal.look(0.05)
    assert terminal.end() == 0
    if options:
        assert terminal.shown == b""
    else:
        progress, _, rest = terminal.shown.partition(b" notifications, ")
        assert progress.startswith(b"\r\x1b[K")
        assert b"\r\x1b[K" in rest
        assert f"{number:,} notifications: ".encode() in rest


def test_no_progress_in_a_pipe() -> None:
    """A log is no terminal."""
    with subprocess.Popen(
        [*COMMAND, "run", "-", *USE, "--to", "memory://"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        begun = time.monotonic()
        while time.monotonic() - begun < 1.4:
            process.stdin.write(b"".join(line(f"m-{index}") for index in range(64)))
            process.stdin.flush()
            select.select([process.stderr], [], [], 0.05)
        process.stdin.close()
        said = process.stderr.read()
    assert b"\r" not in said
    assert b"a second" not in said


# --- how it ends -----------------------------------------------------------------------------------------------------

STATUSES = {
    "all is well": (GOOD, (), 0),
    "nothing": (b"", (), 0),
    "no definition for it": (UNKNOWN, (), 0),
    "no definition for it, dropped": (UNKNOWN, ("--drop-unmatched",), 0),
    "a problem": (GOOD + BAD, (), 1),
    "rejected": (REJECTED, (), 1),
    "no notification": (b"{}\n" + GOOD, (), 1),
    "no JSON": (BROKEN, (), 1),
    "a file that is not there": (GOOD, ("-", "missing.json"), 2),
    "a folder without files": (GOOD, (".",), 2),
    "definitions that are not there": (GOOD, ("--definitions", "missing.yaml"), 2),
    "definitions with errors": (GOOD, ("--definitions", "bad.yaml"), 2),
    "a publisher that is not there": (GOOD, ("--to", "nowhere://"), 2),
    "an unknown option of a publisher": (GOOD, ("--to", "memory://?a=1"), 2),
    "a publisher that fails": (GOOD, ("--to", "file:///dev/full"), 2),
    "a publisher that fails beside a good one": (GOOD, ("--to", "file:///dev/full", "--to", "memory://"), 2),
    "dead letters that cannot be written": (GOOD, ("--dead-letters", "no/letters"), 2),
    "dead letters on a full disk": (BAD * 2, ("--dead-letters", "/dev/full"), 2),
    "an unknown option": (GOOD, ("--form", "xml"), 2),
    "an unknown format": (GOOD, ("--format", "xml"), 2),
    "a batch of nothing": (GOOD, ("--batch", "0"), 2),
    "a batch of text": (GOOD, ("--batch", "many"), 2),
}


@pytest.mark.parametrize(("given", "arguments", "status"), STATUSES.values(), ids=STATUSES)
def test_statuses(given: bytes, arguments: tuple[str, ...], status: int) -> None:
    """0 fine, 1 something could not be read, 2 could not run; and never a traceback."""
    Path("bad.yaml").write_text("- {event_type: a, traits: 5}\n")
    definitions = () if "--definitions" in arguments else USE
    ran = run("run", *arguments, *definitions, given=given)
    assert ran.status == status
    assert "Traceback" not in ran.err
    assert ran.err


MESSAGES = {
    "no command": ((), "eventdefs: error: the following arguments are required: COMMAND"),
    "an unknown command": (("rnu",), "eventdefs: error: argument COMMAND: invalid choice: 'rnu' (choose from 'run')"),
    "an unknown option": (("run", "--nothing"), "eventdefs: error: unrecognized arguments: --nothing"),
    "a file that is not there": (("run", "missing.json"), "eventdefs: missing.json: there is no such file"),
    "an empty folder": (
        ("run", "empty"),
        "eventdefs: empty: no file below it ends with .json, .jsonl, .ndjson (or .gz)",
    ),
    "a publisher": (
        ("run", "--to", "nowhere://me:secret@host"),
        "eventdefs: no publisher for nowhere://, known are file, memory, sqlite, stdout",
    ),
    "dead letters": (
        ("run", "--dead-letters", "no/letters"),
        "eventdefs: --dead-letters no/letters: No such file or directory",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), MESSAGES.values(), ids=MESSAGES)
def test_messages(arguments: tuple[str, ...], message: str) -> None:
    """What could not be run says why, on its last line."""
    Path("empty").mkdir()
    ran = run(*arguments, given=GOOD)
    assert (ran.status, ran.out, ran.err.splitlines()[-1]) == (2, "", message)


def test_definition_errors_are_shown_whole() -> None:
    """Every problem of every file, with its line and a caret."""
    Path("a.yaml").write_text("- {event_type: a, traits: {x: {type: integer, fields: payload.x}}}\n")
    Path("b.yaml").write_text("metric: 5\n")
    ran = run("run", "--definitions", "a.yaml", "b.yaml", "c.yaml", given=GOOD)
    assert (ran.status, ran.out, ran.err) == (
        2,
        "",
        """\
c.yaml: error[E002]: cannot be read: No such file or directory
a.yaml:1:38: error[E104]: unknown trait type 'integer'
   |
 1 | - {event_type: a, traits: {x: {type: integer, fields: payload.x}}}
   |                                      ^^^^^^^ expected text, int, float, datetime (did you mean 'int'?)
b.yaml:1:9: error[E101]: metric is the number '5'
   |
 1 | metric: 5
   |         ^ expected a list of sample definitions
""",
    )


def test_definition_warnings_are_shown() -> None:
    """What is no error is said, and the run goes on."""
    Path("w.yaml").write_text("- {event_type: 'volume.*', traits: {}, colour: red}\n")
    ran = run("run", "--definitions", "w.yaml", given=GOOD)
    assert (ran.status, len(ran.lines)) == (0, 2)
    assert ran.err.startswith("w.yaml:1:40: warning[W101]: unknown key 'colour' in an event definition\n")


def test_version() -> None:
    """`--version` says which."""
    assert run("--version") == Ran(0, f"eventdefs {eventdefs.__version__}\n", "")


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help")], ids=" ".join)
def test_help(arguments: tuple[str, ...]) -> None:
    """Help is an answer, not an error."""
    ran = run(*arguments)
    assert (ran.status, ran.out.startswith("usage: eventdefs"), ran.err) == (0, True, "")


def head(*arguments: str) -> tuple[int, bytes, str]:
    """Run in a pipe whose reader takes one line; return status, the line, and what was said."""
    Path("many.jsonl").write_bytes(b"".join(line(f"m-{number}") for number in range(5_000)))
    with subprocess.Popen(
        [*COMMAND, "run", "many.jsonl", *USE, "--batch", "10", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    return process.returncode, first, said


def test_a_reader_that_has_enough() -> None:
    """`| head -1` gets its line, nobody complains, and it is no failure."""
    status, first, said = head()
    assert (json.loads(first)["message_id"], "Traceback" in said, "Exception" in said) == ("m-0", False, False)
    assert status == 0


def test_a_reader_that_has_enough_does_not_stop_other_publishers() -> None:
    """What goes to a file beside it is there whole."""
    head("--to", "stdout://", "--to", "file://out.jsonl")
    assert Path("out.jsonl").read_bytes().count(b"\n") == 5_000


def test_interrupted() -> None:
    """Ctrl-C is answered with one line; what was delivered stays."""
    with subprocess.Popen(
        [*COMMAND, "run", "-", *USE, "--batch", "1", "--to", "file://out.jsonl", "--to", "stdout://"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(line())
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == EVENT
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (130, "eventdefs: interrupted\n")
    assert json.loads(Path("out.jsonl").read_bytes()) == EVENT


# --- what it keeps and says ------------------------------------------------------------------------------------------

NOT_JSON = "not JSON: Expecting property name enclosed in double quotes at line 1, column 35"
EVERYTHING = GOOD + BAD + REJECTED + UNKNOWN + BROKEN + b"{}\n"


def test_summary_as_text() -> None:
    """What was read, what became of it, and what could not be read and why."""
    ran = run("run", *USE, "m.yaml", "--to", "memory://", given=EVERYTHING)
    first, *rest = ran.err.splitlines()
    assert first.startswith("7 notifications: 4 events, 2 samples, 0 periods in ")
    assert rest == [
        "memory://: 6 published",
        "1 rejected by their definition",
        "no definition for:",
        "        1  port.create.end",
        "not a notification:",
        f"        1  {NOT_JSON} (first at <stdin>:6)",
        "        1  no event_type (first at <stdin>:7)",
        "problems:",
        "        1  d.yaml:5:5: trait size: not an int [payload.size]",
        "        1  m.yaml:2:70: sample size.volume: not a number [$.payload.size]",
        "        1  d.yaml:4:5: trait resource_id: required, and not there [payload.id]",
    ]
    assert (ran.status, ran.out) == (1, "")


def test_summary_as_json() -> None:
    """The same for programs, on one line."""
    ran = run("run", *USE, "m.yaml", "--to", "memory://", "--format", "json", given=EVERYTHING)
    assert json.loads(ran.err) == {
        "kind": "summary",
        "read": 7,
        "events": 4,
        "samples": 2,
        "periods": 0,
        "rejected": 1,
        "unmatched": {"port.create.end": 1},
        "unwanted": {},
        "undecodable": {
            NOT_JSON: 1,
            "no event_type": 1,
        },
        "problems": [
            {
                "definition": "d.yaml:5:5",
                "name": "trait size",
                "path": "payload.size",
                "reason": "not an int",
                "count": 1,
            },
            {
                "definition": "m.yaml:2:70",
                "name": "sample size.volume",
                "path": "$.payload.size",
                "reason": "not a number",
                "count": 1,
            },
            {
                "definition": "d.yaml:4:5",
                "name": "trait resource_id",
                "path": "payload.id",
                "reason": "required, and not there",
                "count": 1,
            },
        ],
        "unread": [],
        "published": [
            {"to": "memory://", "published": 6, "duplicates": 0, "undelivered": 0, "error": None},
        ],
    }


def test_summary_of_what_was_not_delivered() -> None:
    """A publisher that failed is named with its error, and what it did not take is counted."""
    ran = run("run", *USE, "--to", "file:///dev/full", "--to", "memory://", "--format", "json", given=GOOD)
    summary, said = ran.err.splitlines()
    error = "/dev/full: No space left on device"
    assert json.loads(summary)["published"] == [
        {"to": "file:///dev/full", "published": 0, "duplicates": 0, "undelivered": 2, "error": error},
        {"to": "memory://", "published": 2, "duplicates": 0, "undelivered": 0, "error": None},
    ]
    assert said == f"eventdefs: file:///dev/full: {error}; 2 not delivered"


def test_a_file_that_ends_too_early() -> None:
    """What can be read of it is published, the others are read, and the status says that it was not all."""
    Path("a.jsonl.gz").write_bytes(gzip.compress(GOOD)[:-4])
    Path("b.jsonl").write_bytes(line("m-9"))
    ran = run("run", "a.jsonl.gz", "b.jsonl", *USE, "--quiet")
    assert ([document["message_id"] for document in ran.lines], ran.status) == (["m-1", "m-2", "m-9"], 2)
    assert ran.err == "eventdefs: a.jsonl.gz: the gzip stream ends too early\n"


def test_dead_letters() -> None:
    """What could not be read is kept whole, with where it stood and why, and without credentials."""
    ran = run("run", *USE, "--quiet", "--dead-letters", "letters.jsonl", given=EVERYTHING)
    assert (ran.status, ran.err) == (1, "")
    text = Path("letters.jsonl").read_text()
    assert "secret" not in text
    letters = [json.loads(letter) for letter in text.splitlines()]
    problem = {"message_id": "m-3", "event_type": "volume.create.end", "definition": "volume.*", "file": "d.yaml"}
    assert [(letter["fate"], letter["place"], letter["errors"]) for letter in letters] == [
        (
            "partial",
            "<stdin>:3",
            [
                {
                    **problem,
                    "line": 5,
                    "kind": "trait",
                    "name": "size",
                    "path": "payload.size",
                    "value": "big",
                    "reason": "not an int: invalid literal for int() with base 10: 'big'",
                }
            ],
        ),
        (
            "rejected",
            "<stdin>:4",
            [
                {
                    **problem,
                    "message_id": "m-4",
                    "line": 4,
                    "kind": "trait",
                    "name": "resource_id",
                    "path": "payload.id",
                    "value": "",
                    "reason": "required, and not there",
                }
            ],
        ),
        (
            "undecodable",
            "<stdin>:6",
            [{"reason": NOT_JSON}],
        ),
        ("undecodable", "<stdin>:7", [{"reason": "no event_type"}]),
    ]
    assert letters[0]["original"]["payload"] == {"id": "v-1", "size": "big", "tenant_id": "p-1"}
    assert letters[2]["original"] == '{"_context_auth_token": "***", oops\n'


def test_dead_letters_are_kept_for_better_definitions() -> None:
    """The originals run again, with definitions that can read them."""
    run("run", *USE, "--quiet", "--dead-letters", "letters.jsonl", given=BAD + REJECTED)
    originals = [json.loads(letter)["original"] for letter in Path("letters.jsonl").read_text().splitlines()]
    Path("better.yaml").write_text("- {event_type: volume.*, traits: {size: payload.size}}\n")
    given = b"".join(json.dumps(original).encode() + b"\n" for original in originals)
    ran = run("run", "--definitions", "better.yaml", given=given)
    assert (ran.status, [document["traits"]["size"] for document in ran.lines]) == (0, ["big", "4"])


def test_dead_letters_are_appended() -> None:
    """A second run keeps what the first wrote."""
    for _ in range(2):
        run("run", *USE, "--quiet", "--dead-letters", "letters.jsonl", given=BAD)
    assert Path("letters.jsonl").read_bytes().count(b"\n") == 2


def test_store_raw() -> None:
    """Raw bodies are kept for the priorities asked for, without credentials."""
    given = line("m-1") + line("m-2", priority="ERROR")
    ran = run("run", *USE, "--store-raw", "Error", "--quiet", given=given)
    assert "secret" not in ran.out
    assert [document.get("raw", {}).get("payload") for document in ran.lines] == [
        None,
        {"id": "v-1", "size": 4, "tenant_id": "p-1"},
    ]


def test_drop_unmatched() -> None:
    """No event where no definition applies; it is counted all the same."""
    ran = run("run", *USE, "--drop-unmatched", "--format", "json", given=GOOD + UNKNOWN)
    assert [document["message_id"] for document in ran.lines] == ["m-1", "m-2"]
    assert json.loads(ran.err)["unmatched"] == {"port.create.end": 1}


def test_running_twice_stores_once() -> None:
    """The same input again adds nothing, and the summary says that it was there."""
    urls = ("--to", "sqlite:///e.db", "--to", "file://e.jsonl")
    first = run("run", *USE, "m.yaml", *urls, "--format", "json", given=GOOD)
    second = run("run", *USE, "m.yaml", *urls, "--format", "json", given=GOOD + line("m-9"))
    assert [json.loads(ran.err)["published"] for ran in (first, second)] == [
        [
            {"to": "sqlite:///e.db", "published": 4, "duplicates": 0, "undelivered": 0, "error": None},
            {"to": "file://e.jsonl", "published": 4, "duplicates": 0, "undelivered": 0, "error": None},
        ],
        [
            {"to": "sqlite:///e.db", "published": 6, "duplicates": 4, "undelivered": 0, "error": None},
            {"to": "file://e.jsonl", "published": 6, "duplicates": 4, "undelivered": 0, "error": None},
        ],
    ]
    with sqlite3.connect("e.db") as connection:
        stored = connection.execute("SELECT message_id FROM events ORDER BY sequence").fetchall()
    assert stored == [("m-1",), ("m-2",), ("m-9",)]
    assert Path("e.jsonl").read_bytes().count(b"\n") == 6


def test_several_definitions() -> None:
    """Files and folders, in one option or several."""
    Path("more").mkdir()
    Path("more/x.yaml").write_text("- {event_type: volume.*, traits: {mark: payload.id}}\n")
    for arguments in (("--definitions", "d.yaml", "more"), ("--definitions", "d.yaml", "--definitions", "more")):
        ran = run("run", *arguments, "--quiet", given=line())
        assert [document["traits"].get("mark") for document in ran.lines] == ["v-1"]


def test_the_shipped_definitions_are_the_default() -> None:
    """Without `--definitions`, those that come with eventdefs."""
    given = line(payload={"volume_id": "v-1", "size": 4, "tenant_id": "p-1", "user_id": "u-1", "status": "available"})
    ran = run("run", "--quiet", given=given)
    assert [document["kind"] for document in ran.lines] == ["event", "sample", "sample"]
    assert ran.lines[0]["traits"]["size"] == 4


def test_standard_output_that_is_full() -> None:
    """A full disk behind `>` is said in one line."""
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*COMMAND, "run", *USE], input=GOOD, stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=60
        )
    assert (ran.returncode, b"Traceback" in ran.stderr) == (2, False)
    assert b"No space left on device" in ran.stderr
