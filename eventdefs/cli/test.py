"""`eventdefs test`: cases beside definitions, run and compared."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from eventdefs import cli
from eventdefs.cases.coverage import Coverage, as_document, as_lcov, as_text
from eventdefs.cases.files import update_file
from eventdefs.cases.reporting import as_row, details, junit, totals, totals_text
from eventdefs.cases.running import Broken, Result, Runner, State, Suite, find_test_files, state_of
from eventdefs.cli.colours import Colours, Style, colours_for
from eventdefs.cli.tables import many
from eventdefs.encode import one_line, write_json
from eventdefs.errors import InputError

_EXAMPLES = """\
examples:
  eventdefs test                                 all *.test.yaml below this directory
  eventdefs test volumes.test.yaml -k created    cases with "created" in their name or their file's
  eventdefs test tests/ --definitions event_definitions.yaml --coverage
  eventdefs test --update                        write the expectations of what fails as it is now
  eventdefs test --watch                         run again when definitions, tests or notifications change

exit status: 0 all passed; 1 a case failed, or the coverage is too low; 2 a case or a file could not run.
"""

FORMATS = ("text", "json", "lcov")
FILES = {"json": "coverage.json", "lcov": "lcov.info"}
"""Where coverage is written that nobody reads on a terminal."""
POLL = 0.3
"""Seconds between two looks at the files that `--watch` waits for; looking sees changes on every file system."""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "test",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="test files, and directories of *.test.yaml (.)")
    parser.add_argument(
        "--definitions",
        nargs="+",
        action="extend",
        metavar="PATH",
        help="definitions for test files that name none, instead of the shipped ones",
    )
    parser.add_argument("-k", metavar="TEXT", default="", help="only cases with this in their name or their file's")
    parser.add_argument("-x", "--exitfirst", action="store_true", help="stop at the first case that does not pass")
    parser.add_argument(
        "--coverage", nargs="?", const="text", choices=FORMATS, help="say what of the definitions was reached"
    )
    parser.add_argument(
        "--coverage-file",
        metavar="FILE",
        help="where coverage is written (text: here, json: coverage.json, lcov: lcov.info)",
    )
    parser.add_argument(
        "--coverage-fail-under", type=_percent, metavar="PERCENT", help="exit status 1 where less was reached"
    )
    parser.add_argument("--update", action="store_true", help="write the expectations of failing cases anew, in place")
    parser.add_argument("--watch", action="store_true", help="run again when a file changes, until Ctrl-C")
    parser.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how results are written (text)")
    parser.set_defaults(run=run)


def _percent(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 100")
    return number


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    if arguments.watch and arguments.update:
        raise InputError("--update changes what --watch waits for: use one of them")
    return _watch(arguments) if arguments.watch else _once(arguments).status


class Run(NamedTuple):
    """The exit status, which test files there were, and the state of every file when it was read."""

    status: int
    files: tuple[str, ...] = ()
    read: Mapping[str, State] = {}


def _once(arguments: argparse.Namespace) -> Run:
    """Run all cases once and write what came of them."""
    started = time.perf_counter()
    runner = Runner(arguments.definitions or (), unfinished=arguments.update)
    measured = arguments.coverage is not None or arguments.coverage_fail_under is not None
    coverage = Coverage() if measured or arguments.coverage_file is not None else None
    files = find_test_files(arguments.paths or ["."])
    as_json = arguments.format == "json"
    colours = colours_for(sys.stdout)
    results: list[Result | Broken] = []
    written: dict[str, int] = {}
    left: list[tuple[str, str, str]] = []
    for file in files:
        suite = runner.open(file)
        own: list[Result | Broken] = []
        if isinstance(suite, Broken):
            own.append(suite)
        else:
            ran = _run_cases(runner, suite, _wanted(arguments.k), arguments.exitfirst, coverage)
            if arguments.update:
                count, kept = update_file(runner, suite, ran)
                written |= {file: count} if count else {}
                left += [(file, name, reason) for name, reason in kept]
                ran = _as_written(ran, {name for name, _ in kept})
            own += ran
        results += own
        if not as_json:
            for one in own:
                _write_result(one, colours)
        if arguments.exitfirst and any(isinstance(one, Broken) or one.outcome != "passed" for one in own):
            break
    seconds = time.perf_counter() - started
    counted = totals(results)
    if arguments.junit:
        _write_file(arguments.junit, junit(results, seconds, one_line))
    status = cli.COULD_NOT if counted.errors else cli.FINDINGS if counted.failed else cli.FINE
    low = coverage is not None and coverage.percent < (arguments.coverage_fail_under or 0)
    if as_json:
        _write_json(results, seconds, coverage, written, left)
    else:
        for file, count in written.items():
            sys.stdout.write(f"{one_line(file)}: {many(count, 'case')} written anew\n")
        for file, name, reason in left:
            sys.stdout.write(f"{one_line(file)}: {one_line(name)} stays as it is: {one_line(reason)}\n")
    if coverage is not None:
        _write_coverage(arguments, coverage)
    if not as_json:
        if not results:
            sys.stdout.write(f"no case has {one_line(arguments.k)!r} in its name\n")
        sys.stdout.write(colours.paint(totals_text(counted, seconds), "green" if status == cli.FINE else "red") + "\n")
    if low:
        assert coverage is not None
        told = f"coverage is {coverage.percent:.2f} %, less than {arguments.coverage_fail_under:g} %"
        cli.say(f"eventdefs: {told}")
        status = status or cli.FINDINGS
    return Run(status, tuple(files), runner.read)


def _wanted(text: str) -> Callable[[str], bool]:
    folded = text.casefold()
    return lambda name: folded in name.casefold()


def _run_cases(
    runner: Runner, suite: Suite, wanted: Callable[[str], bool], stops: bool, coverage: Coverage | None
) -> list[Result]:
    if coverage is not None:
        coverage.add_definitions(suite.definitions)
    results: list[Result] = []
    for case in suite.cases.cases:
        if not wanted(f"{suite.cases.file}::{case.name}"):
            continue
        result = runner.run(suite, case)
        results.append(result)
        if coverage is not None and result.notification is not None and result.conversion is not None:
            coverage.add(suite.definitions, result.notification, result.conversion)
        if stops and result.outcome != "passed":
            break
    return results


def _as_written(results: Sequence[Result], left: set[str]) -> list[Result]:
    """Return *results* as they are once the expectations of those that failed, but for *left*, are written anew."""
    return [
        one._replace(outcome="passed", differences=()) if one.outcome == "failed" and one.case.name not in left else one
        for one in results
    ]


def _write_result(result: Result | Broken, colours: Colours) -> None:
    """Write what is wrong with *result*; nothing where it passed."""
    if isinstance(result, Broken):
        word, what = "COULD NOT RUN", result.file
    elif result.outcome == "passed":
        return
    else:
        word = "FAILED" if result.outcome == "failed" else "COULD NOT RUN"
        what = f"{result.file}:{result.case.place.line} {result.case.name}"
    sys.stdout.write(f"{colours.paint(word, 'red', 'bold')} {colours.paint(one_line(what), 'bold')}\n")
    for line in details(result):
        sys.stdout.write(colours.paint(one_line(line), *_STYLES.get(line[:3], ())) + "\n")
    sys.stdout.write("\n")


_STYLES: dict[str, tuple[Style, ...]] = {"  -": ("red",), "  +": ("green",)}
"""By the beginning of a line: what was expected, and what there is."""


def _write_json(
    results: Sequence[Result | Broken],
    seconds: float,
    coverage: Coverage | None,
    written: dict[str, int],
    left: Sequence[tuple[str, str, str]],
) -> None:
    document: dict[str, Any] = {
        **totals(results)._asdict(),
        "seconds": round(seconds, 3),
        "cases": [as_row(one) for one in results],
    }
    if written or left:
        document["written"] = written
        document["left"] = [{"file": file, "name": name, "reason": reason} for file, name, reason in left]
    if coverage is not None:
        document["coverage"] = {key: value for key, value in as_document(coverage).items() if key != "items"}
    sys.stdout.write(write_json(document).decode() + "\n")


def _write_coverage(arguments: argparse.Namespace, coverage: Coverage) -> None:
    form = arguments.coverage or "text"
    if form == "text":
        text = as_text(coverage)
    elif form == "json":
        text = write_json(as_document(coverage)).decode() + "\n"
    else:
        text = as_lcov(coverage)
    file = arguments.coverage_file or FILES.get(form)
    if file is not None:
        _write_file(file, text.encode("utf-8", "backslashreplace"))
    elif arguments.format == "text" and arguments.coverage is not None:
        for line in text.splitlines():
            sys.stdout.write(one_line(line) + "\n")


def _write_file(file: str, data: bytes) -> None:
    try:
        with open(file, "wb") as stream:
            stream.write(data)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from error


# --- watching --------------------------------------------------------------------------------------------------------


def _watch(arguments: argparse.Namespace) -> int:
    """Run again whenever a file changes that the last run looked at, or a test file comes or goes."""
    last = Run(cli.FINE)
    try:
        while True:
            try:
                last = _once(arguments)
            except InputError as error:  # which the next change may put right
                sys.stdout.write(f"{one_line(str(error))}\n")
                last = Run(cli.COULD_NOT, _test_files(arguments))
            sys.stdout.write("waiting for changes; Ctrl-C ends\n")
            sys.stdout.flush()
            # What changes while cases run is seen too: the states are those from before each file was read.
            while _test_files(arguments) == last.files and all(state_of(one) == had for one, had in last.read.items()):
                time.sleep(POLL)
            sys.stdout.write("\n")
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return last.status


def _test_files(arguments: argparse.Namespace) -> tuple[str, ...]:
    try:
        return tuple(find_test_files(arguments.paths or ["."]))
    except InputError:
        return ()
