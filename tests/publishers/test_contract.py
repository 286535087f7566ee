"""What every publisher owes, of those that need no server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventdefs import open_publisher
from eventdefs.decode import decode_item
from eventdefs.testing import PublisherContract, Target
from eventdefs.types import Item


class TestMemory(PublisherContract):
    """`memory://`, which is the fake that tests of others use."""

    @pytest.fixture
    def target(self, monkeypatch: pytest.MonkeyPatch) -> Target:
        publisher: Any = open_publisher("memory://")
        target = Target(
            "memory://", lambda: [*publisher.events, *publisher.samples, *publisher.periods, *publisher.records]
        )
        monkeypatch.setattr(target, "open", lambda: publisher)
        return target


class TestFile(PublisherContract):
    """`file://`."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Target:
        path = tmp_path / "out.jsonl"

        def received() -> Iterator[Item]:
            with path.open("rb") as lines:
                yield from map(decode_item, lines)

        return Target(f"file://{path}", received, replaces=False)


class TestStdout(PublisherContract):
    """`stdout://`."""

    @pytest.fixture
    def target(self, capfdbinary: pytest.CaptureFixture[bytes]) -> Target:
        lines: list[bytes] = []

        def received() -> list[Item]:
            lines.extend(capfdbinary.readouterr().out.splitlines())
            return [decode_item(line) for line in lines]

        return Target("stdout://", received, once=False, replaces=False, counts_duplicates=False)
