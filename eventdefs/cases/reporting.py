"""What came of cases, for people, for programs and for CI systems: text, JSON and JUnit's XML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from eventdefs.cases.causes import causes_of
from eventdefs.cases.comparing import ABSENT, Difference
from eventdefs.cases.running import Broken, Result
from eventdefs.cases.values import written
from eventdefs.types import Problem


class Totals(NamedTuple):
    """How many cases passed, failed, and could not run; files of which no case can run count as one."""

    passed: int
    failed: int
    errors: int


def totals(results: Iterable[Result | Broken]) -> Totals:
    outcomes = ["error" if isinstance(one, Broken) else one.outcome for one in results]
    return Totals(outcomes.count("passed"), outcomes.count("failed"), outcomes.count("error"))


def totals_text(counted: Totals, seconds: float) -> str:
    parts = [f"{counted.passed:,} passed"]
    parts += [f"{counted.failed:,} failed"] if counted.failed else []
    parts += [f"{counted.errors:,} could not run"] if counted.errors else []
    return f"{', '.join(parts)} in {seconds:.1f} s"


def details(result: Result | Broken) -> list[str]:
    """Return the lines that say what is wrong with *result*, below its own line; [] where it passed."""
    if isinstance(result, Broken):
        return [line for finding in result.findings for line in str(finding).splitlines()]
    if result.error is not None:
        return str(result.error).splitlines()
    if result.outcome == "passed":
        return []
    if result.case.expected is None:
        return ["  nothing is expected; --update writes what there is"]
    lines = [f"  {line}" for line in diff_lines(result.differences)]
    causes = causes_of(result)
    if causes:
        lines += ["  because", *(f"    {line}" for line in causes)]
    others = _other_problems(result, causes)
    if others:
        lines += ["  problems", *(f"    {line}" for line in others)]
    return lines


def _other_problems(result: Result, causes: Sequence[str]) -> list[str]:
    """Return the problems of the conversion that `causes` do not say."""
    if result.conversion is None:
        return []
    said = "\n".join(causes)
    return [
        f"{problem.place}: {problem.kind} {problem.name}: {problem.reason}"
        for problem in result.conversion.problems
        if f"{problem.kind} {problem.name}: {problem.reason}" not in said
    ]


def diff_lines(differences: Sequence[Difference]) -> list[str]:
    """Return the differences as lines: `-` what was expected, `+` what there is, each below the head of its part."""
    lines = ["--- expected", "+++ got"]
    head = ""
    for difference in differences:
        of = _head(difference)
        if of != head:
            # Rows of one name that differ each have a head of their own.
            lines.append(f"  {of.partition('#')[0]}:")
            head = of
        for sign, value in (("-", difference.expected), ("+", difference.got)):
            if value is ABSENT and not (difference.part == "event" and not difference.key):
                continue
            lines.append(f"{sign}   {_shown(difference, value)}")
    return lines


def _head(difference: Difference) -> str:
    if not difference.row:
        return difference.part
    return f"{difference.part.removesuffix('s')} {difference.row}#{difference.number}"


def _shown(difference: Difference, value: Any) -> str:
    if difference.part == "event" and not difference.key:
        return "no event" if value is ABSENT else str(value)
    text = _value(value)
    return f"{written(difference.key)}: {text}" if difference.key else text


def _value(value: Any) -> str:
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key not in ("metadata", "place")} or value
    text = written(value)
    return text if len(text) <= 300 else text[:299] + "…"


def as_row(result: Result | Broken) -> dict[str, Any]:
    """Return *result* for programs."""
    if isinstance(result, Broken):
        return {
            "file": result.file,
            "line": 0,
            "name": "",
            "outcome": "error",
            "findings": [_finding(one) for one in result.findings],
        }
    row: dict[str, Any] = {
        "file": result.file,
        "line": result.case.place.line,
        "name": result.case.name,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 6),
    }
    if result.error is not None:
        row["findings"] = [_finding(result.error)]
    if result.outcome == "failed":
        row["differences"] = [_difference(one) for one in result.differences]
        row["causes"] = causes_of(result)
        row["problems"] = [_problem(one) for one in ([] if result.conversion is None else result.conversion.problems)]
    return row


def _finding(finding: Any) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "hint": finding.hint,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    values = {"expected": difference.expected, "got": difference.got}
    there = {name: value for name, value in values.items() if value is not ABSENT}
    return {"part": difference.part, "of": difference.row, "key": difference.key, **there}


def _problem(problem: Problem) -> dict[str, Any]:
    return {"kind": problem.kind, "name": problem.name, "reason": problem.reason, "place": str(problem.place)}


# --- JUnit -----------------------------------------------------------------------------------------------------------


def _xml(text: str) -> str:
    """Return *text* with what XML cannot have escaped as Python would write it."""
    return "".join(char if _is_xml(ord(char)) else char.encode("unicode_escape").decode() for char in text)


def _is_xml(code: int) -> bool:
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


def junit(results: Sequence[Result | Broken], seconds: float, clean: Callable[[str], str] = str) -> bytes:
    """Return *results* in the form that CI systems read: a testsuite for each file, a testcase for each case.

    *clean* is what makes each line of a failure fit to be shown.
    """
    counted = totals(results)
    top = ElementTree.Element("testsuites", _counts("eventdefs", counted, seconds))
    files: dict[str, list[Result | Broken]] = {}
    for result in results:
        files.setdefault(result.file, []).append(result)
    for file, own in files.items():
        spent = sum(0.0 if isinstance(one, Broken) else one.seconds for one in own)
        suite = ElementTree.SubElement(top, "testsuite", _counts(file, totals(own), spent))
        for one in own:
            suite.append(_testcase(file, one, clean))
    ElementTree.indent(top)
    document: bytes = ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _counts(name: str, counted: Totals, seconds: float) -> dict[str, str]:
    return {
        "name": _xml(name),
        "tests": str(sum(counted)),
        "failures": str(counted.failed),
        "errors": str(counted.errors),
        "skipped": "0",
        "time": f"{seconds:.3f}",
    }


def _testcase(file: str, result: Result | Broken, clean: Callable[[str], str]) -> ElementTree.Element:
    broken = isinstance(result, Broken)
    attributes = {
        "classname": _xml(file),
        "name": _xml(clean("the file" if isinstance(result, Broken) else result.case.name)),
        "file": _xml(file),
        "line": str(0 if isinstance(result, Broken) else result.case.place.line),
        "time": "0.000" if isinstance(result, Broken) else f"{result.seconds:.3f}",
    }
    element = ElementTree.Element("testcase", attributes)
    lines = [clean(line) for line in details(result)]
    if lines:
        failed = not broken and not isinstance(result, Broken) and result.outcome == "failed"
        message = _message(result) if not isinstance(result, Broken) else lines[0]
        child = ElementTree.SubElement(element, "failure" if failed else "error", {"message": _xml(clean(message))})
        child.text = _xml("\n".join(lines))
    return element


def _message(result: Result) -> str:
    if result.error is not None:
        return result.error.message
    named = dict.fromkeys(one.key or one.row or one.part for one in result.differences)
    return f"not as expected: {', '.join(map(str, named))}"[:300] if named else "nothing is expected"
