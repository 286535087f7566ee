"""How a pipeline ends: by its input, by a signal, by mistakes of others. Nothing is lost, and nothing holds it up."""

from __future__ import annotations

import fcntl
import functools
import gzip
import json
import os
import pty
import signal
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eventdefs import Batch, Delivered, Pipeline, RetryableDeliveryError, Sink, open_delivery, open_ledger
from eventdefs.testing import free_port
from eventdefs.types import Refused
from tests.making import notification
from tests.test_cli import COMMAND, ENVIRONMENT, TOP
from tests.test_pipeline import EVENTS, METERS, PAYLOAD, Recorder

WAIT = 30.0
LINE = b'{"message_id": "m-1", "event_type": "thing.done", "timestamp": "2026-08-01 01:02:03"}\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def running(*words: str, **given: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A run of standard input that has one notification and does not end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [*COMMAND, "run", "-", "--batch", "1", "--quiet", *words]
    with subprocess.Popen(command, env=ENVIRONMENT, **{**pipes, **given}) as process:
        assert process.stdin is not None
        process.stdin.write(LINE)
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def read_until(stream: Any, text: bytes) -> None:
    while line := stream.readline():
        if text in line:
            return
    raise AssertionError(f"{text!r} was not said")


def ids(path: str) -> list[str]:
    return [json.loads(line)["message_id"] for line in Path(path).read_bytes().splitlines()]


SIGNALS = {
    signal.SIGINT: (130, "eventdefs: interrupted\n"),
    signal.SIGTERM: (143, "eventdefs: terminated\n"),
    signal.SIGHUP: (129, "eventdefs: hung up\n"),
}


@pytest.mark.parametrize("number", SIGNALS)
def test_told_to_end_while_a_publisher_is_away(number: signal.Signals) -> None:
    """It is not asked for ever, and publishers behind it are given what was read."""
    away = f"http://127.0.0.1:{free_port()}/?retry_for=forever"
    with running("--to", away, "--to", "file://out.jsonl") as process:
        read_until(process.stderr, b"attempt 2 follows")
        process.send_signal(number)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        process.wait(WAIT)
    status, last = SIGNALS[number]
    assert (process.returncode, said[-len(last) :], ids("out.jsonl")) == (status, last, ["m-1"])


@pytest.mark.parametrize("number", SIGNALS)
def test_told_to_end_with_a_backlog(number: signal.Signals) -> None:
    """What waits in memory is dead-lettered."""
    away = f"http://127.0.0.1:{free_port()}/?required=false&close_for=0s"
    with running("--to", away, "--to", "stdout://", "--dead-letters", "dead.jsonl") as process:
        read_until(process.stdout, b"m-1")
        process.send_signal(number)
        process.wait(WAIT)
    assert (process.returncode, ids("dead.jsonl")) == (SIGNALS[number][0], ["m-1"])


def test_told_to_end_with_a_spool() -> None:
    """What waits is on the disk, and the next run delivers it."""
    away = f"http://127.0.0.1:{free_port()}/?spool=spool&close_for=0s"
    with running("--to", away, "--to", "stdout://", "--dead-letters", "d") as process:
        read_until(process.stdout, b"m-1")
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT)
    assert process.returncode == 143
    given: list[str] = []
    places: Any = lambda name, url: lambda batch, refused: given.extend(str(one.item) for one in refused)  # noqa: E731
    delivery = open_delivery("file://out.jsonl?spool=spool", places)
    delivery.close()
    assert (ids("out.jsonl"), given) == (["m-1"], [])


def test_its_terminal_is_closed() -> None:
    """It ends as with Ctrl-C, though nothing can be said any more."""
    ours, terminal = pty.openpty()
    given = {"stdout": terminal, "stderr": terminal, "start_new_session": True}
    take = functools.partial(fcntl.ioctl, terminal, termios.TIOCSCTTY, 0)
    away = f"http://127.0.0.1:{free_port()}/?retry_for=forever"
    with running("--to", away, "--to", "file://out.jsonl", preexec_fn=take, **given) as process:
        os.close(terminal)
        with os.fdopen(ours, "rb") as screen:
            read_until(screen, b"attempt 2 follows")
        process.wait(WAIT)
    assert (process.returncode, ids("out.jsonl")) == (129, ["m-1"])


def test_what_a_spool_has_at_the_end_is_said() -> None:
    """Who reads the summary knows that it is not all delivered."""
    url = f"http://127.0.0.1:{free_port()}/"
    ran = subprocess.run(
        [*COMMAND, "run", "-", "--to", f"{url}?spool=spool&close_for=0s", "--dead-letters", "d"],
        input=LINE,
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert f"{url}: 0 published, 1 waits" in ran.stderr.decode()
    assert ran.returncode == 0


@pytest.mark.parametrize("cut", [False, True])
def test_hours_stay_open_where_an_input_could_not_be_read(cut: bool) -> None:
    """A ledger makes no hour final by the end of an input that will be read again."""
    packed = gzip.compress((TOP / "samples" / "trove" / "exists.jsonl").read_bytes())
    Path("in.jsonl.gz").write_bytes(packed[: -8 if cut else None])
    words = ("run", "in.jsonl.gz", "--ledger", "sqlite:///ledger.db", "--to", "file://out.jsonl", "--quiet")
    ran = subprocess.run([*COMMAND, *words], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (ran.returncode, "hours stay open" in ran.stderr) == ((2, True) if cut else (0, False))
    closed = [json.loads(line).get("closed_by") for line in Path("out.jsonl").read_bytes().splitlines()]
    assert ("end_of_input" in closed) is not cut


# --- in Python -------------------------------------------------------------------------------------------------------


def test_a_mistake_of_a_sink_stops_that_sink() -> None:
    """Whatever it raises, the others are given the batch, and what it missed is counted."""
    recorder = Recorder()
    broken = Sink(Recorder(), "broken")

    def mistake(batch: Batch) -> Delivered:
        raise KeyError("a mistake")

    broken._delivery.publish = mistake  # type: ignore[method-assign]
    with Pipeline(EVENTS, [broken, Sink(recorder)]) as pipeline:
        pipeline.process(notification())
    assert (str(broken.error), broken.undelivered, len(recorder.batches)) == ("KeyError: 'a mistake'", 1, 1)


def test_a_mistake_while_it_flushes_by_age_is_told() -> None:
    """The thread that flushes has nobody to tell, so that who comes next is."""

    class Broken:
        flushed = threading.Event()

        def pending(self, *_: Any, **__: Any) -> Any:
            self.flushed.set()
            raise KeyError("a mistake")

    ledger: Any = Broken()
    pipeline = Pipeline(METERS, [Sink(Recorder())], ledger=ledger, batch_age=0.001)
    assert ledger.flushed.wait(WAIT)
    with pytest.raises(KeyError, match="a mistake"):
        pipeline.close()


def test_interrupted_in_the_middle() -> None:
    """Sinks that were not given the batch yet are given it when the pipeline is left, and none is given it twice."""
    recorders = [Recorder(), Recorder(), Recorder()]
    sinks = [Sink(one) for one in recorders]
    publish = sinks[1]._delivery.publish
    answers = [KeyboardInterrupt]

    def interrupted(batch: Batch) -> Delivered:
        if answers:
            raise answers.pop()
        return publish(batch)

    sinks[1]._delivery.publish = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), Pipeline(EVENTS, sinks, batch_size=1) as pipeline:
        pipeline.process(notification())
    assert [len(one.batches) for one in recorders] == [1, 1, 1]
    assert [one.closed for one in recorders] == [1, 1, 1]


class Held:
    """A publisher that is away until the test lets it."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.asked = threading.Event()
        self.records = 0

    def publish(self, batch: Batch) -> Delivered:
        self.asked.set()
        assert self.opened.wait(WAIT)
        self.records += len(batch.records)
        return Delivered(len(batch))

    def check(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("lost", [False, True])
def test_records_in_memory_are_not_confirmed(lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger forgets a record when a publisher with a backlog has it, not when the backlog has."""
    held = Held()
    monkeypatch.setattr("eventdefs.delivery.publisher_of", lambda url: held)

    def dead_letter(batch: Batch, refused: list[Refused]) -> None:
        raise RetryableDeliveryError("full")

    delivery = open_delivery(
        f"memory://?required=false&close_for={0 if lost else 30}s",
        lambda name, url: dead_letter,  # type: ignore[arg-type, return-value]
    )
    ledger = open_ledger("sqlite:///ledger.db")
    pipeline = Pipeline(METERS, [Sink(delivery)], ledger=ledger)
    pipeline.process(notification(PAYLOAD))
    pipeline.finish()
    assert held.asked.wait(WAIT)
    waits = len(ledger.pending())
    assert (waits > 0, pipeline.sinks[0].waiting > 0) == (True, True)
    if lost:
        delivery._holds._stop.wait = lambda *_: held.opened.set()  # type: ignore[union-attr, assignment, return-value]
        delivery._holds._patience = 0.0  # type: ignore[union-attr]
    else:
        held.opened.set()
    pipeline.close()
    assert len(ledger.pending()) == (waits if lost else 0)
    held.opened.set()
    ledger.close()


def test_more_records_than_a_backlog_settles_at_once() -> None:
    """Whatever was delivered when the pipeline is closed is confirmed."""
    ledger = open_ledger("memory://")
    delivery = open_delivery("memory://?required=false", lambda name, url: lambda batch, refused: None)
    with Pipeline(METERS, [Sink(delivery), Sink(Recorder())], ledger=ledger) as pipeline:
        for number in range(30):
            pipeline.process(notification({**PAYLOAD, "id": f"v-{number}"}, message_id=f"m-{number}"))
            pipeline.flush()
        pipeline.finish()
        assert ledger.store.pending(10, 0) == [] or delivery.taken > 0
    assert (ledger.pending(), delivery.waiting) == ([], 0)
