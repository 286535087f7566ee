"""A process that runs eventdefs over notifications which the test feeds it, as fast or as slowly as the test likes."""

from __future__ import annotations

import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

DEFINITIONS = """\
- event_type: fault.*
  traits:
    resource_id: payload.id
    number: {type: int, fields: payload.number}
    text: payload.text
"""
TENANTS = 20
TEXT = "x" * 400


def notification(number: int) -> bytes:
    """Return one line of JSON, of some 600 bytes."""
    return (
        f'{{"message_id": "m-{number}", "event_type": "fault.happened", "publisher_id": "fault.host-1",'
        f' "priority": "INFO", "timestamp": "2026-08-01 01:02:03.000004", "payload": {{"id": "r-{number % 1000}",'
        f' "number": {number}, "tenant_id": "p-{number % TENANTS}", "text": "{TEXT}"}}}}\n'
    ).encode()


def message_ids(count: int) -> set[str]:
    return {f"m-{number}" for number in range(count)}


class Run:
    """One process of `eventdefs run`, reading from a pipe.

    Attributes:
        peak: the most memory that it had, in bytes, as of when it was last looked at.
    """

    def __init__(self, url: str, folder: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        definitions = folder / "definitions.yaml"
        definitions.write_text(DEFINITIONS)
        self.said = folder / "said"
        self.peak = 0
        with self.said.open("ab") as said:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "eventdefs", "run", "-", "--definitions", str(definitions)),
                    *("--to", url, "--batch", "500", *options),
                ],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env={**os.environ, **(environment or {})},
            )
        self._waiting: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
        threading.Thread(target=self._feed, daemon=True).start()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def feed(self, numbers: Iterable[int]) -> None:
        """Give it the notifications of *numbers* when it takes them, behind what it was given before."""
        self._waiting.put(list(numbers))

    def _feed(self) -> None:
        try:
            while (numbers := self._waiting.get()) is not None:
                for number in numbers:
                    self._stdin.write(notification(number))
            self._stdin.close()
        except (BrokenPipeError, ValueError):  # it was killed
            return

    def look(self) -> bool:
        """Note its memory; tell whether it still runs."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return False
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.peak = max(self.peak, int(line.split()[1]) * 1024)
        return self._process.poll() is None

    def finish(self, within: float) -> int:
        """End its input and wait for it; return its exit status."""
        self._waiting.put(None)
        until = time.monotonic() + within
        while self.look():
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"it did not end in {within} s:\n{self.said.read_text()[-2000:]}")
            time.sleep(0.05)
        return self._process.wait()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._waiting.put(None)


def moments(count: int, longest: float, seed: int) -> Iterator[float]:
    """Yield *count* random spans of at most *longest* seconds, always the same ones for a *seed*."""
    chance = random.Random(seed)
    for _ in range(count):
        yield chance.uniform(0, longest)
