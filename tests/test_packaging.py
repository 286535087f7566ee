"""What is installed works: the wheel in an empty environment, from any folder, with the shipped definitions.

Building and installing need the package index. Where it cannot be reached the test is skipped, but not in CI.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import eventdefs

TOP = Path(__file__).resolve().parent.parent
SHIPPED = ("event_definitions.yaml", "docs/eventdefs.schema.json", "docs/reference/findings.md", "meters.yaml")


def run(*words: str | Path, cwd: Path) -> str:
    ran = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{' '.join(map(str, words))}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=TOP).splitlines()
    for name in tracked:
        needed = name in SHIPPED or not name.startswith(("tests/", "docs/", "bench/", "samples/"))
        if (TOP / name).is_file() and needed:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((TOP / name).read_bytes())
    try:
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source, cwd=folder)
    except AssertionError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"a wheel cannot be built here (is the package index reached?): {error}")
    return next(folder.glob("*.whl"))


def test_wheel_carries_the_shipped_definitions_once(wheel: Path) -> None:
    """The definitions at the top of the tree are in the package, and nothing else beside the code."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        others = sorted(name for name in names if not name.endswith(".py"))
        page = (TOP / "eventdefs" / "play" / "page").iterdir()
        assert others == [
            *sorted(f"eventdefs/play/page/{path.name}" for path in page),
            "eventdefs/py.typed",
            *(f"eventdefs/shipped/{Path(name).name}" for name in SHIPPED),
        ]
        for name in SHIPPED:
            assert archive.read(f"eventdefs/shipped/{Path(name).name}") == (TOP / name).read_bytes()
        assert all(name.startswith("eventdefs/") for name in names)


def test_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed into a bare environment, the command runs from another folder with the shipped definitions."""
    venv.create(tmp_path / "env", with_pip=True)
    program = tmp_path / "env" / "bin"
    run(program / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    assert run(program / "eventdefs", "--version", cwd=tmp_path) == f"eventdefs {eventdefs.__version__}\n"
    sample = TOP / "samples" / "cinder" / "volume.create.end.json"
    lines = run(program / "eventdefs", "run", sample, cwd=tmp_path).splitlines()
    assert [re.search(r'"kind":"(\w+)"', line)[1] for line in lines] == ["event", "sample", "sample"]
    script = "from eventdefs import load_definitions; print(load_definitions())"
    assert run(program / "python", "-c", script, cwd=tmp_path).startswith("<Definitions:")


def test_ci_runs_what_the_readme_says() -> None:
    """The README's test command is what CI runs, and its main command uses the entry point that is declared."""
    readme = (TOP / "README.md").read_text()
    command = (TOP / ".ci" / "run").read_text().splitlines()[-1]
    assert command in readme
    with (TOP / "pyproject.toml").open("rb") as file:
        assert "eventdefs" in tomllib.load(file)["project"]["scripts"]
