"""Everything that can be written or called stands in its reference page, and the tables of values there are true."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

import eventdefs
from eventdefs import cli, delivery, settings
from eventdefs.definitions import shipped_definitions
from eventdefs.definitions.events import EVENT_KEYS, ON_ERROR, TRAIT_KEYS
from eventdefs.definitions.fields import FIELDS_KEYS
from eventdefs.definitions.findings import CODES
from eventdefs.definitions.options import Options
from eventdefs.definitions.paths import parse_path
from eventdefs.definitions.periods import PERIOD_KEYS
from eventdefs.definitions.plugins import builtin_plugins
from eventdefs.definitions.samples import SAMPLE_KEYS
from eventdefs.errors import PathEvaluationError, PathSyntaxError
from eventdefs.pipeline import files as pipeline_files
from eventdefs.publishers import _BUILTIN as PUBLISHERS
from eventdefs.publishers import _find as find_publisher
from eventdefs.publishers.sql.tables import METADATA
from eventdefs.types import SAMPLE_TYPES, TRAIT_TYPES

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text()


def section(text: str, title: str) -> str:
    """Return what stands under the heading *title*, its subsections included."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found is not None, f"there is no section {title!r}"
    # In a block, a line that begins with # is a comment.
    rest = re.sub(r"(?ms)^```.*?^```$", lambda block: " " * len(block[0]), text[found.end() :])
    following = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return text[found.end() : found.end() + following.start()] if following else text[found.end() :]


def undocumented(names: Any, text: str) -> list[str]:
    """Return those of *names* that never stand alone in backquotes in *text*."""
    words = set(re.findall(r"`([^`\n]+)`", text))
    return [name for name in names if name not in words]


def test_every_definition_key_is_documented() -> None:
    """What an event definition, a trait, a sample definition and a period may say stands in its own section."""
    text = page("definitions")
    assert undocumented(EVENT_KEYS, section(text, "Event definitions")) == []
    assert undocumented([*TRAIT_KEYS, *FIELDS_KEYS, *ON_ERROR, *TRAIT_TYPES], section(text, "Traits")) == []
    assert undocumented(["metric", *SAMPLE_KEYS, *SAMPLE_TYPES], section(text, "Sample definitions")) == []
    assert undocumented([*PERIOD_KEYS, "dimensions"], section(text, "Periods")) == []


def test_every_plugin_and_parameter_is_documented() -> None:
    """The row of a plugin names all its parameters."""
    rows = {row[0].strip("`"): " ".join(row) for row in table_rows(section(page("definitions"), "Trait plugins"))}
    missing = {
        name: undocumented(inspect.signature(plugin).parameters, rows.get(name, ""))
        for name, plugin in builtin_plugins().items()
    }
    assert missing == {name: [] for name in missing}


def test_every_option_of_definitions_is_documented() -> None:
    """Options stand in the library's page."""
    assert undocumented([field.name for field in msgspec.structs.fields(Options)], page("library")) == []


def test_every_finding_code_is_documented() -> None:
    """Each code has a heading of its own with its meaning, and no heading has a code that is not."""
    headings = re.findall(r"^### ([EWN]\d+)$", page("findings"), re.MULTILINE)
    assert headings == list(CODES)
    meanings = {code: CODES[code] for code in CODES}
    assert {code: section(page("findings"), code).strip().partition("\n")[0] for code in CODES} == {
        code: f"{meaning[0].upper()}{meaning[1:]}." for code, meaning in meanings.items()
    }
    listed = list(table_rows(section(page("findings"), "All codes")))
    assert listed[1:] == [[f"[{code}](#{code.lower()})", meaning] for code, meaning in meanings.items()]


COMMANDS = next(action.choices for action in cli.full_parser()._actions if isinstance(action.choices, dict))


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "usage"])
def test_every_command_line_option_is_documented(command: str) -> None:
    """Options, arguments and the words that they take stand in the section of their command."""
    text = section(page("cli"), f"eventdefs {command}")
    actions = COMMANDS[command]._actions
    names = [name for action in actions for name in action.option_strings or [action.metavar]]
    assert undocumented(names, text) == []
    assert undocumented([choice for action in actions for choice in action.choices or ()], page("cli")) == []


def test_every_option_of_usage_is_documented() -> None:
    """The page of usage has those of all commands below it."""
    (action,) = (one for one in COMMANDS["usage"]._actions if isinstance(one.choices, dict))
    text = page("usage")
    for name, parser in action.choices.items():
        options = [word for one in parser._actions for word in one.option_strings if word not in ("-h", "--help")]
        arguments = [one.metavar for one in parser._actions if not one.option_strings]
        assert undocumented(options, text) == []
        assert undocumented([" ".join(("eventdefs usage", name, *arguments))] if arguments else [], text) == []


PAGES = {
    "elasticsearch": "elasticsearch",
    "file": "file",
    "http": "http",
    "https": "http",
    "kafka": "kafka",
    "mysql": "sql",
    "notifier": "notifier",
    "opensearch": "elasticsearch",
    "postgresql": "sql",
    "sqlite": "sql",
    "tcp": "tcp-udp",
    "udp": "tcp-udp",
}
"""The pages of those publishers that have one of their own, below publishers/."""


def page_of(scheme: str) -> str:
    """Return what is said of a publisher."""
    if scheme in PAGES:
        return page(f"publishers/{PAGES[scheme]}")
    return section(page("publishers"), f"{scheme}://")


@pytest.mark.parametrize("scheme", PUBLISHERS)
def test_every_publisher_and_option_is_documented(scheme: str) -> None:
    """The page of a publisher names its options and the words that they take, and the list of all leads to it."""
    text = page_of(scheme)
    link = f"publishers/{PAGES[scheme]}.md" if scheme in PAGES else f"#{scheme}"
    assert link in page("publishers")
    for field in msgspec.structs.fields(find_publisher(scheme).Options):
        words = [word for word in getattr(field.type, "__args__", ()) if isinstance(word, str)]
        assert undocumented([field.encode_name, *words], text) == []


def test_every_option_of_deliveries_is_documented() -> None:
    """What every URL may say stands in its page, and so do the settings."""
    assert undocumented(delivery.OPTIONS, page("delivery")) == []
    (options,) = settings.OPTIONS.values()
    assert undocumented([option.name for option in options], page("pipeline")) == []


def test_every_key_of_pipeline_files_is_documented() -> None:
    """Those that are ignored too."""
    keys = (*pipeline_files.SOURCE_KEYS, *pipeline_files.SINK_KEYS, *pipeline_files.IGNORED_KEYS)
    assert undocumented(keys, page("pipeline")) == []


def test_every_column_of_sql_is_documented(tmp_path: Path) -> None:
    """The page names each table and each column, of a SQLite file and of servers."""
    eventdefs.open_publisher(f"sqlite:///{tmp_path}/s.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        query = (
            "SELECT m.name, c.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'"
        )
        rows = [row for row in connection.execute(query) if row[0] != "sqlite_sequence"]
    rows += [(table.name, column.name) for table in METADATA.tables.values() for column in table.columns]
    assert undocumented([name for row in rows for name in row], page("publishers/sql")) == []


@pytest.mark.parametrize("name", ["Event", "Sample", "Period", "Problem", "Usage", "Gap", "Refusal", "Closure"])
def test_every_field_of_what_comes_out_is_documented(name: str) -> None:
    """The row of a value names all its fields."""
    (row,) = (row for row in table_rows(page("library")) if row[0] == f"`{name}`")
    assert undocumented([field.name for field in msgspec.structs.fields(getattr(eventdefs, name))], row[1]) == []


def test_every_name_of_the_library_is_documented() -> None:
    """What `import eventdefs` gives stands in the library's page, alone or as a call."""
    words = {word.partition("(")[0].strip() for word in re.findall(r"`([^`\n]+)`", page("library"))}
    assert [name for name in eventdefs.__all__ if name not in words] == []


DOCUMENTS = sorted(REFERENCE.parent.rglob("*.md"))


def anchors(text: str) -> set[str]:
    """Return the anchors that the headings of *text* have."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REFERENCE.parent)))
def test_anchors_name_headings(document: Path) -> None:
    """A link with an anchor leads to a heading."""
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", document.read_text())
    found = {
        (name, anchor): anchor in anchors((document.parent / name if name else document).read_text())
        for name, anchor in links
    }
    assert [link for link, there in found.items() if not there] == []


# --- tables of values -------------------------------------------------------------------------------------------------


def table_rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of the table rows of *text*."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("| ---"):
            yield [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def code(cell: str) -> str:
    """Return the text of a code span."""
    ticks = re.match(r"`+", cell)
    assert ticks is not None, cell
    return cell[ticks.end() : -ticks.end()].removeprefix(" " * (ticks.end() - 1)).removesuffix(" " * (ticks.end() - 1))


def found_by(path: str, body: Any) -> str:
    try:
        return json.dumps([value for _, value in parse_path(path).find(body)])
    except PathSyntaxError:
        return "error"
    except PathEvaluationError:
        return "problem"


def test_paths_give_what_the_page_says() -> None:
    """Each row of the tables of paths is true."""
    text = section(page("definitions"), "Paths")
    body = json.loads(text.partition('```json title="body.json"\n')[2].partition("```")[0])
    rows = [(code(row[0]), row[1].strip("`")) for row in table_rows(text) if row[0] != "path"]
    assert len(rows) > 50
    assert [(path, found_by(path, body)) for path, _ in rows] == rows


def trait_of(kind: str, value: Any) -> str:
    definitions = eventdefs.parse_definitions(f"- event_type: x\n  traits: {{v: {{fields: payload.v, type: {kind}}}}}")
    conversion = definitions.convert(
        eventdefs.decode_notification(
            {"message_id": "m", "event_type": "x", "timestamp": "2026-08-01", "payload": {"v": value}}
        )
    )
    assert conversion.event is not None
    if conversion.problems:
        return "problem"
    if "v" not in conversion.event.traits:
        return "none"
    made = conversion.event.traits["v"]
    return f"`{made.isoformat() if hasattr(made, 'isoformat') else repr(made)}`"


def test_types_take_what_the_page_says() -> None:
    """Each row of the table of types is true."""
    rows = [tuple(row) for row in table_rows(section(page("definitions"), "Types")) if row[0] != "type"]
    assert len(rows) > 30
    assert [(kind, value, trait_of(code(kind), json.loads(code(value)))) for kind, value, _ in rows] == rows


# --- what is shipped --------------------------------------------------------------------------------------------------


def test_every_shipped_definition_is_documented() -> None:
    """Each glob and each meter stands on the page, a meter with its type and unit; its tables name nothing else."""
    text = page("shipped-definitions")
    patterns = [definition.pattern for definition in eventdefs.load_definitions().events]
    globs = [glob for one in patterns for glob in (*one.included, *(f"!{glob}" for glob in one.excluded))]
    events, meters = (yaml.safe_load(file.read_text()) for file in shipped_definitions())
    assert len(patterns) == len(events)
    first = [(row, name) for row in table_rows(text) for name in re.findall(r"`([^`\n]+)`", row[0])]
    assert {name for row, name in first if len(row) == 3} == set(globs)
    assert {name: (row[1], row[2]) for row, name in first if len(row) == 4} == {
        meter["name"]: (meter["type"], meter["unit"]) for meter in meters["metric"]
    }
    assert [name for row, name in first if len(row) not in (3, 4)] == []
    assert undocumented([*globs, *(meter["name"] for meter in meters["metric"])], text) == []
