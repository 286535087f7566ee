"""The pytest plugin: `pytest` collects test files of definitions, one item a case.

Every pytest run of everybody who has eventdefs loads this module, so that it imports nothing until a file matches.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from eventdefs.cases.reading import Case
    from eventdefs.cases.running import Result, Runner, Suite

_ENDING = ".test.yaml"
_OPTION = "--eventdefs-definitions"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; their names begin with ours."""
    group = parser.getgroup("eventdefs", "tests of eventdefs definitions (*.test.yaml)")
    group.addoption(
        _OPTION,
        action="append",
        default=[],
        metavar="PATH",
        help="definitions for test files that name none, instead of the shipped ones; may be given several times",
    )
    parser.addini("eventdefs_definitions", f"the same as {_OPTION}", type="paths", default=[])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a file that ends as test files do and has cases; others have files of that name too."""
    if not file_path.name.endswith(_ENDING) or not _has_cases(file_path):
        return None
    collector: pytest.Collector = DefinitionTests.from_parent(parent, path=file_path)
    return collector


def _has_cases(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return any(line.startswith(b"cases:") for line in stream)
    except OSError:
        return False


def _runner(config: pytest.Config) -> Runner:
    """Return the runner of this session, which reads definitions and notifications once."""
    from eventdefs.cases.running import Runner

    found = config.stash.get(_RUNNER, None)
    if found is None:
        given = config.getoption(_OPTION) or [str(path) for path in config.getini("eventdefs_definitions")]
        found = config.stash[_RUNNER] = Runner(given)
    return found


_RUNNER: pytest.StashKey[Runner] = pytest.StashKey()


class DefinitionTests(pytest.File):
    """A test file."""

    def collect(self) -> Iterator[DefinitionCase]:
        """Yield an item for each case.

        Raises:
            CollectError: no case of the file can run; the error says everything that is wrong.
        """
        from eventdefs.cases.running import Broken
        from eventdefs.encode import one_line

        suite = _runner(self.config).open(str(self.path))
        if isinstance(suite, Broken):
            text = "\n".join(str(finding) for finding in suite.findings)
            raise self.CollectError("\n".join(one_line(line) for line in text.splitlines()))
        for case in suite.cases.cases:
            yield DefinitionCase.from_parent(self, name=one_line(case.name), suite=suite, case=case)


class CaseFailed(Exception):
    """A case is not as expected, or could not run."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.case.name)
        self.result = result


class DefinitionCase(pytest.Item):
    """A case."""

    def __init__(self, *, suite: Suite, case: Case, **given: Any) -> None:
        super().__init__(**given)
        self._suite = suite
        self._case = case

    def runtest(self) -> None:
        """Run the case.

        Raises:
            CaseFailed: it did not pass.
        """
        result = _runner(self.config).run(self._suite, self._case)
        if result.outcome != "passed":
            raise CaseFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what is not as expected, as `eventdefs test` shows it."""
        if not isinstance(excinfo.value, CaseFailed):
            return super().repr_failure(excinfo, style)
        from eventdefs.cases.reporting import details
        from eventdefs.encode import one_line

        return "\n".join(one_line(line) for line in details(excinfo.value.result))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the case stands."""
        return self.path, max(0, self._case.place.line - 1), self.name
