"""`eventdefs test` as it is called, what CI systems read of it, and the pytest plugin in a real run of pytest."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eventdefs.cli import test as command
from tests.test_cases import METERS, VOLUMES
from tests.test_cli import COMMAND, ENVIRONMENT, Ran, run
from tests.test_documented import page, section, undocumented
from tests.test_layers import loaded

pytest_plugins = ["pytester"]

CASES = """\
definitions: [volumes.yaml, meters.yaml]
cases:
  - name: as expected
    notification: {event_type: volume.create.end, payload: {id: v-1, size: 4}}
    event: {traits: {size: 4}}
  - name: of another size
    notification: {event_type: volume.create.end, payload: {id: v-1, size: 4}}
    event: {traits: {size: 5}}
"""
UNREADABLE = """\
cases:
  - name: no file
    notification: nothing.json
    event: {}
"""
HOSTILE = '\\e[31m\\0\\n]]>&<\\"\\uFFFE\\U0001F600\\x9b'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("volumes.yaml").write_text(VOLUMES)
    Path("meters.yaml").write_text(METERS)
    Path("t.test.yaml").write_text(CASES)
    return tmp_path


def good() -> None:
    Path("t.test.yaml").write_text(CASES.replace("size: 5", "size: 4"))


# --- the command -----------------------------------------------------------------------------------------------------


def test_a_failure() -> None:
    """Where the case stands, what differs, why, and how many there are."""
    ran = run("test")
    assert (ran.status, ran.err) == (1, "")
    *lines, last = ran.out.splitlines()
    assert lines == [
        "FAILED t.test.yaml:6 of another size",
        "  --- expected",
        "  +++ got",
        "    traits:",
        "  -   size: 5",
        "  +   size: 4",
        "  because",
        "    volumes.yaml:4:5: trait size: payload.size gives 4",
        "",
    ]
    assert last.startswith("1 passed, 1 failed in ")


def test_all_pass() -> None:
    """Then there is one line, and the exit status is 0."""
    good()
    ran = run("test", "t.test.yaml")
    assert (ran.status, ran.err, ran.out.partition(" in ")[0]) == (0, "", "2 passed")


def test_what_could_not_run() -> None:
    """A case without its notification, a file with errors: exit status 2; the others run."""
    Path("a.test.yaml").write_text(UNREADABLE)
    Path("b.test.yaml").write_text("cases:\n  - nam: x\n")
    ran = run("test")
    assert ran.status == 2
    assert "COULD NOT RUN a.test.yaml:2 no file\n" in ran.out
    assert "a.test.yaml:3:19: error[E607]: nothing.json: No such file or directory\n" in ran.out
    assert "COULD NOT RUN b.test.yaml\n" in ran.out
    assert "b.test.yaml:2:5: error[E602]: unknown key 'nam' in a case\n" in ran.out
    assert ran.out.splitlines()[-1].startswith("1 passed, 1 failed, 2 could not run in ")


def test_nothing_to_run() -> None:
    """No test file is an error; no case of that name is not, and is said."""
    assert run("test", "nothing") == Ran(2, "", "eventdefs: nothing: there is no such file\n")
    Path("empty").mkdir()
    assert run("test", "empty") == Ran(2, "", "eventdefs: empty: no file ends with .test.yaml\n")
    ran = run("test", "-k", "nothing")
    assert (ran.status, ran.out.splitlines()[0]) == (0, "no case has 'nothing' in its name")


def test_choosing() -> None:
    """`-k` takes a part of a name, of the case or the file; `-x` stops at the first failure."""
    Path("u.test.yaml").write_text(CASES)
    assert run("test", "-k", "AS EXP").out.startswith("2 passed in ")
    assert run("test", "-k", "u.test").out.splitlines()[-1].startswith("1 passed, 1 failed in ")
    assert run("test", "-x").out.splitlines()[-1].startswith("1 passed, 1 failed in ")
    assert run("test").out.splitlines()[-1].startswith("2 passed, 2 failed in ")


def test_definitions() -> None:
    """The file's own come first, then those of the command, then the shipped ones."""
    Path("own.test.yaml").write_text(CASES.partition("\n")[2])
    shipped = run("test", "own.test.yaml")
    assert "event_definitions.yaml" in shipped.out
    named = run("test", "own.test.yaml", "--definitions", "volumes.yaml", "meters.yaml")
    assert "volumes.yaml:4:5" in named.out
    assert "volumes.yaml:4:5" in run("test", "t.test.yaml", "--definitions", "nothing.yaml").out
    wrong = run("test", "own.test.yaml", "--definitions", "nothing.yaml")
    assert (wrong.status, wrong.out.splitlines()[1].partition(":")[0]) == (2, "nothing.yaml")


def test_json() -> None:
    """One document with everything, for programs."""
    Path("u.test.yaml").write_text(UNREADABLE)
    ran = run("test", "--format", "json", "--coverage")
    (document,) = ran.lines
    assert ran.status == 2
    assert {key: document[key] for key in ("passed", "failed", "errors")} == {"passed": 1, "failed": 1, "errors": 1}
    rows = {row["name"]: row for row in document["cases"]}
    assert rows["as expected"].keys() == {"file", "line", "name", "outcome", "seconds"}
    assert rows["of another size"]["differences"] == [
        {"part": "traits", "of": "", "key": "size", "expected": 5, "got": 4}
    ]
    assert rows["of another size"]["causes"] == ["volumes.yaml:4:5: trait size: payload.size gives 4"]
    assert rows["no file"]["findings"][0]["code"] == "E607"
    assert document["coverage"]["files"]["volumes.yaml"]["traits"] == {"reached": 2, "all": 6}


def test_coverage() -> None:
    """It goes to the terminal as text, to files for programs, and decides the exit status where that is asked."""
    good()
    ran = run("test", "--coverage")
    assert (ran.status, ran.out.splitlines()[0]) == (0, "coverage of volumes.yaml")
    low = run("test", "--coverage-fail-under", "80")
    assert (low.status, low.err) == (1, "eventdefs: coverage is 27.50 %, less than 80 %\n")
    assert run("test", "--coverage-fail-under", "27.5").status == 0
    assert run("test", "--coverage", "lcov", "--coverage-file", "c/d").status == 2
    assert run("test", "--coverage=lcov").status == 0
    assert Path("lcov.info").read_text().startswith("TN:\nSF:volumes.yaml\n")
    assert run("test", "--coverage=json", "--coverage-file", "c.json").status == 0
    assert json.loads(Path("c.json").read_text())["percent"] == 27.5


@pytest.mark.parametrize("percent", ["-1", "101", "x", "nan"])
def test_a_percentage(percent: str) -> None:
    """What is no percentage is refused."""
    assert run("test", f"--coverage-fail-under={percent}").status == 2


def test_update() -> None:
    """What fails is written anew, which is said, and then passes."""
    ran = run("test", "--update")
    assert (ran.status, ran.out.splitlines()[0]) == (0, "t.test.yaml: 1 case written anew")
    assert Path("t.test.yaml").read_text() == CASES.replace("size: 5", "size: 4")
    again = run("test", "--update")
    assert (again.status, again.out.partition(" in ")[0]) == (0, "2 passed")


def test_update_of_what_was_chosen() -> None:
    """Cases that were not run are not written."""
    Path("t.test.yaml").write_text(CASES + CASES.partition("cases:\n")[2].replace("name: ", "name: also "))
    ran = run("test", "--update", "-k", "also")
    assert ran.status == 0
    assert Path("t.test.yaml").read_text().count("size: 5") == 1


def test_a_name_that_a_terminal_would_obey() -> None:
    """Names and payloads are somebody else's text: what a terminal obeys is escaped, in all that is written."""
    text = CASES.replace("of another size", f'"{HOSTILE}"').replace(
        "{id: v-1, size: 4}", f'{{id: v-1, size: "{HOSTILE}"}}'
    )
    Path("t.test.yaml").write_text(text)
    ran = run("test", "--junit", "j.xml")
    assert ran.status == 1
    assert [char for char in ran.out if not char.isprintable() and char != "\n"] == []
    assert "\\x1b[31m\\x00\\n]]>&<" in ran.out
    (case,) = ElementTree.parse("j.xml").getroot().iterfind(".//testcase[2]")
    assert case.get("name", "").startswith("\\x1b[31m\\x00\\n]]>&<")


def test_junit() -> None:
    """A suite for each file, a case for each case, and the text of a failure as it is on the terminal."""
    Path("u.test.yaml").write_text(UNREADABLE)
    Path("v.test.yaml").write_text("cases: 4\n")
    assert run("test", "--junit", "j.xml").status == 2
    top = ElementTree.parse("j.xml").getroot()
    counts = ("tests", "failures", "errors", "skipped")
    assert (top.tag, [top.get(name) for name in counts]) == ("testsuites", ["4", "1", "2", "0"])
    assert [(suite.get("name"), *(suite.get(name) for name in counts)) for suite in top] == [
        ("t.test.yaml", "2", "1", "0", "0"),
        ("u.test.yaml", "1", "0", "1", "0"),
        ("v.test.yaml", "1", "0", "1", "0"),
    ]
    cases = {case.get("name"): case for case in top.iter("testcase")}
    assert [(one.get("classname"), one.get("line"), [child.tag for child in one]) for one in cases.values()] == [
        ("t.test.yaml", "3", []),
        ("t.test.yaml", "6", ["failure"]),
        ("u.test.yaml", "2", ["error"]),
        ("v.test.yaml", "0", ["error"]),
    ]
    failure = cases["of another size"][0]
    assert failure.get("message") == "not as expected: size"
    assert failure.text is not None
    assert failure.text.splitlines()[3:5] == ["  -   size: 5", "  +   size: 4"]
    assert all(float(one.get("time", "x")) >= 0 for one in cases.values())


def test_colours() -> None:
    """A terminal is shown colours, unless it wants none; a pipe gets none."""
    for wanted, environment in ((True, ENVIRONMENT), (False, {**ENVIRONMENT, "NO_COLOR": "1"})):
        ours, theirs = pty.openpty()
        subprocess.run([*COMMAND, "test"], env=environment, stdout=theirs, check=False, timeout=60)
        os.close(theirs)
        shown = read_all(ours)
        assert (b"\x1b[" in shown) is wanted
    assert "\x1b" not in run("test").out


def read_all(terminal: int) -> bytes:
    """Return what was written to *terminal*, and close it."""
    shown = b""
    with contextlib.suppress(OSError):  # which is how a terminal ends
        while more := os.read(terminal, 65536):
            shown += more
    os.close(terminal)
    return shown


@contextlib.contextmanager
def watching() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, "test", "--watch"],
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    too_long = threading.Timer(60, process.kill)
    too_long.start()
    try:
        yield process
    finally:
        too_long.cancel()
        process.kill()
        process.communicate()


def until_it_waits(process: subprocess.Popen[str]) -> str:
    """Return what the process prints until it waits for a change."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        if line.startswith("waiting for changes"):
            break
        lines.append(line)
    return "".join(lines)


GIVEN = '{"message_id": "m", "event_type": "volume.x", "timestamp": "2026-08-01", "payload": {"id": "v", "size": %s}}'
CHANGES = {
    "t.test.yaml": CASES,
    "new.test.yaml": CASES,
    "volumes.yaml": VOLUMES.replace("payload.size", "payload.sise"),
    "a.json": GIVEN % 50,
}


@pytest.mark.parametrize("changed", CHANGES)
def test_watch(changed: str) -> None:
    """A change of the tests, the definitions or a notification runs all again; Ctrl-C ends with the last status."""
    good()
    Path("a.json").write_text(GIVEN % 4)
    Path("u.test.yaml").write_text(
        "definitions: volumes.yaml\ncases: [{name: a, notification: a.json, event: {traits: {size: 4}}}]\n"
    )
    with watching() as process:
        assert until_it_waits(process).startswith("3 passed in ")
        Path("changed").write_text(CHANGES[changed])
        Path("changed").replace(changed)  # all at once, so that no run sees half of it
        assert " failed in " in until_it_waits(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (out.strip(), err, process.returncode) == ("", "", 1)


def test_watch_and_update() -> None:
    """The two do not go together."""
    assert run("test", "--watch", "--update") == Ran(
        2, "", "eventdefs: --update changes what --watch waits for: use one of them\n"
    )


def test_many_cases() -> None:
    """Five thousand cases are read, run and reported in one go."""
    count = 5000
    body = "".join(
        f"  - name: case {number}\n"
        f"    notification: {{event_type: volume.x, payload: {{id: v-{number}, size: {number}}}}}\n"
        f"    event: {{traits: {{size: {number}}}}}\n"
        for number in range(count)
    )
    Path("t.test.yaml").write_text(f"definitions: volumes.yaml\ncases:\n{body}")
    ran = run("test", "--coverage", "json", "--junit", "j.xml")
    assert (ran.status, ran.out.partition(" in ")[0]) == (0, "5,000 passed")
    assert len(list(ElementTree.parse("j.xml").getroot().iter("testcase"))) == count


def test_every_option_is_documented() -> None:
    """Options and arguments of `eventdefs test` stand in its section."""
    commands = argparse.ArgumentParser().add_subparsers()
    command.add_parser(commands, "")
    actions = commands.choices["test"]._actions
    names = [name for action in actions for name in action.option_strings or [action.metavar]]
    assert undocumented(names, section(page("cli"), "eventdefs test")) == []
    assert undocumented([word for action in actions for word in action.choices or ()], page("cli")) == []


# --- the pytest plugin ------------------------------------------------------------------------------------------------


@pytest.fixture
def plain(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder in which pytest runs as it does anywhere: the plugin comes from the installed entry point."""
    for name in ("volumes.yaml", "meters.yaml"):
        Path(name).write_text(VOLUMES if name == "volumes.yaml" else METERS)
    Path("t.test.yaml").write_text(CASES)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


def pytest_run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_pytest_runs_cases(plain: pytest.Pytester) -> None:
    """Each case is an item, beside other tests; a failure shows what the command shows."""
    plain.makepyfile("def test_other(): pass")
    ran = pytest_run(plain)
    ran.assert_outcomes(passed=2, failed=1)
    ran.stdout.fnmatch_lines(
        [
            "*of another size*",
            "  --- expected",
            "  -   size: 5",
            "  +   size: 4",
            "    volumes.yaml:4:5: trait size: payload.size gives 4",
            "FAILED t.test.yaml::of another size*",
        ]
    )
    assert "pytest_plugin.py" not in ran.stdout.str()


def test_pytest_chooses_cases(plain: pytest.Pytester) -> None:
    """`-k`, `--collect-only` and the name of a case work as with any test."""
    pytest_run(plain, "-k", "expected").assert_outcomes(passed=1, deselected=1)
    pytest_run(plain, "t.test.yaml::of another size").assert_outcomes(failed=1)
    ran = pytest_run(plain, "--collect-only", "-q")
    assert ran.stdout.lines[:2] == ["t.test.yaml::as expected", "t.test.yaml::of another size"]


def test_pytest_says_what_is_wrong_with_a_file(plain: pytest.Pytester) -> None:
    """A file with errors is an error of collecting, with each finding; a case without its notification fails."""
    Path("u.test.yaml").write_text("cases:\n  - nam: x\n")
    ran = pytest_run(plain)
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(["*u.test.yaml:2:5: error?E602?: unknown key 'nam' in a case"])
    Path("u.test.yaml").write_text(UNREADABLE)
    ran = pytest_run(plain, "u.test.yaml")
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(["*u.test.yaml:3:19: error?E607?: *nothing.json: No such file or directory"])


def test_pytest_takes_definitions(plain: pytest.Pytester) -> None:
    """By an option or in its configuration, for files that name none."""
    Path("t.test.yaml").write_text(CASES.partition("\n")[2])
    here = ("--eventdefs-definitions", "volumes.yaml", "--eventdefs-definitions", "meters.yaml")
    pytest_run(plain, *here, "-k", "expected").assert_outcomes(passed=1, deselected=1)
    plain.makeini("[pytest]\neventdefs_definitions = volumes.yaml meters.yaml\n")
    ran = pytest_run(plain)
    ran.assert_outcomes(passed=1, failed=1)
    ran.stdout.fnmatch_lines(["*volumes.yaml:4:5: trait size: payload.size gives 4"])


def test_pytest_leaves_other_files_alone(plain: pytest.Pytester) -> None:
    """What only has the name is somebody else's, and `-p no:eventdefs` switches the plugin off."""
    Path("t.test.yaml").write_text("suite: of another tool\n")
    assert pytest_run(plain).ret == pytest.ExitCode.NO_TESTS_COLLECTED
    Path("t.test.yaml").write_text(CASES)
    assert pytest_run(plain, "-p", "no:eventdefs").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_pytest_shows_no_terminal_codes(plain: pytest.Pytester) -> None:
    """Names and payloads are escaped here as well."""
    Path("t.test.yaml").write_text(CASES.replace("of another size", f'"{HOSTILE}"'))
    out = pytest_run(plain, "--color=no").stdout.str()
    assert "\x1b" not in out
    assert "\x00" not in out


def test_the_plugin_is_light() -> None:
    """Every pytest run of everybody loads it: it loads nothing of ours, nor what we use."""
    found = loaded("import eventdefs.pytest_plugin") - loaded("import pytest")
    assert found == {"eventdefs", "eventdefs.pytest_plugin"}


def test_the_plugin_is_installed() -> None:
    """Its entry point is what pytest looks for."""
    assert [one.value for one in entry_points(group="pytest11", name="eventdefs")] == ["eventdefs.pytest_plugin"]
