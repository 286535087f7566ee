"""Small event definitions, valid and invalid, give what Ceilometer gives."""

from __future__ import annotations

from typing import Any

import pytest

import eventdefs
from eventdefs import Options
from eventdefs.definitions.plugins import builtin_plugins

from .data import Row, items, rows
from .deviations import TALLY, as_text, difference, judge

SUITE = "cases_events"
CASES = rows(f"{SUITE}.jsonl")
LOADED = [case for case in CASES if "loaded" in case["expected"]]
PLUGINS = [case for case in CASES if "plugin" in case]
CONVERTED = [case for case in CASES if case not in LOADED and case not in PLUGINS]


def rows_of(case: dict[str, Any]) -> list[Row]:
    """Return a row for each notification of *case*."""
    notifications = case["notification"]
    if isinstance(notifications, dict):
        notifications, results = [notifications], [case["expected"]]
    else:
        results = case["expected"]["results"]
    return [
        Row(
            suite=SUITE,
            name=case["name"] if len(results) == 1 else f"{case['name']}[{number}]",
            side="event",
            files=(("event_definitions.yaml", case["definition_yaml"]),),
            options=case.get("options", {}),
            body=notification,
            priority=case["priority"],
            expected=result,
        )
        for number, (notification, result) in enumerate(zip(notifications, results, strict=True))
    ]


@pytest.mark.parametrize("case", items(CONVERTED))
def test_event_is_what_ceilometer_gives(case: dict[str, Any]) -> None:
    """Every notification of a case gives Ceilometer's event, or what a deviation says."""
    wrong = [text for row in rows_of(case) if (text := judge(row))]
    if wrong:
        pytest.fail("\n".join([*wrong, case["definition_yaml"]]), pytrace=False)


@pytest.mark.parametrize("case", items(LOADED))
def test_file_loads_what_ceilometer_loads(case: dict[str, Any]) -> None:
    """The same patterns, the same traits with the same types, and the catch-all in the same cases."""
    options = Options(**case.get("options", {}))
    definitions = eventdefs.parse_definitions(case["definition_yaml"], options=options)
    expected = case["expected"]["loaded"]
    written = [
        {
            "included": list(definition.pattern.included),
            "excluded": list(definition.pattern.excluded),
            "is_catchall": definition.pattern.is_catchall,
            "traits": [[trait.name, trait.type.code] for trait in definition.traits],
        }
        for definition in definitions.events
    ]
    assert written == expected[: len(written)]
    unwritten = [
        "of.no.definition",
        *(glob for definition in definitions.events for glob in definition.pattern.excluded),
    ]
    applying = [definitions.find(event_type) for event_type in unwritten]
    assert len(expected) == len(written) + any(applies is not None and applies.implicit for applies in applying)
    TALLY.add(SUITE, "agree")


@pytest.mark.parametrize("case", items(PLUGINS))
def test_plugin_gives_what_ceilometers_gives(case: dict[str, Any]) -> None:
    """A trait plugin that is called alone returns the same values, and refuses what Ceilometer's refuses."""
    plugin = builtin_plugins()[case["plugin"]]
    expected = case["expected"]
    matches = [tuple(match) for match in case["match_list"] or ()]
    if "init_error" in expected:
        with pytest.raises((TypeError, ValueError)):
            plugin(**case["parameters"])
        TALLY.add(SUITE, "agree")
        return
    got = list(plugin(**case["parameters"]).trait_values(matches))
    if as_text(got) != as_text(expected["values"]):
        TALLY.add(SUITE, "DISAGREE")
        pytest.fail(f"{case['name']}\n{difference(expected['values'], got)}", pytrace=False)
    TALLY.add(SUITE, "agree")
