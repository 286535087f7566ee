"""The code of Ceilometer and Aodh, in environments of their own, as readers of what we write."""

from __future__ import annotations

import os
from pathlib import Path

from tests.servers import unavailable

_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "eventdefs-bench"


def _python(variable: str, folder: str, how: str) -> str:
    named = os.environ.get(variable, str(_CACHE / folder / "bin" / "python"))
    if not Path(named).exists():
        unavailable(f"not here: {how}, or name a Python that has it in {variable}")
    return named


def ceilometer() -> str:
    """Return the Python that has Ceilometer's code."""
    return _python("EVENTDEFS_CEILOMETER_PYTHON", "ceilometer-27.0.0", "Ceilometer, which `python -m bench` installs")


def aodh() -> str:
    """Return the Python that has Aodh's code."""
    return _python("EVENTDEFS_AODH_PYTHON", "aodh", f"Aodh, `pip install aodh` in an environment at {_CACHE}/aodh")
