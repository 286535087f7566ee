"""Usage on the command line: what a run counts and delivers, and what `eventdefs usage` says of it."""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.util
import io
import json
import random
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eventdefs.cli import main
from eventdefs.cli.arguments import duration, moment
from eventdefs.cli.usage import COMMANDS
from eventdefs.metering.reports import ODDITIES
from tests.test_cli import COMMAND, ENVIRONMENT, TOP, Ran, line, run

DEFINITIONS = """\
metric:
  - name: database.uptime
    event_type: trove[.]instance[.]exists$
    type: delta
    unit: h
    resource_id: $.payload.instance_id
    project_id: $.payload.tenant_id
    period:
      begin: $.payload.audit_period_beginning
      end: $.payload.audit_period_ending
      not_before: $.payload.created_at
      while: {$.payload.state: [active, backup]}
    dimensions: {flavor: $.payload.instance_type_id}
  - name: database.uptime
    event_type: trove[.]instance[.]delete$
    type: delta
    unit: h
    resource_id: $.payload.instance_id
    project_id: $.payload.tenant_id
    period: {end: $.payload.deleted_at, length: 1h, not_before: $.payload.created_at, closes: true}
    dimensions: {flavor: $.payload.instance_type_id}
  - name: volume.uptime
    event_type: volume[.]exists$
    type: delta
    unit: min
    resource_id: $.payload.id
    project_id: $.payload.tenant_id
    period: {begin: $.payload.begin, end: $.payload.end}
"""
FEWER = DEFINITIONS.replace("[active, backup]", "active")
"""Definitions that no longer bill a backup."""
USE = ("--definitions", "u.yaml")
ON = ("--ledger", "sqlite:///l.db")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with definitions."""
    monkeypatch.chdir(tmp_path)
    Path("u.yaml").write_text(DEFINITIONS)
    Path("fewer.yaml").write_text(FEWER)
    return tmp_path


def dated(time: str) -> str:
    """Return *time* as it is written; one without a date is of the first of August 2026."""
    return time if "-" in time else f"2026-08-01 {time}"


def exists(
    begin: str,
    end: str,
    sent: str = "",
    *,
    id: str = "db-1",
    tenant: str = "p-1",
    flavor: str = "small",
    state: str = "active",
    created: str = "00:00",
) -> bytes:
    """Return a notification that *id* was there from *begin* to *end*, sent at its end unless *sent* says when."""
    payload = {
        "instance_id": id,
        "tenant_id": tenant,
        "audit_period_beginning": dated(begin),
        "audit_period_ending": dated(end),
        "state": state,
        "instance_type_id": flavor,
        "created_at": dated(created),
    }
    message_id = f"m-{id}-{dated(end)[8:].replace(' ', '-')}-{tenant}"
    return line(message_id, event_type="trove.instance.exists", timestamp=dated(sent or end), payload=payload)


def reached(begin: str, end: str) -> bytes:
    """Return enough notifications of a time to let the input come to its end; what they tell of is idle."""
    return b"".join(exists(begin, end, id="idle", tenant=f"p-{number}", state="shutdown") for number in range(100))


def deleted(at: str, *, id: str = "db-1", tenant: str = "p-1", flavor: str = "small") -> bytes:
    payload = {
        "instance_id": id,
        "tenant_id": tenant,
        "deleted_at": dated(at),
        "created_at": dated("00:00"),
        "instance_type_id": flavor,
    }
    return line(f"d-{id}", event_type="trove.instance.delete", timestamp=dated(at), payload=payload)


def attached(begin: str, end: str, *, id: str = "vol-1", tenant: str | None = None) -> bytes:
    payload = {"id": id, "tenant_id": tenant, "begin": dated(begin), "end": dated(end)}
    return line(f"v-{id}-{end}", event_type="volume.exists", timestamp=dated(end), payload=payload)


def count(given: bytes, *arguments: str, definitions: str = "u.yaml") -> Ran:
    """Run over *given* with the ledger and a target that stores."""
    to = () if "--to" in arguments else ("--to", "sqlite:///e.db")
    ran = run("run", "--definitions", definitions, "--drop-unmatched", *ON, *to, *arguments, given=given)
    assert "Traceback" not in ran.err
    return ran


def inside(*arguments: str) -> Ran:
    """Run the command in this process, ten times as fast; that processes do the same is a test of its own."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in "oe")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as error:
            status = int(error.code or 0)
    for stream in (out, err):
        stream.seek(0)
    return Ran(status, out.read(), err.read())


def fill(given: bytes, *arguments: str, definitions: str = "u.yaml") -> Ran:
    """Do what `count` does, in this process."""
    Path("given.jsonl").write_bytes(given)
    to = ("--to", "sqlite:///e.db")
    return inside("run", "given.jsonl", "--definitions", definitions, "--drop-unmatched", *ON, *to, *arguments)


def usage(command: str, *arguments: str) -> Ran:
    """Ask the ledger, in this process."""
    return inside("usage", command, *ON, *arguments)


def said(ran: Ran) -> list[str]:
    """Return the lines of a summary but the first, which tells the time it took, and what is of no definition."""
    return [row for row in ran.err.splitlines()[1:] if not row.startswith((" ", "no definition for:"))]


def stored(statement: str, file: str = "e.db") -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


HOURS = (
    "SELECT resource_id, substr(period_start, 6, 8), quantity, delta, revision, closed_by, reason FROM usage"
    " ORDER BY ledger_sequence"
)
ALL_USAGE = (
    "SELECT id, meter, unit, resource_id, project_id, dimensions, period_start, period_end, timestamp, quantity, delta,"
    " seconds, revision, supersedes, state, closed_by, reason, evidence FROM usage ORDER BY id"
)
ALL_NOTES = (
    "SELECT id, kind, meter, begin, json_remove(note, '$.recorded_at', '$.sequence') FROM usage_notes ORDER BY id"
)
USAGE_SAMPLES = "SELECT id, name, volume, timestamp FROM samples WHERE type = 'delta' AND id IN (SELECT id FROM usage)"


def records_of(file: str) -> dict[str, Any]:
    """Return all of usage that a file has, but when it was recorded."""
    documents = [json.loads(row) for row in Path(file).read_text().splitlines()]
    found = [one for one in documents if one["kind"] in ("usage", "gap", "refusal", "closure")]
    assert len({one["id"] for one in found}) == len(found)
    for one in found:
        del one["recorded_at"], one["sequence"]
    return {one["id"]: one for one in found}


# --- run with a ledger -----------------------------------------------------------------------------------------------

TWO_HOURS = exists("00:00", "01:00") + exists("00:30", "01:30") + exists("00:00", "01:00", id="db-2", state="shutdown")


@pytest.fixture(scope="module")
def trove_day() -> list[bytes]:
    """The day of the documentation's example, as lines."""
    spec = importlib.util.spec_from_file_location("trove_day", TOP / "docs" / "examples" / "trove_day.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [json.dumps(message).encode() + b"\n" for message in module.day()]


def test_hours_are_published() -> None:
    """Every publisher gets each hour with its delta sample, the gaps and the closures."""
    given = TWO_HOURS + exists("02:00", "03:00")
    ran = count(given, "--to", "sqlite:///e.db", "--to", "file://o.jsonl")
    assert (ran.status, said(ran)) == (
        0,
        [
            "sqlite:///e.db: 14 published",
            "file://o.jsonl: 14 published",
            "ledger: 3 records of usage, 1 gap",
        ],
    )
    hours = [
        ("db-1", "08-01T00", "1", "1", 1, "coverage", ""),
        ("db-1", "08-01T02", "1", "1", 1, "coverage", ""),
        ("db-1", "08-01T01", "0.5", "0.5", 1, "end_of_input", ""),
    ]
    assert stored(HOURS) == hours
    ids = [one for (one,) in stored("SELECT id FROM usage ORDER BY ledger_sequence")]
    assert stored(USAGE_SAMPLES + " ORDER BY sequence") == [
        (ids[0], "database.uptime", 1, "2026-08-01T00:59:59.999000Z"),
        (ids[1], "database.uptime", 1, "2026-08-01T02:59:59.999000Z"),
        (ids[2], "database.uptime", 0.5, "2026-08-01T01:59:59.999000Z"),
    ]
    assert stored("SELECT kind, begin FROM usage_notes ORDER BY sequence") == [
        ("gap", "2026-08-01T01:30:00.000000Z"),
        ("closure", "2026-08-01T00:00:00.000000Z"),
        ("closure", "2026-08-01T01:00:00.000000Z"),
        ("closure", "2026-08-01T02:00:00.000000Z"),
    ]
    documents = [json.loads(row) for row in Path("o.jsonl").read_text().splitlines()]
    assert Counter(one["kind"] for one in documents) == {"period": 4, "usage": 3, "sample": 3, "gap": 1, "closure": 3}
    for kind in ("usage", "sample"):
        assert [one["id"] for one in documents if one["kind"] == kind] == ids


def test_a_second_run_adds_nothing(trove_day: list[bytes]) -> None:
    """The same input again, a real day with repetitions and two clocks that are wrong, is all there already."""
    given = b"".join(trove_day)
    to = ("--to", "sqlite:///e.db", "--to", "file://o.jsonl", "--format", "json")
    first = count(given, *to)
    before = (stored(ALL_USAGE), stored(ALL_NOTES), Path("o.jsonl").read_bytes())
    again = count(given, *to)
    summary = json.loads(again.err)
    assert (first.status, again.status) == (0, 0)
    assert (summary["usage"]["usage"], summary["usage"]["gaps"], summary["usage"]["closures"]) == (0, 0, 0)
    assert [(one["published"], one["duplicates"]) for one in summary["published"]] == [(summary["periods"],) * 2] * 2
    assert (stored(ALL_USAGE), stored(ALL_NOTES), Path("o.jsonl").read_bytes()) == before


def test_two_runs_are_one(trove_day: list[bytes]) -> None:
    """A day in two files over two runs gives the records of one run over all, the same in each target."""
    whole, halves = b"".join(trove_day), (b"".join(trove_day[:1500]), b"".join(trove_day[1500:]))
    count(whole, "--batch", "250", "--to", "sqlite:///e.db", "--to", "file://o.jsonl")
    straight = (stored(ALL_USAGE), stored(ALL_NOTES), records_of("o.jsonl"))
    assert len(straight[0]) == 22
    Path("l.db").unlink()
    for number, half in enumerate(halves):
        Path(f"{number}.jsonl").write_bytes(half)
        options = ("--leave-open",) if number == 0 else ()
        run(
            "run",
            f"{number}.jsonl",
            *USE,
            "--drop-unmatched",
            *ON,
            *("--batch", "250", "--to", "sqlite:///e2.db", "--to", "file://o2.jsonl"),
            *options,
        )
    assert (stored(ALL_USAGE, "e2.db"), stored(ALL_NOTES, "e2.db"), records_of("o2.jsonl")) == straight


def test_leave_open() -> None:
    """The hour that is not over stays open, and whichever run comes next closes it, even one over nothing."""
    left = count(TWO_HOURS, "--leave-open")
    assert (left.status, said(left)[1:], stored(HOURS)) == (
        0,
        ["ledger: 1 record of usage"],
        [("db-1", "08-01T00", "1", "1", 1, "coverage", "")],
    )
    closed = count(b"")
    assert (closed.status, said(closed)) == (0, ["sqlite:///e.db: 4 published", "ledger: 1 record of usage"])
    assert stored(HOURS)[1:] == [("db-1", "08-01T01", "0.5", "0.5", 1, "end_of_input", "")]


def test_without_a_ledger() -> None:
    """Where it is stored, what one run alone would count is not, and the summary says what to do."""
    ran = run("run", *USE, "--drop-unmatched", "--to", "sqlite:///e.db", given=TWO_HOURS)
    assert (ran.status, said(ran)) == (
        0,
        ["sqlite:///e.db: 3 published", "3 periods not counted: name a ledger with --ledger"],
    )
    assert [stored(f"SELECT count(*) FROM {table}") for table in ("usage", "samples", "periods")] == [
        [(0,)],
        [(0,)],
        [(3,)],
    ]


LATE = (
    exists("2026-08-30 00:00", "2026-08-30 01:00"),
    exists("2026-07-01 00:00", "2026-07-01 01:00", "2026-08-30 01:00", created="2026-07-01 00:00"),
    exists("3000-01-01 00:00", "3000-01-01 01:00"),
)
REFUSED = {
    "nothing": (LATE[0], 0, "ledger: 1 record of usage"),
    "too late": (LATE[0] + LATE[1], 1, "ledger: 1 record of usage, 1 refused as too late"),
    "future": (LATE[0] + LATE[2], 1, "ledger: 1 record of usage, 1 refused as dated in the future"),
    "both": (
        b"".join(LATE),
        1,
        "ledger: 1 record of usage, 1 refused as too late, 1 refused as dated in the future",
    ),
}


@pytest.mark.parametrize(("given", "status", "summary"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(given: bytes, status: int, summary: str) -> None:
    """Claims that cannot be counted are a finding, said in the summary and recorded once however often they come."""
    ran = count(given, "--batch", "1")
    assert (ran.status, said(ran)[1:]) == (status, [summary])
    before = stored(ALL_NOTES)
    again = count(given, "--batch", "1")
    assert (again.status, stored(ALL_NOTES)) == (status, before)


DURATIONS = {
    "0s": timedelta(),
    "90s": timedelta(seconds=90),
    "15min": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "35d": timedelta(days=35),
    "999999999s": timedelta(seconds=999_999_999),
}
NO_DURATIONS = ("", "1", "h", "1.5h", "-1h", "1w", "1H", "1 hour", "1h30min", "9999999999s", "9999999999d", "\u0661h")


def test_durations() -> None:
    """A whole number and one of four units; whatever else is said to be none."""
    assert {text: duration(text) for text in DURATIONS} == DURATIONS
    for text in NO_DURATIONS:
        with pytest.raises(argparse.ArgumentTypeError, match=r"is no time, as 90s, 15min, 1h or 35d"):
            duration(text)


def test_moments() -> None:
    """A time in ISO 8601, or one before now."""
    assert moment("2026-08-01T02:00:00+02:00") == moment("2026-08-01") == datetime(2026, 8, 1, tzinfo=UTC)
    assert abs(datetime.now(UTC) - timedelta(hours=2) - moment("-2h")) < timedelta(minutes=1)
    for text in ("", "now", "-", "-2", "--2h", "2026-13-01", "1h", "-999999999d"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"nor a time before now as -2h|is no time|is too long"):
            moment(text)


WAITING = {
    ("--lateness", "5min"): [("db-1", "08-01T00", "0.5", "0.5", 1, "watermark", "")],
    ("--lateness", "30min"): [],
    ("--lateness", "2min", "--keep-open", "2min"): [("db-1", "08-01T00", "0.5", "0.5", 1, "watermark", "")],
}


@pytest.mark.parametrize(("options", "hours"), WAITING.items(), ids=map(" ".join, WAITING))
def test_waiting(options: tuple[str, ...], hours: list[Any]) -> None:
    """An hour waits for as long as asked, by the times of the input."""
    given = exists("00:30", "01:00") + reached("01:14", "01:15")
    ran = count(given, "--batch", "1", "--leave-open", *options)
    assert (ran.status, stored(HOURS)) == (0, hours)


UNUSABLE = {
    "a lateness that is no time": (
        ("--lateness", "soon"),
        "eventdefs run: error: argument --lateness: 'soon' is no time, as 90s, 15min, 1h or 35d",
    ),
    "a time that is too long": (
        ("--keep-open", "9999999999d"),
        "eventdefs run: error: argument --keep-open: '9999999999d' is no time, as 90s, 15min, 1h or 35d",
    ),
    "hours forgotten before they are final": (
        ("--lateness", "2d", "--keep-open", "1d", *ON),
        "eventdefs: keep_open is shorter than lateness: hours would be forgotten before they are final",
    ),
    "a folder that is not there": (
        ("--ledger", "sqlite:///no/l.db"),
        "eventdefs: the ledger sqlite:///no/l.db cannot be used: unable to open database file",
    ),
    "a folder": (
        ("--ledger", "sqlite:///."),
        "eventdefs: the ledger sqlite:///. cannot be used: unable to open database file",
    ),
    "no database": (
        ("--ledger", "sqlite:///u.yaml"),
        "eventdefs: the ledger sqlite:///u.yaml cannot be used: file is not a database",
    ),
    "no file": (
        ("--ledger", "sqlite://"),
        "eventdefs: sqlite:// names no file, as sqlite:///ledger.db does; memory:// keeps nothing",
    ),
    "nobody listens": (
        ("--ledger", "postgresql://me:secret@127.0.0.1:1/l"),
        "eventdefs: the ledger postgresql://127.0.0.1:1/l cannot be used: ",
    ),
    "another release's": (
        ("--ledger", "sqlite:///other.db"),
        "eventdefs: sqlite:///other.db has schema 99, this release",
    ),
}


@pytest.mark.parametrize(("options", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used(options: tuple[str, ...], message: str) -> None:
    """It is exit status 2, one line that says why, and nothing of the input is published."""
    if "sqlite:///other.db" in options:
        run("run", *USE, "--quiet", "--ledger", "sqlite:///other.db", "--to", "memory://")
        with contextlib.closing(sqlite3.connect("other.db", isolation_level=None)) as connection:
            connection.execute("UPDATE ledger_progress SET version = 99")
    ran = run("run", *USE, "--to", "file://o.jsonl", *options, given=TWO_HOURS)
    rows = [row for row in ran.err.splitlines() if not row.startswith(("usage:", " "))]
    assert (ran.status, ran.out, len(rows)) == (2, "", 1)
    assert rows[0].startswith(message)
    assert "secret" not in ran.err
    assert not Path("o.jsonl").exists() or not Path("o.jsonl").read_bytes()


@pytest.mark.parametrize("given", [TWO_HOURS, b""], ids=["the same input", "no input"])
def test_what_a_publisher_did_not_take_waits_in_the_ledger(given: bytes) -> None:
    """The next run delivers it, to all, and who had it already has it once."""
    full = count(TWO_HOURS, "--to", "file:///dev/full?retry_for=0s", "--to", "sqlite:///e.db")
    assert full.status == 2
    assert full.err.splitlines()[-1].startswith("eventdefs: file:///dev/full: /dev/full: No space left on device; ")
    waiting = stored("SELECT count(*) FROM ledger_outbox", "l.db")
    ran = count(given, "--to", "file://o.jsonl", "--to", "sqlite:///e.db")
    assert (ran.status, waiting, stored("SELECT count(*) FROM ledger_outbox", "l.db")) == (0, [(4,)], [(0,)])
    assert stored(HOURS) == [
        ("db-1", "08-01T00", "1", "1", 1, "coverage", ""),
        ("db-1", "08-01T01", "0.5", "0.5", 1, "end_of_input", ""),
    ]
    assert {one["id"] for one in records_of("o.jsonl").values()} == {
        one for (one,) in stored("SELECT id FROM usage UNION SELECT id FROM usage_notes")
    }


def test_killed_at_random_points(trove_day: list[bytes]) -> None:
    """Wherever runs are killed, one that comes to its end leaves in every target what a run without that would."""
    Path("day.jsonl").write_bytes(b"".join(trove_day[:700]))
    command = [*COMMAND, "run", "day.jsonl", *USE, "--drop-unmatched", "--quiet", "--batch", "20"]

    def delivered(name: str) -> list[str]:
        return [
            "--ledger",
            f"sqlite:///l-{name}.db",
            "--to",
            f"sqlite:///e-{name}.db",
            "--to",
            f"file://o-{name}.jsonl",
        ]

    begun = time.monotonic()
    subprocess.run([*command, *delivered("straight")], env=ENVIRONMENT, check=True, timeout=60)
    lasts = time.monotonic() - begun
    numbers, killed = random.Random(4), 0
    for _ in range(15):
        with subprocess.Popen([*command, *delivered("killed")], env=ENVIRONMENT) as process:
            try:
                process.wait(numbers.uniform(0.4, 1) * lasts)
            except subprocess.TimeoutExpired:
                killed += 1
                process.kill()
    assert killed > 5
    subprocess.run([*command, *delivered("killed")], env=ENVIRONMENT, check=True, timeout=60)
    for statement in (ALL_USAGE, ALL_NOTES, USAGE_SAMPLES + " ORDER BY id"):
        assert stored(statement, "e-killed.db") == stored(statement, "e-straight.db")
    assert records_of("o-killed.jsonl") == records_of("o-straight.jsonl")
    assert stored("SELECT count(*) FROM ledger_outbox", "l-killed.db") == [(0,)]


# --- what is asked of a ledger ---------------------------------------------------------------------------------------

STORY = (
    exists("00:00", "01:00")
    + exists("01:00", "02:00")
    + exists("01:30", "02:30", flavor="large")
    + exists("02:00", "03:00", flavor="large")
    + deleted("03:20", flavor="large")
    + exists("00:00", "01:00", id="db-2", tenant="p-2")
    + exists("01:00", "02:00", id="db-2", tenant="p-2")
    + exists("2026-08-02 00:00", "2026-08-02 00:30", id="db-2", tenant="p-2")
    + attached("2026-09-01 00:00", "2026-09-01 00:45")
)
"""Two databases in August, of two projects, one of them resized and deleted; and a volume in September, of nobody."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ledger that has counted the story."""
    path = tmp_path_factory.mktemp("told")
    (path / "u.yaml").write_text(DEFINITIONS)
    (path / "a.jsonl").write_bytes(STORY)
    to = ("--ledger", f"sqlite:///{path}/l.db", "--to", f"sqlite:///{path}/e.db")
    ran = inside("run", str(path / "a.jsonl"), "--definitions", str(path / "u.yaml"), "--drop-unmatched", *to)
    assert ran.status == 0
    return path


@pytest.fixture
def story(told: Path, folder: Path) -> None:
    """The ledger that has counted the story, its archive a.jsonl, and e.db, where it was published."""
    for name in ("l.db", "e.db", "a.jsonl"):
        shutil.copy(told / name, folder / name)


def rows_of(ran: Ran) -> list[list[str]]:
    return list(csv.reader(io.StringIO(ran.out)))


LISTED = {
    "as it is": (
        (),
        [
            ["", "vol-1", "volume.uptime", "", "45", "min", "1"],
            ["p-1", "db-1", "database.uptime", "flavor=large", "1.333333333", "h", "2"],
            ["p-1", "db-1", "database.uptime", "flavor=small", "2", "h", "2"],
            ["p-2", "db-2", "database.uptime", "flavor=small", "2.5", "h", "3"],
        ],
    ),
    "month": (("--by", "month"), [["2026-08", "5.833333333", "h", "7"], ["2026-09", "45", "min", "1"]]),
    "day": (
        ("--by", "day"),
        [
            ["2026-08-01", "5.333333333", "h", "6"],
            ["2026-08-02", "0.5", "h", "1"],
            ["2026-09-01", "45", "min", "1"],
        ],
    ),
    "hour": (
        ("--by", "hour"),
        [
            ["2026-08-01T00:00:00Z", "2", "h", "2"],
            ["2026-08-01T01:00:00Z", "2", "h", "2"],
            ["2026-08-01T02:00:00Z", "1", "h", "1"],
            ["2026-08-01T03:00:00Z", "0.333333333", "h", "1"],
            ["2026-08-02T00:00:00Z", "0.5", "h", "1"],
            ["2026-09-01T00:00:00Z", "45", "min", "1"],
        ],
    ),
    "meter": (("--by", "meter"), [["database.uptime", "5.833333333", "h", "7"], ["volume.uptime", "45", "min", "1"]]),
    "tenant": (
        ("--by", "tenant"),
        [["", "45", "min", "1"], ["p-1", "3.333333333", "h", "4"], ["p-2", "2.5", "h", "3"]],
    ),
    "resource": (
        ("--by", "resource"),
        [["db-1", "3.333333333", "h", "4"], ["db-2", "2.5", "h", "3"], ["vol-1", "45", "min", "1"]],
    ),
    "dimensions": (
        ("--by", "dimensions"),
        [["", "45", "min", "1"], ["flavor=large", "1.333333333", "h", "2"], ["flavor=small", "4.5", "h", "5"]],
    ),
    "two": (
        ("--by", "dimensions", "day", "--meter", "database.uptime"),
        [
            ["flavor=large", "2026-08-01", "1.333333333", "h", "2"],
            ["flavor=small", "2026-08-01", "4", "h", "4"],
            ["flavor=small", "2026-08-02", "0.5", "h", "1"],
        ],
    ),
    "of a meter": (("--by", "resource", "--meter", "volume.uptime"), [["vol-1", "45", "min", "1"]]),
    "of a tenant": (("--by", "resource", "--tenant", "p-2"), [["db-2", "2.5", "h", "3"]]),
    "of a resource": (("--by", "tenant", "--resource", "db-1"), [["p-1", "3.333333333", "h", "4"]]),
    "of a month": (("--by", "resource", "--month", "2026-09"), [["vol-1", "45", "min", "1"]]),
    "from": (
        ("--by", "resource", "--from", "2026-08-01T03:00"),
        [["db-1", "0.333333333", "h", "1"], ["db-2", "0.5", "h", "1"], ["vol-1", "45", "min", "1"]],
    ),
    "to": (("--by", "resource", "--to", "2026-08-01T01:00"), [["db-1", "1", "h", "1"], ["db-2", "1", "h", "1"]]),
    "within a month": (
        ("--by", "resource", "--month", "2026-08", "--from", "2026-08-01T03:00+00:00", "--to", "2026-08-01T04:00"),
        [["db-1", "0.333333333", "h", "1"]],
    ),
    "as of a sequence": (("--by", "hour", "--as-of", "1"), [["2026-08-01T00:00:00Z", "1", "h", "1"]]),
    "as of the beginning": (("--by", "hour", "--as-of", "0"), []),
    "as of a time": (("--by", "month", "--as-of", "2020-01-01"), []),
    "from two hours ago": (("--by", "tenant", "--from", "-2h"), []),
    "nothing of it": (("--by", "tenant", "month", "--tenant", "p-9"), []),
}


@pytest.mark.parametrize(("options", "rows"), LISTED.values(), ids=LISTED)
@pytest.mark.usefixtures("story")
def test_list(options: tuple[str, ...], rows: list[list[str]]) -> None:
    """Sums of what was asked for, split by what was asked for; units are never mixed."""
    ran = usage("list", "--format", "csv", *options)
    assert (ran.status, ran.err, rows_of(ran)[1:]) == (0, "", rows)


@pytest.mark.usefixtures("story")
def test_list_as_text() -> None:
    """A table for people, with totals by meter."""
    assert usage("list") == Ran(
        0,
        """\
tenant  resource  meter            dimensions       quantity  unit  hours
        vol-1     volume.uptime                           45  min       1
p-1     db-1      database.uptime  flavor=large  1.333333333  h         2
p-1     db-1      database.uptime  flavor=small            2  h         2
p-2     db-2      database.uptime  flavor=small          2.5  h         3
total database.uptime: 5.833333333 h in 7 hours of resources
total volume.uptime: 45 min in 1 hour of resources
""",
        "",
    )


@pytest.mark.usefixtures("story")
def test_list_as_json() -> None:
    """The same for programs, with the sequence that `--as-of` takes."""
    ran = usage("list", "--format", "json", "--by", "tenant", "--meter", "database.uptime")
    assert (ran.status, json.loads(ran.out)) == (
        0,
        {
            "rows": [
                {"tenant": "p-1", "quantity": "3.333333333", "unit": "h", "hours": 4},
                {"tenant": "p-2", "quantity": "2.5", "unit": "h", "hours": 3},
            ],
            "totals": [{"meter": "database.uptime", "quantity": "5.833333333", "unit": "h", "hours": 7}],
            "sequence": 9,
        },
    )


EMPTY = {
    "text": "no usage\n",
    "csv": "tenant,resource,meter,dimensions,quantity,unit,hours\n",
    "json": '{\n  "rows": [],\n  "totals": [],\n  "sequence": 0\n}\n',
}


@pytest.mark.usefixtures("story")
def test_list_of_nothing() -> None:
    """Nothing is no failure."""
    assert {form: usage("list", "--format", form, "--month", "2026-01") for form in EMPTY} == {
        form: Ran(0, out, "") for form, out in EMPTY.items()
    }


CORRECTED = exists("00:00", "01:00") + exists("01:00", "01:30") + exists("02:00", "03:00")
CORRECTION = exists("01:00", "01:45")


def test_list_as_of() -> None:
    """What was recorded up to a time or a sequence stays the same, whatever is corrected later."""
    fill(CORRECTED)
    then = datetime.now(UTC).isoformat()
    options = ("list", "--by", "hour", "--format", "json")
    first = usage(*options, "--as-of", then)
    sequence = json.loads(first.out)["sequence"]
    fill(CORRECTION)
    now = usage(*options)
    assert usage(*options, "--as-of", then) == usage(*options, "--as-of", str(sequence)) == first
    for ran, quantity in ((first, "0.5"), (now, "0.75")):
        assert [(one["hour"], one["quantity"], one["hours"]) for one in json.loads(ran.out)["rows"]] == [
            ("2026-08-01T00:00:00Z", "1", 1),
            ("2026-08-01T01:00:00Z", quantity, 1),
            ("2026-08-01T02:00:00Z", "1", 1),
        ]
    assert json.loads(now.out)["sequence"] > sequence


UNLISTED = {
    "no month": (("--month", "2026-13"), "eventdefs: '2026-13' is no month, as 2026-08 is"),
    "a month in short": (("--month", "2026-8"), "eventdefs: '2026-8' is no month, as 2026-08 is"),
    "no time": (
        ("--from", "soon"),
        "eventdefs usage list: error: argument --from: 'soon' is not an ISO 8601 time, nor a time before now as -2h",
    ),
    "no time between": (
        ("--from", "2026-08-02", "--to", "2026-08-01"),
        "eventdefs: there is no time from 2026-08-02T00:00:00+00:00 to 2026-08-01T00:00:00+00:00",
    ),
    "as of no time": (
        ("--as-of", "soon"),
        "eventdefs: --as-of 'soon' is not an ISO 8601 time, nor a time before now as -2h, nor a sequence",
    ),
    "as of the future": (
        ("--as-of", "3000-01-01"),
        "eventdefs: --as-of 3000-01-01 is in the future: more may be recorded until then",
    ),
    "as of a sequence to come": (
        ("--as-of", "99999"),
        "eventdefs: --as-of 99999 is in the future: more may be recorded until then",
    ),
    "split by nothing known": (
        ("--by", "flavor"),
        "eventdefs usage list: error: argument --by: invalid choice: 'flavor'",
    ),
    "a picture of another kind": (
        ("--plot", "x.txt"),
        "eventdefs: --plot x.txt: expected a file that ends in .png, .svg, .pdf",
    ),
    "a picture where nothing can be": (
        ("--plot", "no/x.svg"),
        "eventdefs: --plot no/x.svg: No such file or directory",
    ),
}


@pytest.mark.parametrize(("options", "message"), UNLISTED.values(), ids=UNLISTED)
@pytest.mark.usefixtures("story")
def test_what_cannot_be_listed(options: tuple[str, ...], message: str) -> None:
    """It is said why, on the last line."""
    ran = usage("list", *options)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith(message)


FORMULAS = ("=1+1", "+1", "-1+2", "-x", "@x", "\t=1", "\r=1", "-2+3+cmd|' /C calc'!A0")


def test_ids_that_look_like_formulas() -> None:
    """In CSV a spreadsheet takes them for text; everywhere else they are what they are."""
    fill(b"".join(exists("00:00", "01:00", id=one, tenant="=p") for one in (*FORMULAS, "1-2", "x=1")))
    rows = rows_of(usage("list", "--format", "csv", "--by", "resource", "tenant"))[1:]
    assert {tuple(row) for row in rows} == {
        *((f"'{one}", "'=p", "1", "h", "1") for one in FORMULAS),
        ("1-2", "'=p", "1", "h", "1"),
        ("x=1", "'=p", "1", "h", "1"),
    }
    documents = json.loads(usage("list", "--format", "json", "--by", "resource").out)["rows"]
    assert {one["resource"] for one in documents} == {*FORMULAS, "1-2", "x=1"}


EVIL = "db\x1b[31m\r\n\u202e\x9b1"
SHOWN = r"db\x1b[31m\r\n\u202e\x9b1"


def test_ids_that_a_terminal_would_obey() -> None:
    """Nothing of what others chose reaches a terminal as it is, from any command."""
    given = exists("00:00", "00:30", id=EVIL, tenant=EVIL, flavor=EVIL) + exists("00:45", "01:00", id=EVIL, tenant="p")
    Path("a.jsonl").write_bytes(given + exists("01:00", "02:00", id=EVIL, tenant=EVIL, flavor=EVIL))
    fill(given)
    raw = ("--archive", "a.jsonl", *USE)
    for ran in (
        usage("list"),
        usage("list", "--plot"),
        usage("audit"),
        usage("explain", "database.uptime", EVIL, "2026-08-01T00", *raw),
        usage("explain", EVIL, EVIL, "2026-08-01T00"),
        usage("verify", "--from", "2026-08-01", "--to", "2026-08-02", *raw),
        usage("diff", "--from", "2026-08-01", "--to", "2026-08-02", *raw),
    ):
        assert SHOWN in ran.out
        assert not any(char in ran.out + ran.err for char in "\x1b\r\u202e\x9b")


def test_half_characters() -> None:
    """Ids that no encoding has a place for are listed and explained all the same."""
    half = "db-\ud800"
    Path("a.jsonl").write_bytes(exists("00:00", "01:00", id=half, tenant=half))
    fill(Path("a.jsonl").read_bytes())
    escaped = r"db-\ud800"
    listed = json.loads(usage("list", "--format", "json", "--by", "resource", "tenant").out)["rows"]
    assert [(one["resource"], one["tenant"]) for one in listed] == [(escaped, escaped)]
    for form in ("text", "json"):
        raw = ("--archive", "a.jsonl", *USE, "--format", form)
        ran = usage("explain", "database.uptime", escaped, "2026-08-01T00", *raw)
        assert ran.status == 0
        assert "a.jsonl:1" in ran.out
        assert usage("verify", *raw).status == 0


@pytest.mark.usefixtures("story")
def test_plot_on_a_terminal() -> None:
    """A line for each day of each resource, a character for each hour."""
    assert usage("list", "--plot") == Ran(
        0,
        """\
database.uptime of db-1
            0     6     12    18
2026-08-01  ███▂····················    3.333 h
database.uptime of db-2
            0     6     12    18
2026-08-01  ██······················    2.000 h
2026-08-02  ▄·······················    0.500 h
volume.uptime of vol-1
            0     6     12    18
2026-09-01  ▆·······················    0.750 h
""",
        "",
    )
    assert usage("list", "--tenant", "p-9", "--plot") == Ran(0, "no usage\n", "")


def test_plot_of_an_hour_in_two_projects() -> None:
    """What several have of an hour is drawn together, and of what was corrected the last."""
    fill(exists("00:00", "00:30") + exists("00:30", "00:45", tenant="p-2") + exists("23:00", "23:10"))
    fill(exists("23:05", "23:30"))
    bar = "▆······················▄"
    assert usage("list", "--plot").out.splitlines()[2:] == [f"2026-08-01  {bar}    1.250 h"]


@pytest.mark.parametrize(
    ("file", "signature"), [("x.png", b"\x89PNG\r\n\x1a\n"), ("x.SVG", b"<?xml"), ("x.pdf", b"%PDF-")]
)
@pytest.mark.usefixtures("story")
def test_plot_to_a_file(file: str, signature: bytes) -> None:
    """A picture of the kind that its name says."""
    assert usage("list", "--plot", file) == Ran(0, f"{file}: 3 of 3 resources\n", "")
    assert Path(file).read_bytes().startswith(signature)


# --- explain ---------------------------------------------------------------------------------------------------------

EXPLAIN = ("explain", "database.uptime")


def without_times(text: str) -> str:
    """Return *text* with the time of recording, which is now, left out."""
    today = {datetime.now(UTC).date(), (datetime.now(UTC) - timedelta(minutes=5)).date()}
    rows = []
    for row in text.split("\n"):
        before, found, after = row.partition("recorded ")
        shown = found and any(after.startswith(str(day)) for day in today)
        rows.append(f"{before}recorded NOW{after[19:]}" if shown else row)
    return "\n".join(rows)


@pytest.mark.usefixtures("story")
def test_explain() -> None:
    """What was recorded, what the claims say of each minute, and which notifications made them."""
    explained = usage(*EXPLAIN, "db-1", "2026-08-01T02", "--archive", "a.jsonl", *USE)
    assert (explained.status, explained.err, without_times(explained.out)) == (
        0,
        "",
        """\
database.uptime of db-1, 2026-08-01 02:00 to 03:00 UTC

recorded
  revision 1  1 h (1 added)  p-1  flavor=large
      final, closed by coverage, recorded NOW as 3
      2 claims, from m-db-1-01-02:30-p-1 to d-db-1

the hour
  02:00:00 to 03:00:00  running  p-1  flavor=large  2 claims

claims in the archive
  08-01 01:30:00 to 08-01 02:30:00  running  m-db-1-01-02:30-p-1  a.jsonl:3
  08-01 02:00:00 to 08-01 03:00:00  running  m-db-1-01-03:00-p-1  a.jsonl:4
  08-01 02:20:00 to 08-01 03:20:00  ending  d-db-1  a.jsonl:5
""",
    )
    short = usage(*EXPLAIN, "db-1", "2026-08-01T02:59:59")
    assert short == Ran(0, explained.out.partition("\nclaims in the archive")[0], "")


def test_explain_cuts() -> None:
    """What was cut off a claim is said, and why."""
    given = (
        exists("00:00", "01:00", created="00:20")
        + exists("00:30", "02:00", "01:10", created="00:20")
        + deleted("00:50")
        + exists("00:00", "01:00", id="db-2")
    )
    Path("a.jsonl").write_bytes(given)
    fill(given)
    explained = usage(*EXPLAIN, "db-1", "2026-08-01T00", "--archive", "a.jsonl", *USE)
    assert (
        explained.out.partition("the hour\n")[2]
        == """\
  00:00:00 to 00:50:00  ending  p-1  flavor=small  1 claim
  00:50:00 to 01:00:00  deleted

claims in the archive
  07-31 23:50:00 to 08-01 00:50:00  ending  d-db-1  a.jsonl:3  cut: begins at 2026-08-01T00:00:00Z, not before
  08-01 00:00:00 to 08-01 01:00:00  running  m-db-1-01-01:00-p-1  a.jsonl:1  cut: begins at 2026-08-01T00:20:00Z, \
not before; ends at 2026-08-01T00:50:00Z, the deletion
  08-01 00:30:00 to 08-01 02:00:00  running  m-db-1-01-02:00-p-1  a.jsonl:2  cut: ends at 2026-08-01T01:10:00Z, \
when it was sent; ends at 2026-08-01T00:50:00Z, the deletion
"""
    )


@pytest.mark.usefixtures("story")
def test_explain_as_json() -> None:
    """The same for programs, with the records as they were published."""
    ran = usage(*EXPLAIN, "db-1", "2026-08-01T03", "--archive", "a.jsonl", *USE, "--format", "json")
    document = json.loads(ran.out)
    records = document.pop("records")
    (record, quantity, witnesses), *more = stored(
        "SELECT id, quantity, json_extract(evidence, '$.witnesses') FROM usage WHERE ledger_sequence = 4"
    )
    assert ([(one["id"], one["quantity"], one["evidence"]["witnesses"]) for one in records], more) == (
        [(record, quantity, json.loads(witnesses))],
        [],
    )
    (claim,) = document.pop("claims")
    assert {key: claim[key] for key in ("place", "cuts", "message_id", "begin", "end", "status")} == {
        "place": "a.jsonl:5",
        "cuts": [],
        "message_id": "d-db-1",
        "begin": "2026-08-01T02:20:00Z",
        "end": "2026-08-01T03:20:00Z",
        "status": "ending",
    }
    whose = {"project_id": "p-1", "dimensions": {"flavor": "large"}, "claims": 1}
    nobody = {"project_id": None, "dimensions": {}, "claims": 0}
    assert document == {
        "meter": "database.uptime",
        "resource_id": "db-1",
        "period_start": "2026-08-01T03:00:00Z",
        "stretches": [
            {"start": "2026-08-01T03:00:00Z", "stop": "2026-08-01T03:20:00Z", "status": "ending", **whose},
            {"start": "2026-08-01T03:20:00Z", "stop": "2026-08-01T04:00:00Z", "status": "deleted", **nobody},
        ],
    }
    assert "claims" not in json.loads(usage(*EXPLAIN, "db-1", "2026-08-01T03", "--format", "json").out)


NOTHING = (
    "database.uptime of db-1, 2026-08-03 00:00 to 01:00 UTC\n\nrecorded\n  nothing\n\nthe hour\n  nothing is claimed\n"
)
UNEXPLAINED = {
    "a resource that nobody knows": (
        (*EXPLAIN, "db-9", "2026-08-01T00"),
        1,
        "the ledger knows no database.uptime of db-9\n",
    ),
    "an hour of which nobody tells": ((*EXPLAIN, "db-1", "2026-08-03"), 0, NOTHING),
    "no hour": ((*EXPLAIN, "db-1", "soon"), 2, ""),
    "an hour that does not end": ((*EXPLAIN, "db-1", "9999-12-31T23"), 2, ""),
    "an archive that is not there": ((*EXPLAIN, "db-1", "2026-08-01", "--archive", "no.jsonl"), 2, ""),
}


@pytest.mark.parametrize(("arguments", "status", "out"), UNEXPLAINED.values(), ids=UNEXPLAINED)
@pytest.mark.usefixtures("story")
def test_what_cannot_be_explained(arguments: tuple[str, ...], status: int, out: str) -> None:
    """What the ledger does not know is a finding; what cannot be asked is an error."""
    ran = usage(*arguments)
    assert (ran.status, ran.out, bool(ran.err)) == (status, out, status == 2)


@pytest.mark.usefixtures("story")
def test_explain_an_hour_that_is_no_longer_kept() -> None:
    """What was recorded is there for ever; how it came to be is in the archive."""
    fill(reached("2026-09-20 00:00", "2026-09-20 01:00"), "--keep-open", "2d")
    explained = usage(*EXPLAIN, "db-1", "2026-08-01T00", "--archive", "a.jsonl", *USE)
    assert (explained.status, without_times(explained.out)) == (
        0,
        """\
database.uptime of db-1, 2026-08-01 00:00 to 01:00 UTC

recorded
  revision 1  1 h (1 added)  p-1  flavor=small
      final, closed by coverage, recorded NOW as 1
      1 claim, from m-db-1-01-01:00-p-1

the hour
  it is no longer kept; only what was recorded is

claims in the archive
  08-01 00:00:00 to 08-01 01:00:00  running  m-db-1-01-01:00-p-1  a.jsonl:1
""",
    )


def test_explain_a_correction() -> None:
    """Each revision is shown, with what it added and why."""
    fill(CORRECTED)
    fill(CORRECTION)
    explained = usage(*EXPLAIN, "db-1", "2026-08-01T01")
    assert (explained.status, without_times(explained.out)) == (
        0,
        """\
database.uptime of db-1, 2026-08-01 01:00 to 02:00 UTC

recorded
  revision 1  0.5 h (0.5 added)  p-1  flavor=small
      final, closed by end_of_input, recorded NOW as 3
      1 claim, from m-db-1-01-01:30-p-1
  revision 2  0.75 h (0.25 added)  p-1  flavor=small
      corrected, late, closed by end_of_input, recorded NOW as 8
      2 claims, from m-db-1-01-01:30-p-1 to m-db-1-01-01:45-p-1

the hour
  01:00:00 to 01:45:00  running  p-1  flavor=small  2 claims
  01:45:00 to 02:00:00  nothing
""",
    )


# --- verify ----------------------------------------------------------------------------------------------------------

LINES = STORY.splitlines(keepends=True)
HEADS = ["hour", "meter", "resource", "tenant", "dimensions", "ledger", "archive", "unit"]
LACKING = ["2026-08-01T02:00Z", "database.uptime", "db-1", "p-1", "flavor=large", "0.5", "1", "h"]


@pytest.mark.usefixtures("story")
def test_verify() -> None:
    """A ledger that counted all of its archive is equal to it."""
    assert usage("verify", "--archive", "a.jsonl", *USE) == Ran(0, "8 hours are equal, 0 differ\n", "")
    ran = usage("verify", "--archive", "a.jsonl", *USE, "--tenant", "p-2", "--month", "2026-08", "--format", "json")
    assert (ran.status, json.loads(ran.out)) == (0, {"equal": 3, "differences": []})


def test_verify_the_day_of_the_example(trove_day: list[bytes]) -> None:
    """Two clocks that are wrong, repetitions and disorder make no difference, in whatever order the archive is read."""
    Path("a.jsonl").write_bytes(b"".join(trove_day))
    shuffled = list(trove_day)
    random.Random(1).shuffle(shuffled)
    Path("b.jsonl").write_bytes(b"".join(shuffled))
    fill(Path("a.jsonl").read_bytes(), "--batch", "100")
    for name in ("a.jsonl", "b.jsonl"):
        assert usage("verify", "--archive", name, *USE) == Ran(0, "22 hours are equal, 0 differ\n", "")


def test_verify_a_ledger_that_lacks_a_notification() -> None:
    """The hours that it changes are shown, as both have them."""
    Path("a.jsonl").write_bytes(STORY)
    fill(b"".join(row for row in LINES if b"01-03:00" not in row and b"d-db-1" not in row))
    ran = usage("verify", "--archive", "a.jsonl", *USE, "--resource", "db-1")
    assert ran == Ran(
        1,
        """\
hour               meter            resource  tenant  dimensions    ledger      archive  unit
2026-08-01T02:00Z  database.uptime  db-1      p-1     flavor=large     0.5            1  h
2026-08-01T03:00Z  database.uptime  db-1      p-1     flavor=large       0  0.333333333  h
2 hours are equal, 2 differ
""",
        "",
    )
    ran = usage("verify", "--archive", "a.jsonl", *USE, "--format", "csv", "--to", "2026-08-01T03:00")
    assert (ran.status, rows_of(ran)) == (1, [HEADS, LACKING])
    ran = usage("verify", "--archive", "a.jsonl", *USE, "--format", "json", "--to", "2026-08-01T03:00")
    assert (ran.status, json.loads(ran.out)) == (
        1,
        {"equal": 4, "differences": [{**dict(zip(HEADS, LACKING, strict=True)), "edge": False}]},
    )


def hourly(*hours: int) -> list[bytes]:
    return [exists(f"{hour:02}:00", f"{hour + 1:02}:00") for hour in hours]


def test_verify_an_archive_that_lacks_some_at_its_edge() -> None:
    """What the archive cannot know is no finding, unless it was asked for."""
    fill(b"".join(hourly(*range(8))))
    Path("a.jsonl").write_bytes(b"".join(hourly(3, 4, 5)))
    raw = ("--archive", "a.jsonl", *USE)
    edge = "5 differ at the edge of the archive, where it may lack some; --from and --to compare them too\n"
    assert usage("verify", *raw) == Ran(0, f"3 hours are equal, 0 differ\n{edge}", "")
    document = json.loads(usage("verify", *raw, "--format", "json").out)
    assert [(one["hour"][11:13], one["edge"]) for one in document["differences"]] == [
        (hour, True) for hour in ("00", "01", "02", "06", "07")
    ]
    asked = usage("verify", *raw, "--from", "2026-08-01T02:00", "--to", "2026-08-01T06:00")
    assert (asked.status, asked.out.splitlines()[-1]) == (1, "3 hours are equal, 1 differ")
    Path("a.jsonl").write_bytes(b"".join(hourly(1, 2, 3, 5, 6)))
    within = usage("verify", *raw)
    assert (within.status, within.out.splitlines()[-2]) == (1, "5 hours are equal, 1 differ")


def test_verify_an_archive_that_cannot_be_read_whole() -> None:
    """What could not be read is said, and nobody takes the hours for verified."""
    fill(b"".join(hourly(1, 2)))
    Path("a.jsonl").write_bytes(hourly(1)[0] + b"{}\n" + hourly(2)[0] + b"no\n")
    ran = usage("verify", "--archive", "a.jsonl", *USE)
    assert (ran.status, ran.out) == (1, "2 hours are equal, 0 differ\n")
    assert sorted(row[:32] for row in ran.err.splitlines()) == [
        "eventdefs: 1 not a notification:"[:32],
        "eventdefs: 1 not a notification:"[:32],
    ]
    Path("a.jsonl").write_bytes(hourly(1)[0] + hourly(2)[0] + exists("soon", "03:00"))
    ran = usage("verify", "--archive", "a.jsonl", *USE)
    assert (ran.status, ran.err) == (
        1,
        "eventdefs: 1 notification without a claim for a problem; run them to see\n",
    )


# --- audit -----------------------------------------------------------------------------------------------------------

WHOLE = exists("00:00", "01:00")
AUDITED: dict[str, tuple[tuple[bytes, ...], str, tuple[str, str, str]]] = {
    "gap": (
        (WHOLE + exists("02:00", "03:00"),),
        "2026-08",
        ("database.uptime", "db-1", "2026-08-01T01:00:00Z to 2026-08-01T02:00:00Z, 1:00:00"),
    ),
    "two_tenants": (
        (WHOLE + exists("01:00", "02:00", tenant="p-2"),),
        "2026-08",
        ("database.uptime", "db-1", "p-1, p-2"),
    ),
    "no_creation": (
        (attached("00:00", "01:00", tenant="p-1"),),
        "2026-08",
        ("volume.uptime", "vol-1", "first counted in the hour of 2026-08-01T00:00:00Z"),
    ),
    "late_start": (
        (WHOLE + exists("03:00", "04:00", id="db-2", created="01:10"),),
        "2026-08",
        (
            "database.uptime",
            "db-2",
            "created at 2026-08-01T01:10:00Z, first counted in the hour of 2026-08-01T03:00:00Z",
        ),
    ),
    "after_deletion": (
        (WHOLE + exists("01:00", "02:00") + deleted("01:20"),),
        "2026-08",
        (
            "database.uptime",
            "db-1",
            "deleted at 2026-08-01T01:20:00Z, 0:40:00 claimed up to 2026-08-01T02:00:00Z",
        ),
    ),
    "timed_out": (
        (exists("00:30", "01:00", created="00:30"),),
        "2026-08",
        ("database.uptime", "db-1", "2026-08-01T00:00:00Z"),
    ),
    "too_late": (
        (WHOLE, exists("2026-06-01 00:00", "2026-06-01 02:00", created="2026-06-01 00:00")),
        "2026-06",
        ("database.uptime", "db-1", "1 claims of 2026-06-01T00:00:00Z to 2026-06-01T02:00:00Z"),
    ),
    "future": (
        (WHOLE, exists("3000-01-01 00:00", "3000-01-01 01:00")),
        "3000-01",
        ("database.uptime", "db-1", "1 claims of 3000-01-01T00:00:00Z to 3000-01-01T01:00:00Z"),
    ),
}
"""What each oddity is made of, in one run or several, the month it is of, and what is said of it."""


def test_all_oddities_are_audited() -> None:
    """Of each there is a case here; `held` has its own, since a month must be closed for it."""
    assert set(AUDITED) | {"held"} == set(ODDITIES)


@pytest.mark.parametrize("kind", AUDITED)
def test_audit(kind: str) -> None:
    """One oddity is found, and nothing else; also by who asks for its meter, resource, month or tenant."""
    given, month, (meter, resource_id, text) = AUDITED[kind]
    for one in given:
        fill(one)
    found = usage("audit", "--format", "json")
    assert (found.status, json.loads(found.out)) == (
        1,
        [{"kind": kind, "meter": meter, "resource_id": resource_id, "text": text}],
    )
    for own in (("--meter", meter), ("--resource", resource_id), ("--tenant", "p-1"), ("--month", month)):
        assert usage("audit", "--format", "json", *own) == found, own


OTHERS = (("--meter", "server.uptime"), ("--resource", "db-9"), ("--tenant", "p-9"), ("--month", "2026-01"))


@pytest.mark.parametrize("kind", AUDITED)
def test_audit_of_something_else(kind: str) -> None:
    """What is odd elsewhere is nothing to look at here."""
    for one in AUDITED[kind][0]:
        fill(one)
    for other in OTHERS:
        assert usage("audit", *other) == Ran(0, "nothing to look at\n", ""), other


@pytest.mark.usefixtures("story")
def test_audit_forms() -> None:
    """Text explains each kind, CSV and JSON have everything in rows."""
    assert usage("audit", "--meter", "database.uptime") == Ran(
        1,
        """\
gap: nobody says whether it ran: 1
meter            resource  what
database.uptime  db-2      2026-08-01T02:00:00Z to 2026-08-02T00:00:00Z, 22:00:00

timed_out: hours that only time closed, so that claims may be missing: 1
meter            resource  what
database.uptime  db-2      2026-08-02T00:00:00Z

""",
        "",
    )
    assert rows_of(usage("audit", "--format", "csv", "--month", "2026-08", "--resource", "db-2")) == [
        ["kind", "meter", "resource", "what"],
        ["gap", "database.uptime", "db-2", "2026-08-01T02:00:00Z to 2026-08-02T00:00:00Z, 22:00:00"],
        ["timed_out", "database.uptime", "db-2", "2026-08-02T00:00:00Z"],
    ]


def test_audit_of_many() -> None:
    """Text shows some and says how many more; CSV has them all."""
    fill(b"".join(attached("00:00", "01:00", id=f"v-{number:02}") for number in range(12)))
    out = usage("audit").out.splitlines()
    assert (out[0], len(out), out[-2:]) == (
        "no_creation: usage, and nothing that says when it was created: 12",
        14,
        ["and 2 more; --format csv writes all", ""],
    )
    assert len(rows_of(usage("audit", "--format", "csv"))) == 13


def test_audit_finds_nothing() -> None:
    """Whole hours with a creation are nothing to look at, in any form."""
    fill(WHOLE + exists("01:00", "02:00"))
    assert {form: usage("audit", "--format", form) for form in ("text", "json", "csv")} == {
        "text": Ran(0, "nothing to look at\n", ""),
        "json": Ran(0, "[]\n", ""),
        "csv": Ran(0, "kind,meter,resource,what\n", ""),
    }


def test_a_gap_that_was_filled_is_no_gap() -> None:
    """What came later is no longer looked for."""
    fill(WHOLE + exists("02:00", "03:00"))
    assert usage("audit").status == 1
    fill(exists("01:00", "02:00"))
    assert usage("audit", "--format", "csv").out == "kind,meter,resource,what\n"


# --- close and approve -----------------------------------------------------------------------------------------------

AUGUST = exists("00:00", "01:00") + exists("01:00", "01:30") + reached("2026-09-02 00:00", "2026-09-02 01:00")
HELD = """\
hour               meter            resource  tenant  dimensions    recorded  corrected  unit
2026-08-01T01:00Z  database.uptime  db-1      p-1     flavor=small       0.5          1  h
"""
BEFORE = [("db-1", "08-01T00", "1", "1", 1, "coverage", ""), ("db-1", "08-01T01", "0.5", "0.5", 1, "watermark", "")]


def hours_of_august() -> list[tuple[Any, ...]]:
    return [row for row in stored(HOURS) if row[1].startswith("08")]


def test_a_closed_month_is_corrected_when_that_is_approved() -> None:
    """A correction is held, shown and told of; approved, it is recorded, and the next run publishes it."""
    fill(AUGUST, "--batch", "1")
    assert usage("close", "2026-08") == Ran(
        0,
        "2026-08 is closed: later corrections are held\ntotal database.uptime: 1.5 h in 2 hours of resources\n",
        "",
    )
    assert hours_of_august() == BEFORE
    assert fill(exists("01:00", "02:00"), "--batch", "1").status == 0
    assert hours_of_august() == BEFORE
    held = {"kind": "held", "meter": "database.uptime", "resource_id": "db-1", "text": "1 hour"}
    assert held in json.loads(usage("audit", "--format", "json").out)
    assert usage("approve", "2026-08", "--dry-run") == Ran(1, f"{HELD}1 correction held\n", "")
    assert usage("approve", "2026-09", "--dry-run") == Ran(0, "0 corrections held\n", "")
    approved = "of usage; the next run on this ledger publishes them\n"
    assert usage("approve", "2026-08") == Ran(0, f"{HELD}1 record {approved}", "")
    assert hours_of_august() == BEFORE
    assert usage("approve", "2026-08") == Ran(0, f"0 records {approved}", "")
    fill(b"")
    assert hours_of_august() == [*BEFORE, ("db-1", "08-01T01", "1", "0.5", 2, "watermark", "approved")]
    assert held not in json.loads(usage("audit", "--format", "json").out)


@pytest.mark.parametrize("other", OTHERS, ids=" ".join)
def test_what_is_held_elsewhere(other: tuple[str, str]) -> None:
    """An audit of something else does not show it."""
    fill(AUGUST, "--batch", "1")
    usage("close", "2026-08")
    fill(exists("01:00", "02:00"))
    assert usage("approve", "2026-08", "--dry-run").status == 1
    assert "held" not in usage("audit", *other).out


UNCLOSED = {
    "a month that is not over": (
        "2026-09",
        "2026-09 has hours that are open: the input is at 2026-09-02T01:00:00+00:00",
    ),
    "a month of the future": ("2999-01", "2999-01 has hours that are open: the input is at 2026-09-02T01:00:00+00:00"),
    "no such month": ("2026-13", "'2026-13' is no month, as 2026-08 is"),
    "a name": ("August", "'August' is no month, as 2026-08 is"),
    "a month in short": ("2026-8", "'2026-8' is no month, as 2026-08 is"),
    "a day": ("2026-08-01", "'2026-08-01' is no month, as 2026-08 is"),
    "the last of all": ("9999-12", "'9999-12' is no month, as 2026-08 is"),
}


@pytest.mark.parametrize(("month", "message"), UNCLOSED.values(), ids=UNCLOSED)
def test_months_that_cannot_be_closed(month: str, message: str) -> None:
    """Nothing is closed, and it is said why."""
    fill(AUGUST, "--batch", "1")
    assert usage("close", month) == Ran(2, "", f"eventdefs: {message}\n")
    assert stored("SELECT months FROM ledger_progress", "l.db") == [(b"[]",)]


@pytest.mark.parametrize("month", ["2026-13", "2026-8", "9999-12"])
def test_months_that_cannot_be_approved(month: str) -> None:
    """What is no month is said to be none, whether or not something would be recorded."""
    fill(AUGUST)
    for options in ((), ("--dry-run",)):
        assert usage("approve", month, *options) == Ran(2, "", f"eventdefs: '{month}' is no month, as 2026-08 is\n")


# --- diff and apply --------------------------------------------------------------------------------------------------

BACKUP = exists("00:00", "01:00") + exists("01:00", "02:00", state="backup") + exists("02:00", "03:00")
THEN = """\
hour               meter            resource  tenant  dimensions    now  then  unit
2026-08-01T01:00Z  database.uptime  db-1      p-1     flavor=small    1     0  h
2 hours are equal, 1 differ
meter            tenant  change  unit
database.uptime  p-1         -1  h
"""
WITH_FEWER = ("--archive", "a.jsonl", "--definitions", "fewer.yaml")


@pytest.fixture
def backup(folder: Path) -> None:
    """A ledger that has counted a backup."""
    Path("a.jsonl").write_bytes(BACKUP)
    fill(BACKUP)


@pytest.mark.usefixtures("backup")
def test_definitions_that_no_longer_bill_a_state() -> None:
    """What they would change is shown; applied, the ledger is what they make of the archive, and says so to all."""
    assert usage("diff", *WITH_FEWER, "--shadow", "sqlite:///s.db") == Ran(1, THEN, "")
    assert usage("verify", "--archive", "a.jsonl", *USE).status == 0  # it changed nothing
    applied = usage("apply", "sqlite:///s.db", "--month", "2026-08")
    published = "the next run on this ledger publishes them\n"
    assert applied == Ran(0, f"1 record of usage; {published}", "")
    assert usage("verify", *WITH_FEWER) == Ran(0, "2 hours are equal, 0 differ\n", "")
    assert usage("diff", *WITH_FEWER) == Ran(0, "2 hours are equal, 0 differ\n", "")
    assert usage("apply", "sqlite:///s.db", "--month", "2026-08") == Ran(0, f"0 records of usage; {published}", "")
    before = stored(HOURS)
    assert fill(BACKUP, definitions="fewer.yaml").status == 0
    assert stored(HOURS) == [*before, ("db-1", "08-01T01", "0", "-1", 2, "coverage", "definitions")]
    assert usage("verify", *WITH_FEWER).status == 0


@pytest.mark.usefixtures("backup")
def test_diff_forms() -> None:
    """JSON and CSV have all differences, and nothing else."""
    heads = THEN.splitlines()[0].split()
    row = ["2026-08-01T01:00Z", "database.uptime", "db-1", "p-1", "flavor=small", "1", "0", "h"]
    as_json, as_csv = (usage("diff", *WITH_FEWER, "--format", form) for form in ("json", "csv"))
    assert (as_json.status, json.loads(as_json.out)) == (
        1,
        {"equal": 2, "differences": [{**dict(zip(heads, row, strict=True)), "edge": False}]},
    )
    assert (as_csv.status, rows_of(as_csv)) == (1, [heads, row])


UNAPPLIED = {
    "all": ((), "apply needs --from and --to, or --month: nothing else of the past is touched"),
    "no end": (
        ("--from", "2026-08-01"),
        "apply needs --from and --to, or --month: nothing else of the past is touched",
    ),
    "a meter": (
        ("--month", "2026-08", "--meter", "database.uptime"),
        "apply takes over whole hours; --meter, --resource and --tenant cannot be used with it",
    ),
    "a tenant": (
        ("--month", "2026-08", "--tenant", "p-1"),
        "apply takes over whole hours; --meter, --resource and --tenant cannot be used with it",
    ),
    "hours that are gone": (("--month", "2020-01"), "hours before 2026-06-27T01:00:00+00:00 are no longer kept"),
}


@pytest.mark.usefixtures("backup")
def test_what_cannot_be_applied() -> None:
    """Nothing is touched but hours that were named and are kept."""
    usage("diff", *WITH_FEWER, "--shadow", "sqlite:///s.db")
    assert {name: usage("apply", "sqlite:///s.db", *options) for name, (options, _) in UNAPPLIED.items()} == {
        name: Ran(2, "", f"eventdefs: {message}\n") for name, (_, message) in UNAPPLIED.items()
    }
    assert usage("verify", "--archive", "a.jsonl", *USE).status == 0


def test_apply_to_a_closed_month() -> None:
    """It is a correction as any other: held until it is approved."""
    given = BACKUP + reached("2026-09-02 00:00", "2026-09-02 01:00")
    Path("a.jsonl").write_bytes(given)
    fill(given)
    assert usage("close", "2026-08").status == 0
    usage("diff", *WITH_FEWER, "--shadow", "sqlite:///s.db")
    assert usage("apply", "sqlite:///s.db", "--month", "2026-08").status == 0
    assert usage("verify", "--archive", "a.jsonl", *USE).status == 0  # nothing is recorded yet
    assert usage("approve", "2026-08", "--dry-run").status == 1
    assert usage("approve", "2026-08").status == 0
    assert usage("verify", *WITH_FEWER).status == 0


@pytest.mark.usefixtures("backup")
def test_apply_touches_no_other_hour() -> None:
    """What lies outside of the span stays as it is."""
    usage("diff", *WITH_FEWER, "--shadow", "sqlite:///s.db")
    assert usage("apply", "sqlite:///s.db", "--from", "2026-08-01T02:00", "--to", "2026-08-02").status == 0
    assert usage("verify", "--archive", "a.jsonl", *USE) == Ran(0, "3 hours are equal, 0 differ\n", "")


@pytest.mark.parametrize("name", ["l.db", "s.db"])
@pytest.mark.usefixtures("backup")
def test_a_shadow_must_be_new(name: str) -> None:
    """What a ledger has counted is not mixed with what an archive gives, least of all in the ledger itself."""
    usage("diff", *WITH_FEWER, "--shadow", "sqlite:///s.db")
    statement = "SELECT resource, hour, state FROM ledger_hours UNION SELECT kind, sequence, record FROM ledger_records"
    before = stored(statement, name)
    ran = usage("diff", "--archive", "a.jsonl", *USE, "--shadow", f"sqlite:///{name}")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert stored(statement, name) == before


# --- all of them -----------------------------------------------------------------------------------------------------

CALLS = {
    "list": (),
    "explain": ("database.uptime", "db-1", "2026-08-01"),
    "verify": ("--archive", "a.jsonl"),
    "audit": (),
    "close": ("2026-08",),
    "approve": ("2026-08",),
    "diff": ("--archive", "a.jsonl", "--shadow", "sqlite:///s.db"),
    "apply": ("sqlite:///s.db", "--month", "2026-08"),
}


@pytest.mark.usefixtures("story")
def test_a_process_does_the_same() -> None:
    """What was asked in the process of the tests is answered alike by one of its own."""
    calls = {**CALLS, "verify": ("--archive", "a.jsonl", *USE), "diff": (*WITH_FEWER, "--format", "json")}
    for command in ("list", "explain", "verify", "audit", "diff", "approve"):
        assert run("usage", command, *ON, *calls[command]) == usage(command, *calls[command]), command


@pytest.mark.parametrize("command", COMMANDS)
def test_a_ledger_that_is_not_there(command: str) -> None:
    """Asking makes none."""
    Path("a.jsonl").write_bytes(STORY)
    before = sorted(Path().iterdir())
    assert usage(command, *CALLS[command]) == Ran(2, "", "eventdefs: there is no ledger l.db\n")
    assert sorted(Path().iterdir()) == before


NO_LEDGERS: dict[str, tuple[str, Callable[[Path], object] | None, str]] = {
    "an empty file": ("sqlite:///x.db", lambda path: path.write_bytes(b""), "sqlite:///x.db has no ledger"),
    "a target": ("sqlite:///x.db", lambda path: shutil.copy("e.db", path), "sqlite:///x.db has no ledger"),
    "no database": (
        "sqlite:///u.yaml",
        None,
        "the ledger sqlite:///u.yaml cannot be used: file is not a database",
    ),
    "memory": ("memory://", None, "memory:// names no ledger, known are sqlite, postgresql, mysql and memory"),
    "nothing": ("l.db", None, "'l.db' names no ledger, as sqlite:///ledger.db does"),
}


@pytest.mark.parametrize(("url", "make", "message"), NO_LEDGERS.values(), ids=NO_LEDGERS)
@pytest.mark.usefixtures("story")
def test_what_is_no_ledger(url: str, make: Callable[[Path], object] | None, message: str) -> None:
    """It is said in one line, and what is there stays as it is."""
    if make is not None:
        make(Path("x.db"))
    ran = inside("usage", "list", "--ledger", url)
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert ran.err.startswith("eventdefs: ")
    assert message in ran.err
    if make is not None:
        assert stored("SELECT name FROM sqlite_master WHERE name LIKE 'ledger%'", "x.db") == []


def test_help_of_each() -> None:
    """Help is an answer, names every option, and `eventdefs usage --help` names every command."""
    for command in COMMANDS:
        ran = inside("usage", command, "--help")
        assert (ran.status, ran.err) == (0, "")
        assert ran.out.startswith(f"usage: eventdefs usage {command} ")
        assert "--ledger URL" in ran.out
    ran = run("usage", "--help")
    assert (ran.status, ran.err) == (0, "")
    for command, text in COMMANDS.items():
        assert f"    {command} " in ran.out
        assert text.split(",")[0] in " ".join(ran.out.split())


def test_no_command() -> None:
    """Who asks nothing is told what can be asked."""
    ran = run("usage")
    assert (ran.status, ran.out, ran.err.splitlines()[-1]) == (
        2,
        "",
        "eventdefs usage: error: the following arguments are required: COMMAND",
    )


@pytest.mark.usefixtures("story")
def test_a_reader_that_has_enough() -> None:
    """`| head -1` is no failure, and nobody complains."""
    with subprocess.Popen(
        [*COMMAND, "usage", "list", *ON],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
