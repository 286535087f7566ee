"""The code of Ceilometer and Aodh, in environments of their own, as readers of what we write."""

from __future__ import annotations

from pathlib import Path

from tests.references import AODH, CEILOMETER, Reference
from tests.servers import unavailable


def _python(reference: Reference) -> str:
    if reference.python is None or not Path(reference.python).exists():
        how = f"run `python tests/references.py {reference.name}`"
        unavailable(f"{reference.name} is not here: {how}, or name a Python that has it in {reference.variable}")
    return reference.python


def ceilometer() -> str:
    """Return the Python that has Ceilometer's code."""
    return _python(CEILOMETER)


def aodh() -> str:
    """Return the Python that has Aodh's code."""
    return _python(AODH)
