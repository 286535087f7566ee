"""Settings, and where a command delivers to: what is said is used, and what cannot be used is said."""

from __future__ import annotations

import fcntl
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eventdefs import SettingsError
from eventdefs.settings import OPTIONS, Settings, list_opts, load_settings
from eventdefs.testing import free_port
from tests.test_cli import COMMAND, ENVIRONMENT, TOP

EVERYTHING = """\
[DEFAULT]
debug = true
[oslo_messaging_rabbit]
ssl = true
[pipeline]
file = one.yaml
file = two.yaml
publisher = kafka://a:9092,b:9092/events?client=auto
publisher = file://out.jsonl
skip_publishers = gnocchi, prometheus
default_format = ceilometer
dead_letters = dead.jsonl
batch_items = 10
batch_age = 0.5
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "eventdefs.conf"
    path.write_text(text)
    return str(path)


def test_every_option(tmp_path: Path) -> None:
    """Each is read as what it is; a URL with commas stays one, and sections of others are not looked at."""
    assert load_settings(written(tmp_path, EVERYTHING)) == Settings(
        files=("one.yaml", "two.yaml"),
        publishers=("kafka://a:9092,b:9092/events?client=auto", "file://out.jsonl"),
        skip_publishers=("gnocchi", "prometheus"),
        default_format="ceilometer",
        dead_letters="dead.jsonl",
        batch_items=10,
        batch_age=0.5,
    )


@pytest.mark.parametrize("text", ["", "[pipeline]\n", "[other]\nfile = x\n"])
def test_nothing_is_said(text: str, tmp_path: Path) -> None:
    """Every option has a default."""
    assert load_settings(written(tmp_path, text)) == Settings()


WRONG = {
    "an unknown option": ("[pipeline]\nskip_publisher = x\n", "[pipeline] has no option skip_publisher (did you mean"),
    "no number": ("[pipeline]\nbatch_items = many\n", "batch_items"),
    "too small": ("[pipeline]\nbatch_items = 0\n", "Should be greater than or equal to 1"),
    "no section": ("file = x\n", "at eventdefs.conf"),
    "no settings": ("[pipeline\nfile = x\n", "Invalid section"),
    "no format": ("[pipeline]\ndefault_format = natve\n", "default_format"),
    "a dollar": ("[pipeline]\npublisher = http://me:s3cr3t$word@h/\n", "publisher: a $ is written $$"),
    "no time": ("[pipeline]\nbatch_age = nan\n", "batch_age is nan, expected 0.001 to 86400"),
    "an endless time": ("[pipeline]\nbatch_age = inf\n", "batch_age"),
    "a line alone": ("[pipeline]\n http://me:s3cr3t@h/\n", "Unexpected continuation line: ' http://*********@h/'"),
    "no text": ("[pipeline]\nfile = \x00\udcff\n", ""),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong(text: str, said: str, tmp_path: Path) -> None:
    """It names the file, and what it does not take."""
    path = tmp_path / "eventdefs.conf"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError) as caught:
        load_settings(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert said.replace("at eventdefs.conf", f"at {path}") in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The reason is the system's."""
    with pytest.raises(SettingsError, match=r"gone\.conf: No such file or directory"):
        load_settings(str(tmp_path / "gone.conf"))


def test_they_are_found_by_the_generator(tmp_path: Path) -> None:
    """`oslo-config-generator --namespace eventdefs` writes every option with its help."""
    words = [sys.executable, "-c", "from oslo_config.generator import main; main()", "--namespace", "eventdefs"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert list_opts() == list(OPTIONS.items())
    for option in OPTIONS["pipeline"]:
        assert f"#{option.name} =" in ran.stdout
        assert option.help.split()[0] in ran.stdout


# --- commands --------------------------------------------------------------------------------------------------------


class Ran:
    def __init__(self, *words: str, cwd: Path) -> None:
        ran = subprocess.run([*COMMAND, *words], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        self.status, self.out, self.err = ran.returncode, ran.stdout, ran.stderr


PIPELINE = """\
sources: [{name: a, events: [volume.create.*], sinks: [out]}, {name: b, meters: ["*"], sinks: [meters]}]
sinks: [{name: out, publishers: ["file://events.jsonl"]}, {name: meters, publishers: ["file://meters.jsonl", x]}]
"""
SAMPLES = str(TOP / "samples" / "cinder")


def kinds(path: Path) -> set[str]:
    return {json.loads(line)["kind"] for line in path.read_bytes().splitlines()}


def test_a_run_by_settings(tmp_path: Path) -> None:
    """Pipeline files, skipped publishers and the default format are used; a warning says what was skipped."""
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.replace("x]", "'gnocchi://']"))
    conf = written(tmp_path, "[pipeline]\nfile = pipeline.yaml\nskip_publishers = gnocchi\ndead_letters = dead\n")
    ran = Ran("run", SAMPLES, "--config", conf, cwd=tmp_path)
    assert (ran.status, "the publisher gnocchi:// is skipped" in ran.err) == (0, True)
    assert (kinds(tmp_path / "events.jsonl"), "sample" in kinds(tmp_path / "meters.jsonl")) == ({"event"}, True)
    assert "file://events.jsonl: " in ran.err
    conf = written(tmp_path, "[pipeline]\npublisher = file://c.jsonl\ndefault_format = ceilometer\n")
    assert Ran("run", SAMPLES, "--config", conf, "--quiet", cwd=tmp_path).status == 0
    assert (tmp_path / "c.jsonl").read_bytes().startswith(b'{"message_id":"')


def test_the_command_line_counts_instead(tmp_path: Path) -> None:
    """A publisher that is named there is the only one."""
    conf = written(tmp_path, "[pipeline]\npublisher = file://conf.jsonl\n")
    ran = Ran("run", SAMPLES, "--config", conf, "--to", "file://line.jsonl", "--quiet", cwd=tmp_path)
    assert (ran.status, (tmp_path / "conf.jsonl").exists()) == (0, False)
    assert (tmp_path / "line.jsonl").stat().st_size > 0


def test_the_environment_counts_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with OpenStack's services."""
    monkeypatch.setenv("OS_PIPELINE__BATCH_ITEMS", "7")
    assert load_settings(written(tmp_path, EVERYTHING)).batch_items == 7


@pytest.mark.parametrize("words", [("--to", "file://a.jsonl", "--to", "FILE://a.jsonl"), ("--config", "e.conf")])
def test_a_publisher_that_is_named_twice(words: tuple[str, ...], tmp_path: Path) -> None:
    """It is one, and is given everything where that was asked for once."""
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.replace("events.jsonl", "a.jsonl").replace(", x]", "]"))
    (tmp_path / "e.conf").write_text("[pipeline]\nfile = pipeline.yaml\npublisher = file://a.jsonl\n")
    ran = Ran("run", SAMPLES, *words, cwd=tmp_path)
    assert (ran.status, ran.err.count("file://a.jsonl: ")) == (0, 1)
    assert kinds(tmp_path / "a.jsonl") >= {"event", "sample"}


def test_no_publisher_is_left(tmp_path: Path) -> None:
    """Where all publishers of a pipeline are skipped, nothing is written to standard output instead."""
    (tmp_path / "p.yaml").write_text(
        PIPELINE.replace("file://events.jsonl", "x://").replace("file://meters.jsonl", "x")
    )
    ran = Ran("run", SAMPLES, "--pipeline", "p.yaml", "--skip-publishers", "x", cwd=tmp_path)
    assert (ran.status, ran.out) == (2, "")
    assert "no publisher is left of p.yaml" in ran.err


REFUSED = {
    "both": (("--to", "memory://", "--pipeline", "p.yaml"), "--to and --pipeline exclude one another"),
    "a pipeline that is wrong": (("--pipeline", "p.yaml"), "error[E701]: no publisher for x://"),
    "settings that are not there": (("--config", "gone.conf"), "gone.conf: No such file or directory"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("command", ["run", "check"])
def test_nothing_is_started(command: str, words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """What cannot be used is said, with status 2, before anything is opened."""
    (tmp_path / "p.yaml").write_text(PIPELINE)
    ran = Ran(command, *((SAMPLES,) if command == "run" else ()), *words, cwd=tmp_path)
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.yaml"]


# --- check -----------------------------------------------------------------------------------------------------------


def checked(ran: Ran) -> list[Any]:
    return [json.loads(line) for line in ran.out.splitlines()]


def test_checking_a_pipeline(tmp_path: Path) -> None:
    """Every publisher is opened, each with what is wrong, in the order of the file; the status says whether any is."""
    port = free_port()
    text = PIPELINE.replace("x]", f'"http://me:s3cr3t@127.0.0.1:{port}/p", "file:///nowhere/out"]')
    (tmp_path / "p.yaml").write_text(text)
    ran = Ran("check", "--pipeline", "p.yaml", "--format", "json", cwd=tmp_path)
    found = checked(ran)
    assert [one["publisher"] for one in found] == [
        "file://events.jsonl",
        "file://meters.jsonl",
        f"http://127.0.0.1:{port}/p",
        "file:///nowhere/out",
    ]
    assert [one["problem"] is None for one in found] == [True, True, False, False]
    assert "refused" in found[2]["problem"].lower()
    assert found[3]["problem"] == "cannot be opened: No such file or directory"
    assert (ran.status, "s3cr3t" in ran.out + ran.err) == (1, False)


def test_checking_for_people(tmp_path: Path) -> None:
    """A line for each publisher."""
    ran = Ran("check", "--to", "memory://", "--to", "file:///nowhere/out", cwd=tmp_path)
    assert (ran.status, ran.out, ran.err) == (
        1,
        "ok     memory://\nwrong  file:///nowhere/out: cannot be opened: No such file or directory\n",
        "",
    )


THIRD_PARTY = """
import sys, threading
from importlib import import_module
import msgspec
check = import_module("eventdefs.cli.check")
publishers = import_module("eventdefs.publishers")

class Odd:
    Options = msgspec.defstruct("Options", [])
    def __init__(self, url, options):
        if url.target == "made":
            raise KeyError("a mistake")
        self.target = url.target
    def check(self):
        if self.target == "hangs":
            threading.Event().wait()
        if self.target == "exits":
            sys.exit(3)
    def close(self):
        if self.target == "closed":
            raise RuntimeError("a mistake")

publishers._BUILTIN["odd"] = "odd:Odd"
sys.modules["odd"] = sys.modules["__main__"]
check.SECONDS = 0.5
from eventdefs.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize("words", [("--to", "notifier://?tpic=x"), ("--to", "notifier://127.0.0.1:{port}/")])
def test_checking_does_not_wait_for_threads_that_never_end(words: tuple[str, ...], tmp_path: Path) -> None:
    """Libraries that do not like to be loaded in a thread do not use up the time that publishers have."""
    words = tuple(word.format(port=free_port()) for word in words)
    code = "import sys; from eventdefs.cli import check, main; check.SECONDS = 3600.0; sys.exit(main())"
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "check", *words],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (ran.returncode, ran.stdout.startswith("wrong  notifier://")) == (1, True)


def test_checking_what_is_odd(tmp_path: Path) -> None:
    """Whatever a publisher raises, and where it does not answer: each is said, and the command ends."""
    urls = [f"odd://{name}" for name in ("made", "hangs", "exits", "closed", "fine")]
    words = [word for url in urls for word in ("--to", url)]
    ran = subprocess.run(
        [sys.executable, "-c", THIRD_PARTY, "check", *words],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.splitlines() == [
        "wrong  odd://made: KeyError: 'a mistake'",
        "wrong  odd://hangs: no answer within 0.5 seconds",
        "wrong  odd://exits: SystemExit: 3",
        "wrong  odd://closed: RuntimeError: a mistake",
        "ok     odd://fine",
    ]
    assert (ran.returncode, ran.stderr) == (1, "")


def test_checking_nothing(tmp_path: Path) -> None:
    """There has to be a publisher."""
    ran = Ran("check", cwd=tmp_path)
    assert (ran.status, ran.err) == (2, "eventdefs: no publisher is named: give --pipeline, --config or --to\n")


def test_checking_sends_nothing(tmp_path: Path) -> None:
    """A server that is asked is connected to, and given no event."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        port = server.getsockname()[1]
        with subprocess.Popen(
            [*COMMAND, "check", "--to", f"tcp://127.0.0.1:{port}"],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100) == b""
            assert process.communicate(timeout=30)[0] == f"ok     tcp://127.0.0.1:{port}\n"


def test_checking_what_stands_around_a_publisher(tmp_path: Path) -> None:
    """A spool that another process has, and a place for dead letters that cannot be written, are said."""
    good, bad = "memory://?spool=spool&dead_letters=dead", "memory://?required=false&dead_letters=no/dead"
    ran = Ran("check", "--to", good, "--to", bad, "--format", "json", cwd=tmp_path)
    assert [one["problem"] for one in checked(ran)] == [None, "dead letters no/dead: No such file or directory"]
    with (tmp_path / "spool" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = Ran("check", "--to", good, cwd=tmp_path)
    assert ran.out == "wrong  memory://: the spool spool is being used by another publisher or process\n"


def test_libraries_say_nothing(tmp_path: Path) -> None:
    """What a client library logs of a failure stands in our error; it is shown to whoever asks for it."""
    url = f"opensearch://127.0.0.1:{free_port()}/events"
    for more, quiet in (({}, True), ({"EVENTDEFS_TRACEBACK": "1"}, False)):
        ran = subprocess.run(
            [*COMMAND, "check", "--to", url],
            cwd=tmp_path,
            env={**ENVIRONMENT, **more},
            capture_output=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr == b"") == (1, quiet)
