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
from eventdefs.cli import _COMMANDS
from eventdefs.publishers import _BUILTIN as PUBLISHERS

TOP = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "eventdefs"]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
    "PYTHONPATH": str(TOP),
    "PYTHONUTF8": "1",
    "TERM": "xterm",
}
NAMES = ", ".join(map(repr, _COMMANDS))
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
UPTIME = """\
metric:
  - name: database.uptime
    event_type: trove[.]instance[.]exists$
    type: delta
    unit: h
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    period: {begin: $.payload.begin, end: $.payload.end, while: {$.payload.state: active}}
  - name: database.uptime
    event_type: trove[.]instance[.]delete$
    type: delta
    unit: h
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    period: {end: $.payload.deleted_at, length: 1h, closes: true}
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
    Path("u.yaml").write_text(UPTIME)
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


def ran_from(begin: str, end: str, sent: str = "", id: str = "db-1", state: str = "active") -> bytes:
    """Return a notification that *id* ran from *begin* to *end*, times of the first of August 2026 unless dated."""
    begin, end, sent = (time if "-" in time else f"2026-08-01 {time}" for time in (begin, end, sent or end))
    payload = {"id": id, "tenant_id": "p-1", "begin": begin, "end": end, "state": state}
    return line(f"m-{id}-{begin}-{end}", event_type="trove.instance.exists", timestamp=sent, payload=payload)


def deleted_at(time: str, id: str = "db-1") -> bytes:
    payload = {"id": id, "tenant_id": "p-1", "deleted_at": f"2026-08-01 {time}"}
    return line(f"d-{id}", event_type="trove.instance.delete", timestamp=f"2026-08-01 {time}", payload=payload)


WHOLE = {"dead_lettered": 0, "waiting": 0, "undelivered": 0, "error": None, "reasons": []}
"""What the summary says of a publisher that took everything."""
METER = ("--definitions", "u.yaml", "--drop-unmatched")
HOUR_AND_HALF = (
    ran_from("00:00", "01:00") + ran_from("00:30", "01:30") + ran_from("00:30", "01:30", id="db-2", state="off")
)


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
    "a publisher that fails": (GOOD, ("--to", "file:///dev/full", "--retry-for", "0s"), 2),
    "a publisher that fails beside a good one": (
        GOOD,
        ("--to", "file:///dev/full?retry_for=0s", "--to", "memory://"),
        2,
    ),
    "dead letters that cannot be written": (GOOD, ("--dead-letters", "no/letters"), 2),
    "dead letters on a full disk": (BAD * 2, ("--dead-letters", "/dev/full"), 2),
    "an unknown option": (GOOD, ("--form", "xml"), 2),
    "an unknown format": (GOOD, ("--format", "xml"), 2),
    "a batch of nothing": (GOOD, ("--batch", "0"), 2),
    "a batch of text": (GOOD, ("--batch", "many"), 2),
    "usage": (HOUR_AND_HALF, METER, 0),
    "usage that nobody counts": (HOUR_AND_HALF, (*METER, "--to", "file://out.jsonl"), 0),
    "usage that is too late": (
        ran_from("2026-08-01", "2026-08-02") + ran_from("2026-06-01", "2026-06-02"),
        (*METER, "--batch", "1"),
        1,
    ),
    "usage of the future": (ran_from("3000-01-01", "3000-01-02"), METER, 1),
    "a ledger that is none": (GOOD, ("--ledger", "nowhere://"), 2),
    "a ledger that cannot be": (GOOD, ("--ledger", "sqlite:///no/ledger.db"), 2),
    "a ledger that is no database": (GOOD, ("--ledger", "sqlite:///d.yaml"), 2),
    "a lateness that is no time": (GOOD, ("--lateness", "soon"), 2),
    "a time that is too long": (GOOD, ("--keep-open", "9999999999d"), 2),
    "hours that would be forgotten before they are final": (GOOD, ("--lateness", "2d", "--keep-open", "1d"), 2),
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
    "an unknown command": (
        ("rnu",),
        f"eventdefs: error: argument COMMAND: invalid choice: 'rnu' (choose from {NAMES}) (did you mean 'run'?)",
    ),
    "an unknown option": (("run", "--nothing"), "eventdefs: error: unrecognized arguments: --nothing"),
    "a file that is not there": (("run", "missing.json"), "eventdefs: missing.json: there is no such file"),
    "an empty folder": (
        ("run", "empty"),
        "eventdefs: empty: no file below it ends with .json, .jsonl, .ndjson (or .gz)",
    ),
    "a publisher": (
        ("run", "--to", "nowhere://me:secret@host"),
        f"eventdefs: no publisher for nowhere://, known are {', '.join(sorted(PUBLISHERS))}",
    ),
    "dead letters": (
        ("run", "--dead-letters", "no/letters"),
        "eventdefs: dead letters no/letters: No such file or directory",
    ),
    "a ledger": (
        ("run", "--ledger", "nowhere://me:secret@host"),
        "eventdefs: nowhere://host names no ledger, known are sqlite, postgresql, mysql and memory",
    ),
    "a ledger that cannot be": (
        ("run", "--ledger", "sqlite:///no/ledger.db"),
        "eventdefs: the ledger sqlite:///no/ledger.db cannot be used: unable to open database file",
    ),
    "a time": (
        ("run", "--lateness", "1 hour"),
        "eventdefs run: error: argument --lateness: '1 hour' is no time, as 90s, 15min, 1h or 35d",
    ),
    "a time of no ledger": (
        ("run", "--to", "file://out.jsonl", "--lateness", "2h"),
        "eventdefs: --lateness, --keep-open and --leave-open are of a ledger: name one with --ledger",
    ),
    "leaving open in no ledger": (
        ("run", "--to", "file://out.jsonl", "--leave-open"),
        "eventdefs: --lateness, --keep-open and --leave-open are of a ledger: name one with --ledger",
    ),
    "times that do not go together": (
        ("run", "--keep-open", "30min"),
        "eventdefs: keep_open is shorter than lateness: hours would be forgotten before they are final",
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
        "usage": {"claims": 0, "late": 0, "future": 0, "usage": 0, "gaps": 0, "closures": 0},
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
            {"to": "memory://", "published": 6, "duplicates": 0, **WHOLE},
        ],
    }


def test_summary_of_what_was_not_delivered() -> None:
    """A publisher that failed is named with its error, and what it did not take is counted."""
    full = ("--to", "file:///dev/full?retry_for=0s")
    ran = run("run", *USE, *full, "--to", "memory://", "--format", "json", given=GOOD)
    summary, said = ran.err.splitlines()
    error = "/dev/full: No space left on device"
    none = {"duplicates": 0, "dead_lettered": 0, "waiting": 0}
    assert json.loads(summary)["published"] == [
        {"to": "file:///dev/full", "published": 0, **none, "undelivered": 2, "error": error, "reasons": [error]},
        {"to": "memory://", "published": 2, **none, "undelivered": 0, "error": None, "reasons": []},
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
            {"to": "sqlite:///e.db", "published": 4, "duplicates": 0, **WHOLE},
            {"to": "file://e.jsonl", "published": 4, "duplicates": 0, **WHOLE},
        ],
        [
            {"to": "sqlite:///e.db", "published": 6, "duplicates": 4, **WHOLE},
            {"to": "file://e.jsonl", "published": 6, "duplicates": 4, **WHOLE},
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


# --- usage -----------------------------------------------------------------------------------------------------------


def said_of_usage(ran: Ran) -> list[str]:
    """Return the lines of the summary that speak of usage."""
    return [found for found in ran.err.splitlines() if "ledger" in found]


def stored(statement: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect("e.db")) as connection:
        return connection.execute(statement).fetchall()


QUANTITIES = "SELECT resource_id, substr(period_start, 12, 5), quantity, revision, closed_by, reason FROM usage"


def test_usage_is_shown() -> None:
    """What a run counts is shown below what was claimed, with nothing to be set up."""
    ran = run("run", *METER, "--format", "text", given=HOUR_AND_HALF)
    shown = [row[21:] for row in ran.out.splitlines()]
    assert (ran.status, [row for row in shown if not row.startswith("period")]) == (
        0,
        [
            "usage   database.uptime                   p-1       1 h of db-1",
            "usage   database.uptime                   p-1       0.5 h of db-1",
            "closure database.uptime                   -         1 in 1 from 2026-08-01T00:00:00Z",
            "closure database.uptime                   -         0.5 in 1 from 2026-08-01T01:00:00Z",
        ],
    )
    assert [row.rpartition(" of ")[2] for row in shown if row.startswith("period")] == ["db-1", "db-1", "db-2, idle"]
    assert said_of_usage(ran) == ["ledger: 2 records of usage"]


def test_usage_in_lines() -> None:
    """A usage record and its delta sample have one id; closures say what there is."""
    ran = run("run", *METER, "--quiet", given=HOUR_AND_HALF)
    made = [document for document in ran.lines if document["kind"] != "period"]
    assert [document["kind"] for document in made] == ["sample", "usage", "sample", "usage", "closure", "closure"]
    samples, usage, closures = made[0:4:2], made[1:4:2], made[4:]
    assert [document["id"] for document in samples] == [document["id"] for document in usage]
    assert [(document["type"], document["volume"]) for document in samples] == [("delta", 1.0), ("delta", 0.5)]
    assert [(document["quantity"], document["closed_by"]) for document in usage] == [
        ("1", "coverage"),
        ("0.5", "end_of_input"),
    ]
    assert [(document["count"], document["quantity"]) for document in closures] == [(1, "1"), (1, "0.5")]


@pytest.mark.parametrize("to", ["file://out.jsonl", "sqlite:///e.db"])
def test_usage_is_stored_of_a_ledger_only(to: str) -> None:
    """What one run alone counts is no bill: hours that several runs touch need a ledger that all of them use."""
    ran = run("run", *METER, "--to", to, "--to", "memory://", given=HOUR_AND_HALF)
    assert (ran.status, said_of_usage(ran)) == (0, ["3 periods not counted: name a ledger with --ledger"])
    one = run("run", *METER, "--to", to, given=ran_from("00:00", "01:00"))
    assert said_of_usage(one) == ["1 period not counted: name a ledger with --ledger"]
    none = run("run", *USE, "--to", to, given=GOOD)
    assert said_of_usage(none) == []
    as_json = run("run", *METER, "--to", to, "--format", "json", given=HOUR_AND_HALF)
    assert json.loads(as_json.err)["usage"] is None


LEDGER = (*METER, "--ledger", "sqlite:///l.db", "--to", "sqlite:///e.db", "--format", "json")


def counts(ran: Ran) -> tuple[int, int, int]:
    """Return how many claims were counted, and what was recorded: usage and gaps."""
    usage = json.loads(ran.err)["usage"]
    return usage["claims"], usage["usage"], usage["gaps"]


def test_a_later_run_continues_the_ledger() -> None:
    """Runs over one ledger count what one run over all would, and the same input again adds nothing."""
    first = run("run", *LEDGER, "--leave-open", given=HOUR_AND_HALF)
    assert (counts(first), stored(QUANTITIES)) == ((3, 1, 0), [("db-1", "00:00", "1", 1, "coverage", "")])
    again = run("run", *LEDGER, "--leave-open", given=HOUR_AND_HALF)
    assert (counts(again), len(stored(QUANTITIES))) == ((3, 0, 0), 1)
    assert json.loads(again.err)["published"][0]["duplicates"] == 3
    rest = run("run", *LEDGER, given=ran_from("01:00", "02:00"))
    assert (counts(rest), stored(QUANTITIES)[1:]) == ((1, 1, 0), [("db-1", "01:00", "1", 1, "coverage", "")])
    assert stored("SELECT count(*) FROM samples") == [(2,)]


def test_hours_are_final_at_the_end_of_a_run() -> None:
    """What comes later corrects them, with a delta."""
    run("run", *LEDGER, given=HOUR_AND_HALF)
    late = run("run", *LEDGER, given=ran_from("01:15", "01:45"))
    assert (counts(late), stored(QUANTITIES)) == (
        (1, 1, 0),
        [
            ("db-1", "00:00", "1", 1, "coverage", ""),
            ("db-1", "01:00", "0.5", 1, "end_of_input", ""),
            ("db-1", "01:00", "0.75", 2, "end_of_input", "late"),
        ],
    )
    assert stored("SELECT volume FROM samples ORDER BY sequence") == [(1,), (0.5,), (0.25,)]


def test_a_deletion_ends_the_hours() -> None:
    """It claims the time before it, its hour is final at once, and what claims more does not count."""
    for given in (ran_from("00:00", "01:00") + deleted_at("01:20"), ran_from("01:00", "02:00")):
        run("run", *LEDGER, "--leave-open", given=given)
        assert stored(f"{QUANTITIES} ORDER BY period_start") == [
            ("db-1", "00:00", "1", 1, "coverage", ""),
            ("db-1", "01:00", "0.333333333", 1, "deletion", ""),
        ]


def test_lateness() -> None:
    """An hour that is not covered waits for so long after its end, by the time of the input."""
    given = ran_from("00:30", "01:00")
    given += b"".join(ran_from("01:10", "01:20", id=f"db-{number}") for number in range(2, 80))
    for lateness, expected in (("15min", [("db-1", "00:00", "0.5", 1, "watermark", "")]), ("1h", [])):
        to = ("--ledger", f"sqlite:///{lateness}.db", "--to", f"file://{lateness}.jsonl", "--to", "sqlite:///e.db")
        run("run", *METER, *to, "--leave-open", "--batch", "1", "--lateness", lateness, given=given)
        documents = [json.loads(row) for row in Path(f"{lateness}.jsonl").read_text().splitlines()]
        assert [document["closed_by"] for document in documents if document["kind"] == "usage"] == [
            row[4] for row in expected
        ]
    assert stored(QUANTITIES) == [("db-1", "00:00", "0.5", 1, "watermark", "")]


def test_what_the_ledger_refuses() -> None:
    """Holes, and what comes too late or from the future, are counted, recorded and said."""
    given = (
        ran_from("00:00", "01:00")
        + ran_from("01:30", "02:00")
        + ran_from("2026-06-01", "2026-06-02", "2026-08-01 02:00")
        + ran_from("3000-01-01 00:00", "3000-01-01 01:00")
    )
    ran = run("run", *METER, "--ledger", "sqlite:///l.db", "--to", "sqlite:///e.db", "--batch", "1", given=given)
    assert said_of_usage(ran) == [
        "ledger: 2 records of usage, 1 gap, 1 refused as too late, 1 refused as dated in the future"
    ]
    assert ran.status == 1
    notes = stored("SELECT kind, json_extract(note, '$.reason') FROM usage_notes WHERE kind != 'closure'")
    assert set(notes) == {("gap", None), ("refusal", "too_late"), ("refusal", "future")}


def test_keep_open() -> None:
    """How far back an hour can still be corrected."""
    given = ran_from("2026-08-10", "2026-08-11") + ran_from("2026-08-05", "2026-08-06", "2026-08-11")
    for keep_open, status in (("35d", 0), ("2d", 1)):
        ran = run("run", *METER, "--quiet", "--batch", "1", "--keep-open", keep_open, given=given)
        assert (ran.status, "too_late" in ran.out) == (status, status == 1)


def test_a_ledger_that_fails() -> None:
    """The message says what to do, and doing it gives what would have been without the failure."""
    given = b"".join(ran_from("00:00", "01:00", id=f"db-{number}") for number in range(1_000))
    ran = subprocess.run(
        ["bash", "-c", 'ulimit -f 300; exec "$@"', "bash", *COMMAND, "run", *LEDGER, "--retry-for", "0s"],
        input=given,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=60,
    )
    said = ran.stderr.decode().splitlines()
    assert ran.returncode == 2
    assert said[-1].startswith("eventdefs: the ledger ")
    assert said[-1].endswith("; run the same input again")
    assert counts(run("run", *LEDGER, given=given)) == (1_000, 1_000, 0)
    assert stored("SELECT count(*), count(DISTINCT id) FROM usage") == [(1_000, 1_000)]


def test_standard_output_that_is_full() -> None:
    """A full disk behind `>` is said in one line."""
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*COMMAND, "run", *USE, "--retry-for", "0s"],
            input=GOOD,
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            timeout=60,
        )
    assert (ran.returncode, b"Traceback" in ran.stderr) == (2, False)
    assert b"No space left on device" in ran.stderr
