"""Where eventdefs gives something else than Ceilometer, and what it gives there.

A row is judged in one way only: Ceilometer's result is taken, every deviation turns it into what eventdefs is to
give, and that must be equal to what eventdefs gives. A deviation that does not concern a row leaves it alone, so that
nothing is excused without being checked.

Several deviations are checked against eventdefs itself on a changed definition file: an event that has lost a failing
trait must be the event of the file in which that trait finds nothing.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

import eventdefs
from eventdefs import DecodeError, DefinitionErrors, Options
from eventdefs.decode import decode_notification
from eventdefs.definitions.paths import parse_path
from eventdefs.encode import ceilometer_event, ceilometer_sample
from eventdefs.errors import PathEvaluationError, PathSyntaxError

from .data import JSON, Row

# --- what became of a row ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of a notification, here or there.

    Attributes:
        refused: what was not accepted at all: "definitions" or "notification".
        raised: the exception that lost everything; eventdefs never raises.
        skipped: definitions that were logged and left out, as (file, index); eventdefs never skips.
        event: in Ceilometer's format.
        samples: in Ceilometer's format without the id, which is random there.
        problems: the kind and name of what could not be read.
        findings, problem_values: what eventdefs says of them; looked at by deviations, not compared.
    """

    refused: str = ""
    raised: str = ""
    skipped: tuple[JSON, ...] = ()
    event: Mapping[str, Any] | None = None
    samples: tuple[JSON, ...] = ()
    problems: tuple[str, ...] = ()
    findings: tuple[Any, ...] = field(default=(), repr=False)
    problem_values: tuple[Any, ...] = field(default=(), repr=False)

    def compared(self) -> JSON:
        return {
            "refused": self.refused,
            "raised": self.raised,
            "skipped": self.skipped,
            "event": self.event,
            "samples": self.samples,
            "problems": self.problems,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and as_text(self.compared()) == as_text(other.compared())

    __hash__ = None  # type: ignore[assignment]


def as_text(value: Any) -> str:
    """Write *value* so that equal texts mean equal values of equal types: 1, 1.0 and True are three."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=repr)


def difference(want: Any, got: Any) -> str:
    """Return the lines in which *got* is not *want*."""
    left, right = as_text(want).splitlines(), as_text(got).splitlines()
    return "\n".join(difflib.unified_diff(left, right, "expected", "got", lineterm="", n=2))


def of_ceilometer(row: Row) -> Outcome:
    """Return Ceilometer's result, as the data has it."""
    expected = row.expected
    if "load_error" in expected and "definition_errors" not in expected:
        return Outcome(refused="definitions")
    if row.side == "envelope":
        if "error" in expected:
            return Outcome(refused="notification")
        return Outcome(event={**expected["message"], "priority": expected["priority"]})
    if "error" in expected:
        return Outcome(raised=f"{expected['error']['type']}: {expected['error']['message']}")
    return Outcome(
        event=expected.get("event"),
        samples=tuple(expected.get("samples", ())),
        skipped=tuple(expected.get("definition_errors", ())),
    )


def of_eventdefs(row: Row) -> Outcome:
    """Return the result of eventdefs."""
    if row.side == "envelope":
        try:
            return Outcome(event=dict(decode_notification(dict(row.body)).body))
        except DecodeError as error:
            return Outcome(refused="notification" if error.reason else "without a reason")
    try:
        definitions = _definitions(row.files, as_text(row.options))
    except DefinitionErrors as error:
        _check_errors(row, error)
        return Outcome(refused="definitions", findings=error.findings)
    try:
        notification = decode_notification(dict(row.body, priority=row.priority))
    except DecodeError as error:
        return Outcome(refused="notification" if error.reason else "without a reason")
    conversion = definitions.convert(notification)
    assert repr(conversion) == repr(definitions.convert(notification)), "the same answer for the same notification"
    problems = [problem for problem in conversion.problems if (problem.kind == "trait") == (row.side == "event")]
    outcome = Outcome(
        problems=tuple(sorted(f"{problem.kind} {problem.name}" for problem in problems)), problem_values=tuple(problems)
    )
    if row.side == "event":
        return replace(outcome, event=conversion.event and _as_json(ceilometer_event(conversion.event)))
    source = row.options.get("sample_source", "openstack")
    samples = [dict(ceilometer_sample(sample, source=source)) for sample in conversion.samples]
    for sample in samples:
        assert sample.pop("id")
    return replace(outcome, samples=tuple(samples))


def _check_errors(row: Row, error: DefinitionErrors) -> None:
    """Errors say which file they are about, and are errors; the text of the exception has them all."""
    errors = [finding for finding in error.findings if finding.severity == "error"]
    assert errors, "definitions are refused without an error"
    for finding in errors:
        assert Path(finding.place.file).name in {name for name, _ in row.files}
        assert finding.message
        whole = _data(dict(row.files)[Path(finding.place.file).name]) is None
        assert whole or (finding.place.line >= 1 and finding.place.column >= 1)
        assert str(finding) in str(error)


@cache
def _definitions(files: tuple[tuple[str, str], ...], options: str) -> Any:
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(options).items()}
    given.pop("sample_source", None)
    all_priorities: JSON = {"sample_priorities": ("info", "sample", "error")}
    chosen = Options(**all_priorities | given)
    if len(files) == 1:
        return eventdefs.parse_definitions(files[0][1], file=files[0][0], options=chosen)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files:
            Path(folder, name).write_text(text, encoding="utf-8")
        return eventdefs.load_definitions(folder, options=chosen)


def _as_json(value: Any) -> Any:
    """Make lists of tuples, so that only what JSON can tell apart is told apart."""
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, (list, tuple)) else value


Files = tuple[tuple[str, str], ...]

# --- definitions as data ----------------------------------------------------------------------------------------------


def _change(files: Files, change: Callable[[str, Any], Any]) -> Files:
    """Return *files* with the data of each replaced by what *change* makes of its name and data."""
    return tuple(
        (name, yaml.safe_dump(change(name, yaml.load(text, _LOADER)), sort_keys=False, allow_unicode=True))
        for name, text in files
    )


def _definitions_in(data: Any) -> list[JSON]:
    """Return the definitions of a file, of either kind."""
    listed = data.get("metric") if isinstance(data, dict) else data
    return [item for item in listed or () if isinstance(item, dict)] if isinstance(listed, list) else []


@cache
def _data(text: str) -> Any:
    """Return the data of a file, None where it has none; only looked at, never changed."""
    try:
        return yaml.load(text, _LOADER)
    except yaml.YAMLError:
        return None


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _specifications(files: Files) -> list[tuple[str, Any]]:
    """Return the name and specification of every trait and attribute in *files*."""
    definitions = [definition for _, text in files for definition in _definitions_in(_data(text))]
    return [attribute for definition in definitions for attribute in _attributes(definition)]


def _attributes(definition: JSON) -> Iterator[tuple[str, Any]]:
    """Return the name and specification of every trait, or of every attribute of a sample."""
    traits = definition.get("traits", definition)
    yield from traits.items() if isinstance(traits, dict) else ()
    metadata = definition.get("metadata")
    yield from metadata.items() if isinstance(metadata, dict) else ()


def _span(text: str, index: int) -> range:
    """Return the lines of the sample definition number *index*."""
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    *_, metric = (value for key, value in root.value if key.value == "metric")
    node = metric.value[index]
    return range(node.start_mark.line + 1, node.end_mark.line + (2 if node.flow_style else 1))


# --- the deviations ---------------------------------------------------------------------------------------------------


class Deviation(NamedTuple):
    """A difference that is meant.

    Attributes:
        name: for the summary.
        sentence: of the semantics, on which it stands.
        adapt: takes the row, Ceilometer's result as adapted so far, and the result of eventdefs; returns what
            eventdefs must give, which is the second argument itself where the row is not concerned.
    """

    name: str
    sentence: str
    adapt: Callable[[Row, Outcome, Outcome], Outcome]


def _undecodable(row: Row, want: Outcome, got: Outcome) -> Outcome:
    body = row.body if row.side != "envelope" else want.event or {}
    metadata = body.get("metadata")
    was_read = row.side == "event" and want.event is not None
    complete = (
        isinstance(metadata, dict)
        and metadata.get("message_id") is not None
        and isinstance(body.get("event_type"), str)
        and (was_read or _is_time(metadata.get("timestamp")))
    )
    return want if complete or got.refused != "notification" else Outcome(refused="notification")


def _is_time(text: Any) -> bool:
    """Whether the standard library reads *text*."""
    try:
        datetime.fromisoformat(text.rstrip("\n"))
    except (AttributeError, ValueError):
        return False
    return True


def _none_is_no_type(row: Row, want: Outcome, got: Outcome) -> Outcome:
    types = [
        specification.get("type") for _, specification in _specifications(row.files) if isinstance(specification, dict)
    ]
    if row.side != "event" or not any(str(word).lower() == "none" for word in types):
        return want
    told = any("none" in finding.message.lower() and finding.hint for finding in got.findings)
    return Outcome(refused="definitions") if told else want


def _float_literal(row: Row, want: Outcome, got: Outcome) -> Outcome:
    floats: dict[str, float] = {}

    def to_int(_: str, data: Any) -> Any:
        for definition in _definitions_in(data):
            for name, specification in _attributes(definition):
                if isinstance(specification, float):
                    floats[name], definition["traits"][name] = specification, 7
                elif isinstance(specification, dict) and isinstance(specification.get("fields"), float):
                    floats[name], specification["fields"] = specification["fields"], 7
        return data

    if row.side != "event" or want.refused != "definitions" or any(_data(text) is None for _, text in row.files):
        return want
    of_ints = of_eventdefs(replace(row, files=_change(row.files, to_int)))
    if not floats or of_ints.event is None:
        return want
    traits = [
        [name, code, str(floats[name]) if name in floats else value] for name, code, value in of_ints.event["traits"]
    ]
    return replace(of_ints, event={**of_ints.event, "traits": traits})


def _is_flag(value: Any) -> bool:
    known = isinstance(value, dict) and value.keys() <= {"path", "bit", "value"}
    return known and isinstance(value.get("path"), str) and re.fullmatch(r"\d+", str(value.get("bit"))) is not None


_PARAMETERS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "split": {
        "separator": lambda value: isinstance(value, str),
        "segment": lambda value: isinstance(value, int),
        "max_split": lambda value: value is None or isinstance(value, int),
    },
    "bitfield": {
        "initial_bitfield": lambda value: isinstance(value, int),
        "flags": lambda value: isinstance(value, list) and all(map(_is_flag, value)),
    },
    "timedelta": {"unit": lambda value: isinstance(value, str)},
    "map": {
        "values": lambda value: isinstance(value, dict),
        "default": lambda value: True,
        "case_sensitive": lambda value: isinstance(value, bool),
    },
}


def _wrong_parameters(row: Row, want: Outcome, got: Outcome) -> Outcome:
    for _, specification in _specifications(row.files):
        plugin = specification.get("plugin") if isinstance(specification, dict) else None
        if isinstance(plugin, dict) and plugin.get("name") in _PARAMETERS:
            accepts = _PARAMETERS[plugin["name"]]
            given = plugin.get("parameters") or {}
            if not isinstance(given, dict) or any(
                name not in accepts or not accepts[name](value) for name, value in given.items()
            ):
                return Outcome(refused="definitions")
    return want


def _failing_trait(row: Row, want: Outcome, got: Outcome) -> Outcome:
    failing = {problem.name for problem in got.problem_values}

    def silence(_: str, data: Any) -> Any:
        for definition in _definitions_in(data):
            for name in failing & set(definition.get("traits") or ()):
                definition["traits"][name] = {"fields": "nowhere.at_all"}
        return data

    if row.side != "event" or not want.raised or not failing:
        return want
    others = of_eventdefs(replace(row, files=_change(row.files, silence)))
    if others.problems or others.event is None or not _names_value(want.raised, got) or not _names_line(row, got):
        return want
    return replace(others, problems=tuple(sorted(f"trait {name}" for name in failing)))


def _names_line(row: Row, got: Outcome) -> bool:
    """Whether every problem names the file, and the line of it on which its trait begins."""
    texts = dict(row.files)
    return all(
        problem.name in texts[problem.place.file].split("\n")[problem.place.line - 1] for problem in got.problem_values
    )


def _names_value(raised: str, got: Outcome) -> bool:
    """Whether a problem shows the value that Ceilometer's exception quotes, where it quotes one."""
    quoted = re.search(r"(?:date string|base 10:|to float:) '(.*)'$", raised)
    return quoted is None or any(quoted[1] in problem.value for problem in got.problem_values)


def _without_failing(row: Row, got: Outcome) -> Files:
    """Return the definition files without the sample definitions that eventdefs had a problem with."""
    lines = {(Path(problem.place.file).name, problem.place.line) for problem in got.problem_values}

    def without(name: str, data: Any) -> Any:
        text = dict(row.files)[name]
        kept = [
            definition
            for index, definition in enumerate(data["metric"])
            if not any((name, line) in lines for line in _span(text, index))
        ]
        return {**data, "metric": kept}

    return _change(row.files, without)


def _counts_differ(row: Row, want: Outcome, got: Outcome) -> Outcome:
    said = [problem for problem in got.problem_values if re.search(r"for \d+ samples", problem.reason)]
    if row.side != "samples" or want.raised or not said:
        return want
    others = of_eventdefs(replace(row, files=_without_failing(row, replace(got, problem_values=tuple(said)))))
    if len(others.samples) != len(got.samples):
        return want
    return replace(want, problems=tuple(sorted(f"sample {problem.name}" for problem in said)))


def _text_id(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if want.event is None or not isinstance(want.event.get("message_id"), int):
        return want
    return replace(want, event={**want.event, "message_id": str(want.event["message_id"])})


def _failing_sample(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if row.side != "samples" or not want.raised or not got.problem_values:
        return want
    others = of_eventdefs(replace(row, files=_without_failing(row, got)))
    if others.problems or not {sample["name"] for sample in row.expected["samples_before_error"]} <= {
        sample["name"] for sample in others.samples
    }:
        return want
    return replace(others, problems=got.problems)


_NO_PATH = re.compile(
    r"Parse error in JSONPath specification '.*' for (name|unit|resource_id|project_id|user_id): ", re.DOTALL
)


def _text_literal(row: Row, want: Outcome, got: Outcome) -> Outcome:
    texts: dict[str, str] = {}
    literal = [
        (error["file"], error["index"], found[1])
        for error in want.skipped
        if (found := _NO_PATH.match(error.get("brief_message", "")))
    ]

    def put_words(name: str, data: Any) -> Any:
        for file, index, attribute in literal:
            if file == name:
                word = f"word{len(texts)}"
                texts[word], data["metric"][index][attribute] = data["metric"][index][attribute], word
        return data

    def take_text(value: Any) -> Any:
        return texts.get(value, value) if isinstance(value, str) else value

    if not literal:
        return want
    of_words = of_eventdefs(replace(row, files=_change(row.files, put_words)))
    new = [
        {key: take_text(value) for key, value in sample.items()}
        for sample in of_words.samples
        if texts.keys() & {value for value in sample.values() if isinstance(value, str)}
    ]
    names = {sample["name"] for sample in new}
    kept = [sample for sample in want.samples if sample["name"] not in names]
    skipped = tuple(
        error for error in want.skipped if (error["file"], error["index"]) not in {at[:2] for at in literal}
    )
    return replace(want, samples=(*kept, *new), skipped=skipped)


def _all_or_nothing(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if not want.skipped:
        return want
    texts = dict(row.files)
    told = {
        (Path(finding.place.file).name, finding.place.line) for finding in got.findings if finding.severity == "error"
    }
    for error in want.skipped:
        if not any((error["file"], line) in told for line in _span(texts[error["file"]], error["index"])):
            return want
    return Outcome(refused="definitions")


def _raw_letter_case(row: Row, want: Outcome, got: Outcome) -> Outcome:
    levels = {level.lower() for level in row.options.get("store_raw", ())}
    if row.side != "event" or want.event is None or want.event["raw"] or row.priority.lower() not in levels:
        return want
    return replace(want, event={**want.event, "raw": {key: row.body[key] for key in _BODY if key in row.body}})


_BODY = ("ctxt", "publisher_id", "event_type", "payload", "metadata")


def _whole_body(row: Row, want: Outcome, got: Outcome) -> Outcome:
    given = {key: row.body[key] for key in _BODY if key in row.body}
    whole = {**dict.fromkeys(_BODY), **given, "priority": row.priority.lower()}

    def complete(value: Any) -> Any:
        return whole if value == given else value

    if row.side == "event" and want.event is not None:
        return replace(want, event={**want.event, "raw": complete(want.event["raw"])})
    if want.raised in {f"KeyError: {key!r}" for key in whole.keys() - given.keys()}:
        return of_eventdefs(replace(row, body=whole))
    return replace(
        want, samples=tuple({key: complete(value) for key, value in sample.items()} for sample in want.samples)
    )


def _stripped(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if want.event is None:
        return want
    return replace(want, event={**want.event, **_without_credentials(want.event)})


_CREDENTIALS = {"auth_token", "service_catalog"}


def _without_credentials(body: Mapping[str, Any]) -> JSON:
    """Return the context of a *body*, or the raw body of an event, without what must not be kept."""
    if isinstance(body.get("raw"), dict):
        return {"raw": {**body["raw"], **_without_credentials(body["raw"])}}
    context = body.get("ctxt")
    if not isinstance(context, dict):
        return {}
    return {"ctxt": {key: value for key, value in context.items() if key not in _CREDENTIALS}}


def _uncropped(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if row.side != "event" or want.event is None or got.event is None:
        return want
    whole = {name: value for name, code, value in got.event["traits"] if code == 1 and len(value) > 255}
    traits = [
        [name, code, whole[name] if name in whole and whole[name][:255] == value else value]
        for name, code, value in want.event["traits"]
    ]
    return replace(want, event={**want.event, "traits": traits})


_FALLBACKS = {
    "user_id": (parse_path("ctxt.user_id|ctxt.user"), ("user_id", "user")),
    "project_id": (parse_path("ctxt.project_id|ctxt.tenant_id"), ("project_id", "tenant_id", "tenant")),
}


def _fallback_ids(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if not want.samples:
        return want
    context = row.body.get("ctxt")
    context = context if isinstance(context, dict) else {}
    samples = []
    for sample, definition in zip(want.samples, _definitions_of(row, want.samples), strict=True):
        for name, (accidental, intended) in _FALLBACKS.items():
            if sample[name] == accidental.first(row.body) and not _is_null_in_lookup(row, definition, name):
                value = next((context[key] for key in intended if context.get(key) is not None), None)
                sample = {**sample, name: value}
        samples.append(sample)
    return replace(want, samples=tuple(samples))


def _is_null_in_lookup(row: Row, definition: JSON, name: str) -> bool:
    """Whether the definition itself finds a null, which a lookup keeps."""
    specification = definition.get(name)
    return (
        bool(definition.get("lookup"))
        and isinstance(specification, str)
        and bool(parse_path(specification).find(row.body))
    )


def _definitions_of(row: Row, samples: Sequence[JSON]) -> list[JSON]:
    """Return the definition that gives each of *samples*, which stand in Ceilometer's order.

    Two definitions may give the same name; one without `lookup` gives no more than one sample.
    """
    used = [definition for definition in _in_order(row.files) if _matches(definition, row.body["event_type"])]
    found: list[JSON] = []
    start = 0
    for sample in samples:
        number = next(n for n in (*range(start, len(used)), *range(start)) if _gives(used[n], sample, row.body))
        found.append(used[number])
        start = number if used[number].get("lookup") else number + 1
    return found


def _gives(definition: JSON, sample: JSON, body: Mapping[str, Any]) -> bool:
    """Whether the name of *sample* is the definition's, or one that its name, a path, finds."""
    return bool(sample["name"] == definition["name"] or sample["name"] in _found(definition["name"], body))


@cache
def _in_order(files: Files) -> list[JSON]:
    """Return the sample definitions that count in Ceilometer's order: each file backwards, of a name the first."""
    found: dict[Any, JSON] = {}
    for _, text in sorted(file for file in files if file[0].endswith(".yaml")):
        for definition in reversed(_definitions_in(_data(text))):
            found.setdefault(definition["name"], definition)
    return list(found.values())


def _matches(definition: JSON, event_type: str) -> bool:
    patterns = definition["event_type"]
    return any(re.match(pattern, event_type) for pattern in ([patterns] if isinstance(patterns, str) else patterns))


def _found(text: Any, body: Mapping[str, Any]) -> list[Any]:
    try:
        return list(_path(text).all(body))
    except (PathSyntaxError, PathEvaluationError):
        return []


@cache
def _path(text: Any) -> Any:
    return parse_path(str(text))


def _file_order(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if not want.samples:
        return want
    written = [definition for _, text in sorted(row.files) for definition in _definitions_in(_data(text))]
    places = [_index(written, definition) for definition in _definitions_of(row, want.samples)]
    return replace(want, samples=tuple(want.samples[n] for n in sorted(range(len(places)), key=places.__getitem__)))


def _index(definitions: list[JSON], wanted: JSON) -> int:
    return next(number for number, definition in enumerate(definitions) if definition is wanted)


def _finite_volume(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if not want.samples:
        return want
    samples, problems = [], list(want.problems)
    for sample, definition in zip(want.samples, _definitions_of(row, want.samples), strict=True):
        volume = _number(sample["volume"])
        if volume is None:
            problems.append(f"sample {definition['name']}.volume")
        else:
            samples.append({**sample, "volume": volume})
    return replace(want, samples=tuple(samples), problems=tuple(sorted(problems)))


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        try:
            value = int(value) if re.fullmatch(r"[-+]?\d+", value) else float(value)
        except ValueError:
            return None
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


def _aware_instant(row: Row, want: Outcome, got: Outcome) -> Outcome:
    if not want.samples:
        return want
    samples = [{**sample, "timestamp": _in_utc(sample["timestamp"])} for sample in want.samples]
    return replace(want, samples=tuple(samples))


def _in_utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


DEVIATIONS = (
    Deviation(
        "undecodable",
        "a notification without message_id, event_type or readable timestamp is undecodable: dead-lettered with the"
        ' reason, never dated "now"',
        _undecodable,
    ),
    Deviation("none is no type", "the four; `none` and others are errors with a hint", _none_is_no_type),
    Deviation("float literal", "same, and a float literal is fine", _float_literal),
    Deviation("wrong plugin parameters", "wrong parameters are definition errors at load", _wrong_parameters),
    Deviation("text that is no path is a literal", "text that does not lex is a literal", _text_literal),
    Deviation("all or nothing", "loading is all or nothing, with every problem", _all_or_nothing),
    Deviation(
        "failing trait", "the event keeps its other traits; the failing one becomes a `TraitProblem`", _failing_trait
    ),
    Deviation("counts that differ are said", "counts must agree or nothing is emitted", _counts_differ),
    Deviation("text message_id", "an event keeps its notification's message_id, which is text", _text_id),
    Deviation("failing sample", "what raises there is a problem here", _failing_sample),
    Deviation("raw in any letter case", "same, letter case ignored on both sides", _raw_letter_case),
    Deviation(
        "whole body",
        "`{ctxt, publisher_id, event_type, payload, metadata: {message_id, timestamp}}`, plus `priority`",
        _whole_body,
    ),
    Deviation(
        "credentials stripped",
        "auth tokens and service catalogues in the context are stripped at the edge, before anything is kept, logged or"
        " published",
        _stripped,
    ),
    Deviation("text not cropped", "the same, without the crop", _uncropped),
    Deviation(
        "intended fallback ids",
        "the intended one: first of `ctxt.user_id`, `ctxt.user`; first of `ctxt.project_id`, `ctxt.tenant_id`,"
        " `ctxt.tenant`",
        _fallback_ids,
    ),
    Deviation("file order", "same winners; file order", _file_order),
    Deviation(
        "finite volumes",
        "numeric strings become numbers; what is not a finite number is a problem and is not published",
        _finite_volume,
    ),
    Deviation("aware instants", "the same instant, aware", _aware_instant),
)


# --- judging ----------------------------------------------------------------------------------------------------------


class Tally:
    """Counts, for the summary at the end of the run."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, suite: str, *verdicts: str) -> None:
        self._counts[suite].update(("rows", *verdicts))

    def lines(self) -> Sequence[str]:
        """Return a line for each suite: rows run, rows that agree, rows in each deviation."""
        order = ("rows", "agree", *(deviation.name for deviation in DEVIATIONS), "DISAGREE")
        return [
            f"{suite}: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in order if counts[verdict])
            for suite, counts in sorted(self._counts.items())
        ]


TALLY = Tally()


def judge(row: Row) -> str:
    """Return how eventdefs differs from Ceilometer as the deviations have adapted it, '' where it does not."""
    want, got = of_ceilometer(row), of_eventdefs(row)
    met: list[str] = []
    for deviation in DEVIATIONS:
        adapted = deviation.adapt(row, want, got)
        if adapted is not want and adapted != want:
            met.append(deviation.name)
        want = adapted
    if want == got:
        TALLY.add(row.suite, *(met or ["agree"]))
        return ""
    TALLY.add(row.suite, "DISAGREE")
    said = [f"{finding}" for finding in got.findings] + [f"{problem}" for problem in got.problem_values]
    return "\n".join(
        [f"{row}", f"after {', '.join(met) or 'no deviation'}", difference(want.compared(), got.compared()), *said]
    )
