"""Pipeline files: Ceilometer's work as they are, and what is wrong is said once, with its place and without secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eventdefs import Batch, DefinitionErrors, Pipeline, Sink, load_pipeline, open_publisher, parse_pipeline
from eventdefs.definitions.patterns import parse_pattern
from eventdefs.pipeline import PipelineFile, Route, Source
from eventdefs.pipeline.files import starred
from eventdefs.pipeline.routes import MEMO
from eventdefs.types import identity_of
from tests.making import closure, event, gap, notification, period, refusal, sample, usage

EVENTS = """\
---
sources:
    - name: event_source
      events:
          - "*"
      sinks:
          - event_sink
sinks:
    - name: event_sink
      publishers:
          - stdout://
"""
OLD = """\
---
sources:
    - name: meter_source
      interval: 600
      meters:
          - "*"
      resources:
          - "snmp://"
      discovery:
          - "endpoint:network"
      sinks:
          - meter_sink
          - cpu_sink
sinks:
    - name: meter_sink
      transformers:
      publishers:
          - file:///tmp/meters
    - name: cpu_sink
      transformers:
          - name: "rate_of_change"
            parameters:
                target:
                    name: "cpu_util"
      triggers: []
      publishers:
          - file:///tmp/meters
          - memory
"""


def urls(pipeline: PipelineFile) -> list[str]:
    return [line.url for line in pipeline.lines]


def codes(pipeline: PipelineFile) -> list[str]:
    return [warning.code for warning in pipeline.warnings]


def taken(route: Route, *items: Any) -> list[str]:
    return [identity_of(item)[-1] for item in route.part_of(Batch().part(items))]


def test_ceilometers_event_pipeline() -> None:
    """The file that Ceilometer ships sends all events and nothing else."""
    pipeline = parse_pipeline(EVENTS)
    (line,) = pipeline.lines
    assert (line.url, codes(pipeline)) == ("stdout://", [])
    assert str(line.place) == "pipeline.yaml:11:13"
    assert taken(line.route, event("m-1"), sample(), period(), usage()) == ["m-1"]


def test_an_old_pipeline() -> None:
    """What Ceilometer did with samples before publishing is not done here, and one warning of a file says what."""
    pipeline = parse_pipeline(OLD)
    assert urls(pipeline) == ["file:///tmp/meters", "memory://"]
    assert [str(warning).splitlines()[0] for warning in pipeline.warnings] == [
        "pipeline.yaml:4:7: warning[W701]: interval, resources, discovery, transformers, triggers: ignored here"
    ]
    assert pipeline.warnings[0].hint.startswith("interval said how often Ceilometer polled; resources said what")


def test_a_publisher_that_two_sinks_name() -> None:
    """It is one publisher and is given each item once."""
    line = parse_pipeline(OLD).lines[0]
    assert taken(line.route, sample("s-1"), sample("s-2")) == ["s-1", "s-2"]


def test_both_in_one_file(tmp_path: Path) -> None:
    """A source may have events and meters, a file both kinds of source, and several files are one pipeline."""
    one = tmp_path / "a.yaml"
    one.write_text(
        "sources:\n"
        "  - {name: e, events: ['volume.*'], sinks: [out]}\n"
        "  - {name: m, meters: [database.*], sinks: [out]}\n"
        "sinks: [{name: out, publishers: [memory://]}]\n"
    )
    two = tmp_path / "b.yaml"
    two.write_text(
        "sources: [{name: e, events: '*', meters: '!*', sinks: [out]}]\n"
        "sinks: [{name: out, publishers: ['stdout://?format=table']}]\n"
    )
    pipeline = load_pipeline(one, two)
    assert urls(pipeline) == ["memory://", "stdout://?format=table"]
    items = [event("m-1"), sample("s-1"), period("c-1"), usage("u-1")]
    assert [taken(line.route, *items) for line in pipeline.lines] == [["m-1", "c-1", "u-1"], ["m-1"]]


PATTERNS = {
    "everything": (["*"], ["a.b", "a.c", "x"]),
    "one": (["a.b"], ["a.b"]),
    "a star crosses dots": (["a*"], ["a.b", "a.c"]),
    "an exclusion wins": (["*", "!a.*"], ["x"]),
    "exclusions only": (["!x"], ["a.b", "a.c"]),
    "both, which Ceilometer refuses": (["a.*", "!a.c"], ["a.b"]),
    "nothing": ([], []),
    "letter case counts": (["A.*"], []),
}


@pytest.mark.parametrize(("globs", "found"), PATTERNS.values(), ids=PATTERNS)
def test_patterns(globs: list[str], found: list[str]) -> None:
    """As over event types in definitions: `*` is any text, `!` excludes and wins."""
    route = Route([Source(None, parse_pattern(globs))])
    assert taken(route, *(sample(name, name=name) for name in ("a.b", "a.c", "x"))) == found


PROJECTS = {
    "everybody's": (None, ["p-1", "p-2", "none", "s-1", "s-2", "c-1", "u-1", "g-1", "r-1", "k-1"]),
    "one": (frozenset({"p-1"}), ["p-1", "s-1", "c-1", "u-1", "r-1"]),
    "another": (frozenset({"p-2", "p-3"}), ["p-2", "s-2"]),
    "nobody's": (frozenset(), []),
}


@pytest.mark.parametrize(("projects", "found"), PROJECTS.values(), ids=PROJECTS)
def test_projects(projects: frozenset[str] | None, found: list[str]) -> None:
    """A source with projects lets through what is theirs; what says no project is for sources that ask for none."""
    everything = parse_pattern(["*"])
    items = [event("p-1"), event("p-2", tenant="p-2"), event("none", tenant=None)]
    others = [sample("s-1"), sample("s-2", project_id="p-2"), period(), usage(), gap(), refusal(), closure()]
    assert taken(Route([Source(everything, everything, projects)]), *items, *others) == found


def test_what_senders_choose_is_not_remembered_for_ever() -> None:
    """A route answers for any number of types, and remembers some."""
    route = Route([Source(parse_pattern(["*", "!x*"]), None)])
    numbers = range(MEMO + 10)
    assert taken(route, *(event(f"m-{number}", tenant=f"p-{number}") for number in numbers)) == [
        f"m-{number}" for number in numbers
    ]
    assert len(route._events._memo) <= MEMO


def test_what_goes_where(tmp_path: Path) -> None:
    """A pipeline of sinks with routes delivers to each what is its own, and nothing of an empty batch."""
    text = (
        "sources:\n"
        "  - {name: a, events: [volume.*], projects: [p-1], sinks: [a]}\n"
        "  - {name: b, events: ['!volume.*'], sinks: [b]}\n"
        "sinks: [{name: a, publishers: [memory://]}, {name: b, publishers: ['memory://b']}]\n"
    )
    lines = parse_pipeline(text).lines
    publishers: list[Any] = [open_publisher(line.url) for line in lines]
    sinks = [Sink(publisher, "", line.route) for publisher, line in zip(publishers, lines, strict=True)]
    from eventdefs import parse_definitions

    with Pipeline(parse_definitions("[]"), sinks) as pipeline:
        for number, (event_type, tenant) in enumerate([("volume.x", "p-1"), ("volume.x", "p-2"), ("image.x", "p-1")]):
            payload = {"tenant_id": tenant}
            pipeline.process(notification(payload, message_id=f"m-{number}", event_type=event_type))
    assert [[one.message_id for one in publisher.events] for publisher in publishers] == [["m-0"], ["m-2"]]
    assert [sink.published for sink in sinks] == [1, 1]


WRONG = {
    "not YAML": ("sources: [", ["E001"]),
    "nothing": ("", ["E101"]),
    "a list": ("- a\n", ["E101"]),
    "no sources and no sinks": ("{}", ["E102", "E102"]),
    "sources are no list": ("sources: {}\nsinks: []\n", ["E101"]),
    "a source is text": ("sources: [a]\nsinks: []\n", ["E101"]),
    "a source without anything": ("sources: [{}]\nsinks: []\n", ["E102"] * 3),
    "a source without sinks": ("sources: [{name: a, events: ['*'], sinks: []}]\nsinks: []\n", ["E102"]),
    "no patterns": ("sources: [{name: a, events: [], sinks: [b]}]\nsinks: [{name: b, publishers: [memory]}]", ["E101"]),
    "a pattern that is a number": (
        "sources: [{name: a, events: [1], sinks: [b]}]\nsinks: [{name: b, publishers: [memory]}]",
        ["E101"],
    ),
    "a sink that is not there": (
        "sources: [{name: a, events: ['*'], sinks: [c]}]\nsinks: [{name: b, publishers: [memory]}]",
        ["E702", "W702"],
    ),
    "two of one name": (
        """\
sources: [{name: a, events: ['*'], sinks: [b]}, {name: a, events: ['*'], sinks: [b]}]
sinks: [{name: b, publishers: [memory]}, {name: b, publishers: [memory]}]
""",
        ["E703", "E703"],
    ),
    "a sink without publishers": (
        "sources: [{name: a, events: ['*'], sinks: [b]}]\nsinks: [{name: b}]",
        ["E702", "E102"],
    ),
    "no publishers": (
        "sources: [{name: a, events: ['*'], sinks: [b]}]\nsinks: [{name: b, publishers: []}]",
        ["E101"],
    ),
    "a publisher of Ceilometer": (
        "sources: [{name: a, meters: ['*'], sinks: [b]}]\nsinks: [{name: b, publishers: [gnocchi://]}]",
        ["E701"],
    ),
    "an option that is not there": (
        "sources: [{name: a, meters: ['*'], sinks: [b]}]\nsinks: [{name: b, publishers: ['memory://?a=1']}]",
        ["E701"],
    ),
    "an unknown key": (
        "sources: [{name: a, meter: ['*'], events: ['*'], sinks: [b]}]\nsinks: [{name: b, publishers: [memory, x]}]",
        ["W101", "E701"],
    ),
}


@pytest.mark.parametrize(("text", "found"), WRONG.values(), ids=WRONG)
def test_what_is_wrong(text: str, found: list[str]) -> None:
    """All that is wrong is said at once, each at its place."""
    with pytest.raises(DefinitionErrors) as caught:
        parse_pipeline(text)
    assert [finding.code for finding in caught.value.findings] == found


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Files are read as definitions are."""
    with pytest.raises(DefinitionErrors, match=r"gone.yaml: error\[E002\]: cannot be read"):
        load_pipeline(tmp_path / "gone.yaml")


GNOCCHI = """\
sources: [{name: a, meters: ['*'], sinks: [b]}]
sinks:
  - name: b
    publishers: [gnocchi://?archive_policy=low, memory://]
"""


def test_a_publisher_that_we_lack() -> None:
    """It is named as one of Ceilometer's, and left out only where that was asked for."""
    with pytest.raises(DefinitionErrors) as caught:
        parse_pipeline(GNOCCHI)
    text = str(caught.value)
    assert text.startswith(
        "pipeline.yaml:4:18: error[E701]: Ceilometer's publisher gnocchi:// is not among ours, known are "
    )
    assert "^ --skip-publishers, or skip_publishers in the settings, leaves it out" in text
    pipeline = parse_pipeline(GNOCCHI, skip_publishers=["gnocchi"])
    assert (urls(pipeline), codes(pipeline)) == (["memory://"], ["W703"])


SAME = [
    "file://out?fsync=never&gzip=true",
    "FILE://out?gzip=true&fsync=never",
    "file://out?gzip&fsync=%6eever",
]


def test_the_same_publisher_written_in_other_ways() -> None:
    """A URL is one publisher however its options are ordered and written; others are others."""
    lines = [*SAME, "file://out?fsync=never", "file://out2?gzip=true&fsync=never"]
    sinks = "".join(f"  - {{name: s{number}, publishers: ['{url}']}}\n" for number, url in enumerate(lines))
    names = ", ".join(f"s{number}" for number in range(len(lines)))
    pipeline = parse_pipeline(f"sources: [{{name: a, events: ['*'], sinks: [{names}]}}]\nsinks:\n{sinks}")
    assert urls(pipeline) == [SAME[0], *lines[3:]]


SECRETS = {
    "user and password": ("http://me:s3cr3t@host/p", "http://*********@host/p"),
    "a user": ("http://s3cr3t@host/p?a=1", "http://******@host/p?a=1"),
    "options": ("x://h?token=s3cr3t&a=b&api_key=s3cr3t", "x://h?token=******&a=b&api_key=******"),
    "a header": ("x://h?header.Authorization=s3cr3t", "x://h?header.Authorization=******"),
    "several": ("- http://s3cr3t@a, 'http://b?password=s3cr3t'", "- http://******@a, 'http://b?password=******'"),
    "an at sign in a password": ("http://me:s3@cr3t@host/p", "http://**********@host/p"),
    "a question mark in a password": ("http://me:s3?cr3t@host/p", "http://**********@host/p"),
    "a quote in a password": ("http://me:s3'cr\"3t@host/p", "http://***********@host/p"),
    "a quote in an option": ("'x://h?token=s3'cr3t'", "'x://h?token=*******'"),
    "a URL in an option": (
        "x://h?dead_letters=mysql%3A%2F%2Fme%3As3cr3t%40h&a=b",
        f"x://h?dead_letters={'*' * 29}&a=b",
    ),
    "nothing secret": ("http://host/@x?a=b", "http://host/@x?a=b"),
}


@pytest.mark.parametrize(("text", "shown"), SECRETS.values(), ids=SECRETS)
def test_secrets_are_starred_out(text: str, shown: str) -> None:
    """Each as long as it was, so that carets stand where they should."""
    assert starred(text) == shown


def test_no_finding_shows_a_secret() -> None:
    """Whatever is wrong, and wherever: the excerpt, the message and the hint."""
    url = "http://me:s3cr3t@host/?tokn=1&token=s3cr3t"
    texts = [
        f"sources: [{{name: a, events: ['*'], sinks: ['{url}']}}]\nsinks: [{{name: b, publishers: ['{url}']}}]",
        f"sources: '{url}'\nsinks: ['{url}']",
        f"sources: [{{name: '{url}', '{url}': 1}}]\nsinks: [\n'{url}'",
        f"sources: [{{name: a, events: ['*'], sinks: [b]}}]\nsinks: [{{name: b, publishers: [{{'{url}': 1}}]}}]",
    ]
    for text in texts:
        with pytest.raises(DefinitionErrors) as caught:
            parse_pipeline(text)
        assert "s3cr3t" not in str(caught.value)
        assert "s3cr3t" not in repr(caught.value.findings)


HOSTILE = {
    "an alias that holds itself": "sources: &a [*a]\nsinks: *a\n",
    "a bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9))
    + "sources: *j\nsinks: *j\n",
    "deep": "sources: " + "[" * 5000,
    "binary": "\x00\x01\x02",
    "a date for a name": "sources: [{name: 2026-08-01, events: ['*'], sinks: [2026-08-01]}]\nsinks: []\n",
    "null everywhere": "sources: [null, {name: null, events: null, sinks: null}]\nsinks: [null, {publishers: null}]\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(text: str) -> None:
    """What is no pipeline ends in findings, soon."""
    with pytest.raises(DefinitionErrors):
        parse_pipeline(text)
