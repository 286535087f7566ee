"""The sample package of "Writing a publisher" is installed, found by its scheme, and owes what every publisher owes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
SAMPLE = TOP / "docs" / "examples" / "eventdefs-folder"
PAGE = TOP / "docs" / "writing-a-publisher.md"


def run(*words: str, cwd: Path, path: Path) -> str:
    """Run Python with what is installed in *path*."""
    ran = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{TOP}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{' '.join(words)}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the sample package is installed."""
    folder = tmp_path_factory.mktemp("third-party")
    shutil.copytree(SAMPLE, folder / "source")
    words = ("pip", "install", "--quiet", "--no-deps", "--target", str(folder / "lib"), "./source")
    try:
        run(*words, cwd=folder, path=folder)
    except AssertionError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the sample package cannot be installed here (is the package index reached?): {error}")
    return folder / "lib"


def test_the_sample_package_passes_its_tests(installed: Path, tmp_path: Path) -> None:
    """What it says to run is run; the counts in the page are true."""
    shutil.copy(SAMPLE / "test_eventdefs_folder.py", tmp_path)
    said = run("pytest", "-q", "-p", "no:cacheprovider", ".", cwd=tmp_path, path=installed)
    closing = said.splitlines()[-1].partition(" in ")[0]
    assert f"$ pip install -e . && pytest\n{closing}\n" in PAGE.read_text()


def test_the_sample_publisher_is_opened_by_its_url(installed: Path, tmp_path: Path) -> None:
    """The command line knows it, its options and its errors."""
    (tmp_path / "events").mkdir()
    assert run("eventdefs", "check", "--to", "folder://events", cwd=tmp_path, path=installed) == (
        "ok     folder://events\n"
    )
    samples = str(TOP / "samples" / "cinder")
    run("eventdefs", "run", samples, "--to", "folder://events", "--quiet", cwd=tmp_path, path=installed)
    run("eventdefs", "run", samples, "--to", "folder://events", "--quiet", cwd=tmp_path, path=installed)
    expected = run("eventdefs", "run", samples, "--to", "file://out.jsonl", "--quiet", cwd=tmp_path, path=installed)
    assert expected == ""
    found = sorted(path.read_bytes() for path in (tmp_path / "events").glob("*.json"))
    assert found == sorted((tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True))


def test_the_page_quotes_the_package() -> None:
    """The lines of the page stand in the package."""
    text = PAGE.read_text()
    for file, language in (("pyproject.toml", "toml"), ("test_eventdefs_folder.py", "python")):
        source = {line.strip() for line in (SAMPLE / file).read_text().splitlines()}
        block = text.partition(f"```{language}\n")[2].partition("```")[0]
        missing = [line for line in block.splitlines() if line.strip() and line.strip() not in source]
        assert [line for line in missing if "return Target(" not in line] == []
