"""`eventdefs lint`: what is wrong with definitions, and what loads but is not what was meant."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eventdefs import cli
from eventdefs.cli.colours import Colours, Style, colours_for
from eventdefs.cli.tables import many
from eventdefs.definitions.findings import CODES, Findings
from eventdefs.definitions.lint import Report, lint_texts
from eventdefs.definitions.loader import read_files, shipped_definitions, shipped_file
from eventdefs.encode import one_line, write_json
from eventdefs.errors import EventdefsError, Finding
from eventdefs.hints import did_you_mean
from eventdefs.types import Place

FORMATS = ("text", "json", "sarif")
_EXAMPLES = """\
examples:
  eventdefs lint                                       the shipped definitions
  eventdefs lint event_definitions.yaml meters.d/      files and directories that are used together
  eventdefs lint definitions/ --corpus notifications/  and what they find in recorded notifications
  eventdefs lint --explain W302                        what a finding means, and how to put it right
  eventdefs lint --format sarif definitions/ > eventdefs.sarif

exit status: 0 nothing to say but notes; 1 errors or warnings, with --strict notes too; 2 could not run.
"""


def add_parser(commands: Any, summary: str) -> None:
    """Add the command and its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "lint",
        help=summary,
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="definition files and directories; - is standard input (the shipped)"
    )
    parser.add_argument(
        "--corpus", nargs="+", action="extend", metavar="PATH", help="recorded notifications to try them on"
    )
    parser.add_argument("--explain", metavar="CODE", help="say what a finding means, and how to put it right")
    parser.add_argument(
        "--select", nargs="+", action="extend", metavar="CODE", help="say only these findings; W2 is all of that family"
    )
    parser.add_argument(
        "--ignore", nargs="+", action="extend", default=[], metavar="CODE", help="do not say these warnings and notes"
    )
    parser.add_argument(
        "--stdin-filename", default="definitions.yaml", metavar="NAME", help="what findings in standard input name"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="how findings are written (text)")
    parser.add_argument("--strict", action="store_true", help="exit status 1 for notes too")
    parser.add_argument("--quiet", action="store_true", help="no closing line")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    if arguments.explain is not None:
        sys.stdout.write(explanation(arguments.explain))
        return cli.FINE
    arguments.select, arguments.ignore = _codes(arguments.select or ()), _codes(arguments.ignore)
    for code in (*arguments.select, *arguments.ignore):
        if not any(known.startswith(code) for known in CODES):
            raise EventdefsError(f"there is no finding {code}{did_you_mean(code, CODES)}")
    findings = Findings()
    texts = _read(arguments, findings)
    if not texts and not findings.in_order():
        raise EventdefsError("no definitions: name files or directories of them")
    report = lint_texts(texts, findings=findings)
    found = [one for one in _with_corpus(report, arguments.corpus) if _is_wanted(one, arguments)]
    if arguments.format == "json":
        sys.stdout.write("".join(write_json(as_document(one)).decode() + "\n" for one in found))
    elif arguments.format == "sarif":
        sys.stdout.write(write_json(as_sarif(found)).decode() + "\n")
    else:
        colours = colours_for(sys.stdout)
        sys.stdout.write("".join(as_text(one, colours) + "\n" for one in found))
    if not arguments.quiet:
        cli.say(_summary(found, len(texts)))
    if any(one.code == "E002" for one in found):
        return cli.COULD_NOT
    return cli.FINDINGS if any(arguments.strict or one.severity != "note" for one in found) else cli.FINE


def _codes(words: Sequence[str]) -> list[str]:
    """Return the codes of *words*, between which there may be commas."""
    return [code for word in words for code in word.upper().split(",") if code]


def _read(arguments: argparse.Namespace, findings: Findings) -> list[tuple[str, str]]:
    paths = arguments.paths or [str(path) for path in shipped_definitions()]
    texts: list[tuple[str, str]] = []
    for path in paths:
        if path != "-":
            texts += read_files([path], findings)
            continue
        try:
            texts.append((arguments.stdin_filename, sys.stdin.buffer.read().decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            findings.add("E002", f"byte {error.start} is not UTF-8: {error.reason}", Place(arguments.stdin_filename))
    return texts


def _with_corpus(report: Report, paths: Sequence[str] | None) -> Sequence[Finding]:
    if not paths:
        return report.findings
    from eventdefs.consumers.files import find_files, read_notifications
    from eventdefs.definitions.corpus import Corpus
    from eventdefs.definitions.lint.corpus import lint_corpus
    from eventdefs.errors import DecodeError

    corpus = Corpus()
    unread: Counter[str] = Counter()
    for file in find_files(paths):
        for place, notification in read_notifications(file):
            if isinstance(notification, DecodeError):
                unread[notification.reason[:200]] += 1
            else:
                corpus.add(notification, place)
    for reason, count in unread.most_common(10):
        sys.stderr.write(f"eventdefs: {many(count, 'message')} of the corpus cannot be read: {one_line(reason)}\n")
    files = {file: number for number, (file, _) in enumerate(report.reading.texts)}
    found = [*report.findings, *lint_corpus(report, corpus)]
    return sorted(found, key=lambda one: (files.get(one.place.file, -1), one.place.line, one.place.column))


def _is_wanted(finding: Finding, arguments: argparse.Namespace) -> bool:
    if arguments.select and not finding.code.startswith(tuple(arguments.select)):
        return False
    return finding.severity == "error" or not finding.code.startswith(tuple(arguments.ignore))


def _summary(found: Sequence[Finding], files: int) -> str:
    counts = Counter(one.severity for one in found)
    words = [many(counts[severity], severity) for severity in ("error", "warning", "note") if counts[severity]]
    return f"{', '.join(words) or 'nothing to say'} in {many(files, 'file')}"


def as_text(finding: Finding, colours: Colours) -> str:
    """Return *finding* as it is shown to a person: control characters of the file are escaped."""
    head, *rest = [one_line(line) for line in str(finding).split("\n")]
    severity = f"{finding.severity}[{finding.code}]"
    style = _STYLES[finding.severity]
    if colours.on:
        place, _, message = head.partition(f": {severity}: ")
        head = f"{colours.paint(place, 'bold')}: {colours.paint(severity, style, 'bold')}: {message}"
        rest = [_painted(line, colours, style) for line in rest]
    return "\n".join([head, *rest])


_STYLES: dict[str, Style] = {"error": "red", "warning": "yellow", "note": "cyan"}


def _painted(line: str, colours: Colours, style: Style) -> str:
    """Return a line of an excerpt with its margin dim and its carets in *style*."""
    margin, bar, text = line.partition(" |")
    if not bar or margin.strip(" 0123456789"):
        return line
    carets = re.match(r"( *)(\^+)(.*)", text) if not margin.strip() else None
    shown = f"{carets[1]}{colours.paint(carets[2], style, 'bold')}{carets[3]}" if carets else text
    return f"{colours.paint(margin + bar, 'dim')}{shown}"


def as_document(finding: Finding) -> dict[str, Any]:
    """Return *finding* as it is written as JSON."""
    fix = finding.fix
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        **_place(finding.place),
        "hint": finding.hint,
        "excerpt": finding.excerpt,
        "related": [_place(place) for place in finding.related],
        "fix": None if fix is None else {"title": fix.title, **_place(fix.place), "text": fix.text},
    }


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column, "end_column": place.end_column}


def as_sarif(found: Sequence[Finding]) -> dict[str, Any]:
    """Return *found* as a log of SARIF 2.1.0, which code hosts and editors show beside the lines."""
    import eventdefs

    codes = sorted({one.code for one in found})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": CODES[code]},
            "help": {"text": explanation(code), "markdown": explanation(code)},
            "defaultConfiguration": {"level": _LEVELS[code[0]]},
        }
        for code in codes
    ]
    driver = {"name": "eventdefs", "version": eventdefs.__version__, "rules": rules}
    results = [_sarif_result(one, codes.index(one.code)) for one in found]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


_LEVELS = {"E": "error", "W": "warning", "N": "note"}


def _sarif_result(finding: Finding, rule: int) -> dict[str, Any]:
    text = f"{finding.message}: {finding.hint}" if finding.hint else finding.message
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.code[0]],
        "message": {"text": text},
        "locations": [{"physicalLocation": _sarif_place(finding.place)}],
    }
    if finding.related:
        result["relatedLocations"] = [
            {"id": number, "physicalLocation": _sarif_place(place)} for number, place in enumerate(finding.related, 1)
        ]
    if finding.fix is not None:
        place = _sarif_place(finding.fix.place)
        replacement = {"deletedRegion": place["region"], "insertedContent": {"text": finding.fix.text}}
        change = {"artifactLocation": place["artifactLocation"], "replacements": [replacement]}
        result["fixes"] = [{"description": {"text": finding.fix.title}, "artifactChanges": [change]}]
    return result


def _sarif_place(place: Place) -> dict[str, Any]:
    path, here = Path(place.file), Path.cwd()
    if path.is_relative_to(here):
        path = path.relative_to(here)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    location: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if place.line:
        region = {"startLine": place.line, "startColumn": max(1, place.column)}
        region["endColumn"] = max(place.end_column, region["startColumn"] + 1)
        location["region"] = region
    return location


def explanation(code: str) -> str:
    """Return what docs/reference/findings.md says of *code*.

    Raises:
        EventdefsError: there is no such code.
    """
    code = code.upper()
    if code not in CODES:
        raise EventdefsError(f"there is no finding {code}{did_you_mean(code, CODES)}, known are {', '.join(CODES)}")
    text = shipped_file("findings.md", "docs/reference").read_text(encoding="utf-8")
    section = re.search(rf"^### {code}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, code
    return f"{code}: {section[1].strip()}\n"
