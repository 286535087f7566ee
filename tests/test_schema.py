"""The JSON Schema of definitions: it says of the shape of a file what loading says, and stands in the tree as made.

It is held against every definition file there is: those we ship, those of the documents, the cases of findings, and
the conformance data where they are there.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from eventdefs import DefinitionErrors, parse_definitions
from eventdefs.cli import main
from eventdefs.cli.schema import schema_text
from eventdefs.definitions import keys
from eventdefs.definitions.events import EVENT_KEYS, TRAIT_KEYS
from eventdefs.definitions.fields import FIELDS_KEYS, PLUGIN_KEYS
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.periods import PERIOD_KEYS
from eventdefs.definitions.plugins import builtin_plugins, make_plugin
from eventdefs.definitions.samples import SAMPLE_KEYS
from eventdefs.definitions.schema import definitions_schema
from eventdefs.definitions.source import parse_yaml, plain_value
from eventdefs.types import SAMPLE_TYPES, TRAIT_TYPES

from .conformance.data import FOLDER, rows
from .test_docs import DOCUMENTS, blocks
from .test_findings import CASES

TOP = Path(__file__).resolve().parent.parent
VALIDATOR = jsonschema.Draft7Validator(definitions_schema())

SHAPE = {"E100", "E101", "E102", "E104", "E105", "W101", "W102", "E302", "E401", "E402", "E403"}
"""What is said of the shape of a file, and can be said by a schema."""

NO_YAML = {"E001", "E002", "E003", "E004", "E005"}

NOT_SAID = {
    "E101 no date": "in JSON it is a text like any other",
    "E103 names that YAML reads as something else": "JSON has no names but texts",
}
"""Cases of findings that the schema accepts, and why it has to."""


def found(text: str) -> set[str]:
    """Return the codes of what loading says."""
    try:
        return {finding.code for finding in parse_definitions(text).warnings}
    except DefinitionErrors as errors:
        return {finding.code for finding in errors.findings}


def plain(text: str) -> Any:
    root = parse_yaml(text, "definitions.yaml", Findings())
    assert root is not None
    return plain_value(root)


def refusals(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(plain(text))]


def definition_texts() -> Iterator[Any]:
    """Yield definition files: ours, those that documents show, and others'."""
    for name in ("event_definitions.yaml", "meters.yaml"):
        yield pytest.param((TOP / name).read_text(), id=name)
    for document in DOCUMENTS:
        for block in blocks(document.read_text()):
            if block.kind == "yaml" and re.match(r"(#.*\n)*(- *\{?event_type|metric:)", block.text):
                yield pytest.param(block.text, id=f"{document.name}:{block.line}")
    for file in sorted((FOLDER / "definitions").glob("*.yaml")):
        yield pytest.param(file.read_text(), id=file.stem)


@pytest.mark.parametrize("text", list(definition_texts()))
def test_files_are_accepted_as_they_are_loaded(text: str) -> None:
    """A file with nothing to say about its shape is accepted, any other is refused."""
    codes = found(text)
    if codes & NO_YAML:
        pytest.skip("no YAML")
    if "E103" not in codes:
        assert bool(refusals(text)) == bool(codes & SHAPE), (codes, refusals(text))


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_what_loading_refuses_is_refused(case: Any) -> None:
    """Each case of findings is refused if what is found is of its shape; what cannot be said is listed."""
    codes = found(case.text)
    if codes & NO_YAML:
        pytest.skip("no YAML, or none that definitions may be")
    if case.title == "E101 a loop of aliases":
        pytest.skip("JSON has no aliases, so that no schema is asked")
    refused = refusals(case.text)
    expected = bool(codes & SHAPE) and case.title not in NOT_SAID
    assert bool(refused) == expected, (codes, refused)


def test_what_cannot_be_said_is_there() -> None:
    """The list of what the schema leaves to loading names cases that are there."""
    assert set(NOT_SAID) <= {case.title for case in CASES}


@pytest.mark.parametrize("name", ["cases_events.jsonl", "cases_meters.jsonl"])
def test_conformance_cases(name: str) -> None:
    """The same of every case of the conformance data."""
    texts = {row["name"]: row["definition_yaml"] for row in rows(name) if row.get("definition_yaml")}
    if not texts:
        pytest.skip("no conformance data")
    wrong = {}
    for case, text in texts.items():
        codes = found(text)
        if not codes & NO_YAML and codes != {"E103"}:
            refused = refusals(text)
            if bool(refused) != bool(codes & SHAPE):
                wrong[case] = (codes, refused)
    assert wrong == {}


PLACES = {
    "[0].traits.x.tpe": "- {event_type: a, traits: {x: {fields: payload.a, tpe: int}}}",
    "[0].traits.x.type": "- {event_type: a, traits: {x: {fields: payload.a, type: integer}}}",
    "[0].traits": "- {event_type: a, traits: 5}",
    "[0].traits.x": "- {event_type: a, traits: {x: null}}",
    "[0].traits.x.plugin.parameters.segment": (
        "- {event_type: a, traits: {x: {fields: payload.a, plugin: {name: split, parameters: {segment: one}}}}}"
    ),
    "metric[0].type": "metric: [{name: a, event_type: a, type: sum, unit: B, volume: 1, resource_id: $.payload.a}]",
    "metric[0].lookup[0]": (
        "metric: [{name: a, event_type: a, type: gauge, unit: B, volume: 1, resource_id: $.payload.a, lookup: [nam]}]"
    ),
}


@pytest.mark.parametrize(("place", "text"), PLACES.items(), ids=PLACES)
def test_a_refusal_is_told_where_it_is(place: str, text: str) -> None:
    """An editor underlines what is wrong, not the whole file."""
    (error,) = VALIDATOR.iter_errors(plain(text))
    where = f"{error.json_path.removeprefix('$').removeprefix('.')}"
    assert place == where or place.startswith(f"{where}."), error.message


def test_the_schema_is_one() -> None:
    """It is of the draft that it says it is of."""
    schema = definitions_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)


def test_the_published_schema_is_the_one_that_is_made() -> None:
    """docs/eventdefs.schema.json is what `eventdefs schema` writes; write it anew after a change."""
    assert (TOP / "docs" / "eventdefs.schema.json").read_text() == schema_text()


def walk(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from walk(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from walk(value)


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    """Nothing in the schema is missing, and nothing is left over."""
    schema = definitions_schema()
    used = {one["$ref"] for one in walk(schema) if isinstance(one.get("$ref"), str)}
    assert used == {f"#/definitions/{name}" for name in schema["definitions"]}


# --- the table of keys ------------------------------------------------------------------------------------------------


def test_the_parsers_know_the_keys_of_the_table() -> None:
    """What the table has is what is read, and the other way round."""
    assert keys.names(keys.EVENT) == EVENT_KEYS
    assert keys.names(keys.TRAIT) == TRAIT_KEYS
    assert keys.names(keys.FIELDS) == FIELDS_KEYS
    assert keys.names(keys.PLUGIN) == PLUGIN_KEYS
    assert keys.names(keys.SAMPLE) == SAMPLE_KEYS
    assert keys.names(keys.PERIOD) == PERIOD_KEYS
    assert tuple(keys.TRAIT_TYPE_WORDS) == tuple(TRAIT_TYPES)
    assert tuple(keys.SAMPLE_TYPE_WORDS) == tuple(SAMPLE_TYPES)


def test_every_plugin_is_in_the_table_with_its_parameters() -> None:
    """The parameters of our plugins are those of their signatures, and required where these have no default."""
    signatures = {name: inspect.signature(plugin).parameters for name, plugin in builtin_plugins().items()}
    assert {name: [(row.name, row.required) for row in rows] for name, (_, rows) in keys.PLUGINS.items()} == {
        name: [(one.name, one.default is inspect.Parameter.empty) for one in parameters.values()]
        for name, parameters in signatures.items()
    }


ALL_ROWS = [
    *keys.EVENT,
    *keys.TRAIT,
    *keys.PLUGIN,
    *keys.FLAG,
    *keys.SAMPLE,
    *keys.PERIOD,
    *keys.FILE,
    *(row for _, rows in keys.PLUGINS.values() for row in rows),
]


@pytest.mark.parametrize("row", ALL_ROWS, ids=lambda row: row.example)
def test_every_example_is_a_line_of_yaml(row: keys.Key) -> None:
    """An example is its key with a value."""
    assert list(plain(row.example)) == [row.name]
    assert row.description.endswith(".")


def test_examples_of_keys_make_definitions_that_load() -> None:
    """Each example stands in a definition that has nothing wrong."""
    event = {key: value for row in keys.EVENT for key, value in plain(row.example).items()}
    trait = {key: value for row in keys.TRAIT for key, value in plain(row.example).items()}
    sample = {key: value for row in keys.SAMPLE for key, value in plain(row.example).items()}
    period = {key: value for row in keys.PERIOD for key, value in plain(row.example).items()}
    usage = {**sample, "unit": "h", "type": "delta", "period": {k: v for k, v in period.items() if k != "length"}}
    del usage["lookup"], sample["period"], sample["dimensions"], sample["lookup"]
    trait["plugin"] = {"name": "split", "parameters": trait["plugin"]["parameters"]}
    for document in (
        [{**event, "traits": {"x": {**trait, "type": "text"}}}],
        {"metric": [sample]},
        {"metric": [usage]},
    ):
        text = yaml.safe_dump(document)
        assert (found(text), refusals(text)) == (set(), []), text


@pytest.mark.parametrize("name", keys.PLUGINS)
def test_examples_of_parameters_are_taken(name: str) -> None:
    """A plugin takes the examples of its parameters."""
    _, parameters = keys.PLUGINS[name]
    given = {key: value for row in parameters for key, value in plain(row.example).items()}
    assert make_plugin(builtin_plugins()[name], given) is not None


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_writes_the_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To standard output, or to a file."""
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == definitions_schema()
    assert main(["schema", "-o", str(tmp_path / "s.json")]) == 0
    assert (capsys.readouterr().out, (tmp_path / "s.json").read_text()) == ("", schema_text())


def test_the_command_lists_the_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """As text it is a table of all keys."""
    assert main(["schema", "--format", "text"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["in", "key", "holds", "required"]
    assert re.search(r"^a trait +type +text, int, float, datetime$", "\n".join(lines), re.MULTILINE)
    assert len(lines) == 1 + len(ALL_ROWS)


def test_the_command_says_what_it_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be written, and options that exclude each other."""
    assert main(["schema", "-o", str(tmp_path / "no" / "s.json")]) == 2
    assert capsys.readouterr().err == f"eventdefs: {tmp_path}/no/s.json: No such file or directory\n"
    assert main(["schema", "--format", "text", "-o", "x"]) == 2
    assert capsys.readouterr().err == "eventdefs: -o takes the schema: leave out --format text\n"
