"""`--update`: expectations written anew in place, and nothing else of the file touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from eventdefs.cases.files import update_file
from eventdefs.cases.running import Result, Runner, Suite
from eventdefs.errors import InputError
from tests.test_cases import METERS, PARTS, VOLUMES
from tests.test_cli import COMMAND, ENVIRONMENT

FILE = "t.test.yaml"
HEAD = "definitions: [volumes.yaml, meters.yaml]   # both\ncases:\n"
GIVEN = "notification: {event_type: volume.create.end, payload: {id: v-1, size: 4, name: data, zone: a@b}}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("volumes.yaml").write_text(VOLUMES)
    Path("meters.yaml").write_text(METERS)
    return tmp_path


def run(runner: Runner) -> tuple[Suite, list[Result]]:
    suite = runner.open(FILE)
    assert isinstance(suite, Suite), "\n".join(map(str, suite.findings))
    return suite, [runner.run(suite, case) for case in suite.cases.cases]


def updated(text: str) -> str:
    """Return the file *text* after an update, which makes every case pass that does not say why it stays."""
    Path(FILE).write_text(text)
    runner = Runner(unfinished=True)
    suite, results = run(runner)
    count, left = update_file(runner, suite, results)
    assert count + len(left) == sum(one.outcome == "failed" for one in results)
    after = {one.case.name: one.outcome for one in run(runner)[1]}
    assert {name for name, outcome in after.items() if outcome == "failed"} == {name for name, _ in left}
    return Path(FILE).read_text()


def case(body: str, given: str = GIVEN) -> str:
    return HEAD + f"  - name: one\n    {given}\n{body}"


UPDATES = {
    "a value, its comment, and what stands around it": (
        "    # the event\n    event:\n      traits:\n        size:   5   # GiB\n\n        name: 'data'\n    # end\n",
        "    # the event\n    event:\n      traits:\n        size:   4   # GiB\n\n        name: 'data'\n    # end\n",
    ),
    "a value in braces": (
        "    event: {traits: {size: 5, name: data}}  # c\n",
        "    event: {traits: {size: 4, name: data}}  # c\n",
    ),
    "another type": ('    event:\n      traits: {size: "4"}\n', "    event:\n      traits: {size: 4}\n"),
    "a trait that is gone": (
        "    event:\n      traits:\n        size: 4\n        nothing: x  # gone\n        # name\n        name: data\n",
        "    event:\n      traits:\n        size: 4\n        # name\n        name: data\n",
    ),
    "the last trait that is gone": (
        "    event:\n      traits:\n        size: 4\n        nothing: x\n    missing: [a]\n",
        "    event:\n      traits:\n        size: 4\n    missing: [a]\n",
    ),
    "all traits that are gone": (
        "    event:\n      traits:\n        nothing: x\n      priority: info\n",
        "    event:\n      traits: {}\n      priority: info\n",
    ),
    "traits that are new": (
        "    event:\n      traits:\n        resource_id: v-1\n        size: 4   # last\n    exactly: [traits]\n",
        (
            "    event:\n      traits:\n        resource_id: v-1\n        size: 4   # last\n        service: test\n"
            "        name: data\n        zone: b\n    exactly: [traits]\n"
        ),
    ),
    "a value that becomes several lines": (
        "    event:\n      traits:\n        name: >\n          a\n          b\n        size: 4\n",
        "    event:\n      traits:\n        name: data\n        size: 4\n",
    ),
    "no event any more": (
        "    rejected: true\n    problems: [{name: x}]\n",
        (
            "    problems: []\n    event:\n      event_type: volume.create.end\n      tenant: null\n      traits:\n"
            "        service: test\n        resource_id: v-1\n        size: 4\n        name: data\n        zone: b\n"
        ),
    ),
    "what is missing and there": ("    missing: [a, name]\n", "    missing: [a]\n"),
    "a sample's value": (
        (
            "    samples:\n      # the only one\n      - {name: volume.size, volume: 5}   # GiB\n      - name: size2\n"
            "        volume: 1\n    exactly: [samples]\n"
        ),
        "    samples:\n      # the only one\n      - {name: volume.size, volume: 4}   # GiB\n    exactly: [samples]\n",
    ),
    "samples that should not be": (
        "    samples: []\n",
        "    samples: [{name: volume.size, type: gauge, unit: GiB, volume: 4, resource_id: v-1, project_id: null}]\n",
    ),
    "samples that are new": (
        "    exactly: [samples]\n",
        (
            "    exactly: [samples]\n    samples:\n"
            "      - {name: volume.size, type: gauge, unit: GiB, volume: 4, resource_id: v-1, project_id: null}\n"
        ),
    ),
    "samples in one line": (
        "    samples: [{name: volume.size, volume: 5}, {name: a}]\n",
        "    samples: [{name: volume.size, volume: 4}]\n",
    ),
    "samples of which none is left": (
        "    event: {}\n    samples:\n      - name: a\n      - name: b\n    description: c\n",
        "    event: {}\n    description: c\n",
    ),
    "nothing yet": (
        "    # later\n",
        (
            "    event:\n      event_type: volume.create.end\n      tenant: null\n      traits:\n"
            "        service: test\n        resource_id: v-1\n        size: 4\n        name: data\n        zone: b\n"
            "    samples:\n"
            "      - {name: volume.size, type: gauge, unit: GiB, volume: 4, resource_id: v-1, project_id: null}\n"
            "    exactly: true\n    # later\n"
        ),
    ),
    "no line end at the end": ("    event:\n      tenant: x", "    event:\n      tenant: null"),
}


@pytest.mark.parametrize(("before", "after"), UPDATES.values(), ids=UPDATES)
def test_update(before: str, after: str) -> None:
    """What differs is written anew where it stands, and then the case passes."""
    assert updated(case(before)) == case(after)


@pytest.mark.parametrize(("before", "after"), UPDATES.values(), ids=UPDATES)
def test_nothing_to_update(before: str, after: str) -> None:
    """A file that is as it should be is not written at all."""
    Path(FILE).write_text(case(after))
    state = Path(FILE).stat()
    assert updated(case(after)) == case(after)
    runner = Runner()
    suite, results = run(runner)
    state = Path(FILE).stat()
    assert update_file(runner, suite, results) == (0, [])
    assert (Path(FILE).stat().st_ino, Path(FILE).stat().st_mtime_ns) == (state.st_ino, state.st_mtime_ns)


def test_line_ends_and_byte_order_mark() -> None:
    """A file of another system keeps its line ends and its mark."""
    before, after = UPDATES["traits that are new"]
    text = case(before).replace("\n", "\r\n").encode()
    Path(FILE).write_bytes(b"\xef\xbb\xbf" + text)
    runner = Runner()
    assert update_file(runner, *run(runner)) == (1, [])
    assert Path(FILE).read_bytes() == b"\xef\xbb\xbf" + case(after).replace("\n", "\r\n").encode()


def test_lookup_rows() -> None:
    """Of many samples of one meter those are changed that have to be."""
    rows = (
        "    samples:\n      - {name: part.size, volume: 3}\n      - {name: part.size, volume: 9}  # was 2\n"
        "      - name: part.size\n        volume: 1\n    exactly: [samples]\n"
    )
    given = PARTS.replace("\n     ", "")
    assert updated(case(rows, f"notification: {given}")) == case(
        rows.replace("volume: 9", "volume: 2"), f"notification: {given}"
    )


LEFT = {
    "each": (
        f"  - name: one <a>\n    each: [{{a: 1}}, {{a: 4}}]\n    {GIVEN}\n    event: {{traits: {{size: <a>}}}}\n",
        [("one 1", "its values come from `each`")],
    ),
    "an alias": (
        (
            f"  - name: one\n    {GIVEN}\n    event: {{traits: &t {{size: 4}}}}\n"
            f"  - name: two\n    {GIVEN.replace('size: 4', 'size: 5')}\n    event:\n      traits: *t\n"
        ),
        [("two", "`traits` is an alias")],
    ),
    "a case in braces": (f"  - {{name: one, {GIVEN}, no_event: true}}\n", [("one", "the case is written in braces")]),
}


@pytest.mark.parametrize(("text", "left"), LEFT.values(), ids=LEFT)
def test_what_stays_as_it_is(text: str, left: list[tuple[str, str]]) -> None:
    """What stands for several cases is not changed for one of them, and the command says so."""
    Path(FILE).write_text(HEAD + text)
    runner = Runner()
    assert update_file(runner, *run(runner)) == (0, left)
    assert Path(FILE).read_text() == HEAD + text


def test_an_update_that_would_break_another_case() -> None:
    """What is written is run first: where a case would fail that passes now, nothing is written."""
    text = (
        f"  - name: one\n    {GIVEN.replace('size: 4', 'size: 5')}\n    event: &e\n      traits: {{size: 4}}\n"
        f"  - name: two\n    {GIVEN}\n    event: *e\n"
    )
    Path(FILE).write_text(HEAD + text)
    runner = Runner()
    suite, results = run(runner)
    assert [one.outcome for one in results] == ["failed", "passed"]
    with pytest.raises(InputError, match="two: cannot be updated in place; nothing is written"):
        update_file(runner, suite, results)
    assert Path(FILE).read_text() == HEAD + text


def test_a_file_that_was_changed_meanwhile() -> None:
    """Somebody else's work is not overwritten."""
    Path(FILE).write_text(case("    event: {traits: {size: 5}}\n"))
    runner = Runner()
    suite, results = run(runner)
    Path(FILE).write_text(case("    event: {traits: {size: 6}}\n"))
    with pytest.raises(InputError, match="was changed meanwhile"):
        update_file(runner, suite, results)
    assert Path(FILE).read_text() == case("    event: {traits: {size: 6}}\n")
    assert [name for name in os.listdir() if name.startswith(".")] == []


def test_a_link_and_a_mode_are_kept() -> None:
    """The file that a link names is written, with the mode that it has."""
    Path("real.yaml").write_text(case("    event: {traits: {size: 5}}\n"))
    Path("real.yaml").chmod(0o640)
    Path(FILE).symlink_to("real.yaml")
    runner = Runner()
    assert update_file(runner, *run(runner)) == (1, [])
    assert Path(FILE).is_symlink()
    assert Path("real.yaml").read_text() == case("    event: {traits: {size: 4}}\n")
    assert Path("real.yaml").stat().st_mode & 0o777 == 0o640


def test_two_updates_at_once() -> None:
    """Both end well or say that somebody else was there; the file is whole in any case."""
    body = "".join(
        f"  - name: case {number}\n    {GIVEN}\n    event:\n      traits:\n        size: 5  # {number}\n"
        for number in range(300)
    )
    Path(FILE).write_text(HEAD + body)
    command = [*COMMAND, "test", FILE, "--update"]
    both = [
        subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ended = [(*one.communicate(timeout=60), one.returncode) for one in both]
    assert 0 in [status for *_, status in ended]
    assert [error for _, error, status in ended if status and "changed meanwhile" not in error] == []
    assert Path(FILE).read_text() == (HEAD + body).replace("size: 5", "size: 4")
