"""Starts Ceilometer beside us, and asks it how long it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

VERSION = "27.0.0"
_HOME = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "eventdefs-bench" / f"ceilometer-{VERSION}"


def python() -> str:
    """Return the Python of an environment that has Ceilometer: named by EVENTDEFS_CEILOMETER_PYTHON, or made once."""
    named = os.environ.get("EVENTDEFS_CEILOMETER_PYTHON")
    if named:
        return named
    interpreter = _HOME / "bin" / "python"
    if not (_HOME / "ready").exists():
        sys.stderr.write(f"installing Ceilometer {VERSION} into {_HOME}\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_HOME)], check=True)
        subprocess.run(
            [str(interpreter), "-m", "pip", "install", "--quiet", f"ceilometer=={VERSION}", "setuptools<80"], check=True
        )
        (_HOME / "ready").touch()
    return str(interpreter)


class Ceilometer:
    """A process that runs Ceilometer's own converter. A context manager."""

    def __enter__(self) -> Ceilometer:
        self._process = subprocess.Popen(
            [python(), str(Path(__file__).with_name("reference.py"))],
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
