"""What every publisher owes, of `folder://`."""

import shutil

import pytest

from eventdefs.decode import decode_item
from eventdefs.testing import PublisherContract, Target, an_event


class TestFolder(PublisherContract):
    @pytest.fixture
    def target(self, tmp_path):
        folder = tmp_path / "events"
        folder.mkdir()

        def received():
            return [decode_item(path.read_bytes()) for path in sorted(folder.glob("*.json"))]

        return Target(
            f"folder://{folder}?largest=1100000",
            received,
            ordered=False,
            refused=an_event("too large", text="x" * 2_000_000),
            stop=lambda: folder.rename(tmp_path / "away"),
            start=lambda: shutil.move(tmp_path / "away", folder),
            away=f"folder://{tmp_path}/nowhere",
        )
