"""What benches compare with: it is there, and it answers."""

from __future__ import annotations

from pathlib import Path

from bench.oracle import Ceilometer
from tests.publishers.oracles import ceilometer

DEFINITIONS = """\
- event_type: volume.create.*
  traits:
    size: {fields: payload.size, type: int}
"""


def test_ceilometer_answers(tmp_path: Path) -> None:
    """Its own converter is timed in a process of its own."""
    ceilometer()  # or the test is skipped
    (tmp_path / "definitions.yaml").write_text(DEFINITIONS)
    with Ceilometer() as reference:
        assert reference.ask("load", file=str(tmp_path / "definitions.yaml")) > 0
