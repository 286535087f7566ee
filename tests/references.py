"""Environments that have Ceilometer's and Aodh's own code: `python tests/references.py [NAME...]`, without names all.

Tests have them read what we write, and benches measure beside them. Each is a folder `<name>-<version>` of
`~/.cache/eventdefs-bench`, whole when there is a file `complete` in it, so a second run does nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Reference(NamedTuple):
    """Somebody else's program, in an environment of its own."""

    name: str
    version: str

    @property
    def folder(self) -> Path:
        """Where the environment is, or will be."""
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return Path(cache).expanduser() / "eventdefs-bench" / f"{self.name}-{self.version}"

    @property
    def variable(self) -> str:
        """What names another Python that has it, in the environment."""
        return f"EVENTDEFS_{self.name.upper()}_PYTHON"

    @property
    def python(self) -> str | None:
        """The Python that has it, None where it is not installed."""
        if named := os.environ.get(self.variable):
            return named
        return str(self.folder / "bin" / "python") if (self.folder / "complete").is_file() else None


CEILOMETER = Reference("ceilometer", "27.0.0")
AODH = Reference("aodh", "23.0.0")
REFERENCES = (CEILOMETER, AODH)


def get(reference: Reference) -> str:
    """Install *reference* unless it is there; return the Python that has it.

    Raises:
        CalledProcessError: it could not be installed; why was printed.
    """
    if (python := reference.python) is not None:
        return python
    sys.stderr.write(f"installing {reference.name} {reference.version} into {reference.folder}\n")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(reference.folder)], check=True)
    python = str(reference.folder / "bin" / "python")
    wanted = [f"{reference.name}=={reference.version}", "setuptools<80"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    (reference.folder / "complete").touch()
    return python


def main(names: list[str]) -> int:
    """Install the references *names*, or all; return 1 where one could not be, 2 where one is not known."""
    known = {reference.name: reference for reference in REFERENCES}
    if unknown := sorted(set(names) - set(known)):
        print(f"references: no {', '.join(unknown)} (there are {', '.join(known)})", file=sys.stderr)
        return 2
    failed = 0
    for name in names or known:
        try:
            said = get(known[name])
        except subprocess.CalledProcessError as error:
            said, failed = f"cannot be installed: {error}", 1
        print(f"{name} {known[name].version}: {said}", flush=True)
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
