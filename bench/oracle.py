"""Starts Ceilometer beside us, and asks it how long it takes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.references import CEILOMETER, get


class Ceilometer:
    """A process that runs Ceilometer's own converter. A context manager."""

    def __enter__(self) -> Ceilometer:
        self._process = subprocess.Popen(
            # Without -P what stands beside it, as http.py, would be taken for modules of Python's own.
            [get(CEILOMETER), "-P", str(Path(__file__).with_name("reference.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def ask(self, do: str, **words: Any) -> float:
        """Return the seconds that Ceilometer says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("Ceilometer ended; run bench/reference.py by hand to see why")
        seconds: float = json.loads(line)["seconds"]
        return seconds
