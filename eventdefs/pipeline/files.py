"""Pipeline files: Ceilometer's `event_pipeline.yaml` and `pipeline.yaml` as they are, or both in one file.

Every problem of every file is said at once, with its place; a URL is quoted without what lets us in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Hashable, Sequence
from typing import NamedTuple

from eventdefs.definitions.findings import Findings
from eventdefs.definitions.loader import read_files
from eventdefs.definitions.patterns import Pattern, parse_pattern
from eventdefs.definitions.shapes import as_mapping, as_text, describe, known_keys, texts
from eventdefs.definitions.source import Mapping, Node, Scalar, parse_yaml
from eventdefs.definitions.source import Sequence as Items
from eventdefs.delivery import check_url
from eventdefs.errors import Finding, Fix, PublisherURLError
from eventdefs.hints import did_you_mean
from eventdefs.pipeline.routes import Route, Source
from eventdefs.publishers import CEILOMETERS
from eventdefs.publishers.urls import parse_url
from eventdefs.types import Place

FILE_KEYS = ("sources", "sinks")
SOURCE_KEYS = ("name", "events", "meters", "projects", "sinks")
SINK_KEYS = ("name", "publishers")
IGNORED_KEYS = {
    "interval": "how often Ceilometer polled",
    "resources": "what Ceilometer polled",
    "discovery": "what Ceilometer polled",
    "transformers": "how Ceilometer computed samples from samples",
    "triggers": "when Ceilometer's transformers gave what they held",
}
"""Keys of old pipeline files, and what they said."""


class Line(NamedTuple):
    """A publisher of a pipeline, and what goes to it.

    Attributes:
        url: the publisher's, with all its options.
        route: which items it is given; a publisher that several sinks name is given each of them once.
        place: where it is named first.
    """

    url: str
    route: Route
    place: Place


class PipelineFile(NamedTuple):
    """What pipeline files say.

    Attributes:
        lines: the publishers, in the order in which they are named first.
        warnings: what is odd and not wrong.
    """

    lines: tuple[Line, ...]
    warnings: tuple[Finding, ...]


def load_pipeline(*paths: str | os.PathLike[str], skip_publishers: Collection[str] = ()) -> PipelineFile:
    """Load pipeline files, and directories of them; names of sources and sinks are a file's own.

    *skip_publishers* are schemes that are left out, for files that name publishers we do not have.

    Raises:
        DefinitionErrors: anything of it cannot be used; every problem of every file is there.
    """
    findings = _Findings()
    return _assemble(read_files(paths, findings), findings, skip_publishers)


def parse_pipeline(text: str, *, file: str = "pipeline.yaml", skip_publishers: Collection[str] = ()) -> PipelineFile:
    """Load a pipeline from *text*; *file* is the name that reports give it.

    >>> pipeline = parse_pipeline('''
    ... sources: [{name: all, events: ["*", "!*.exists"], sinks: [out]}]
    ... sinks: [{name: out, publishers: ["stdout://"]}]
    ... ''')
    >>> [line.url for line in pipeline.lines]
    ['stdout://']

    Raises:
        DefinitionErrors: anything of it cannot be used.
    """
    return _assemble([(file, text)], _Findings(), skip_publishers)


class _Findings(Findings):
    """Findings of files that hold secrets: what is quoted has them starred out, each as long as it was."""

    def add(
        self,
        code: str,
        message: str,
        place: Place,
        hint: str = "",
        *,
        related: tuple[Place, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        super().add(code, starred(message), place, starred(hint), related=related, fix=None)

    def line(self, place: Place) -> str:
        return starred(super().line(place))


_SECRETS = re.compile(
    r"""(?P<before> :// ) (?P<user> [^/\s]+ ) (?=@)
    | (?P<option> [?&] (?: [^=&\s'"]* (?: password | passwd | secret | token | key | auth | header | credential )
      [^=&\s'"]* = | [^=&\s'"]+ = (?= [^&\s]* %40 ) ) ) (?P<value> [^&\s]* [^&\s'"\],}] )""",
    re.VERBOSE | re.IGNORECASE,
)


def starred(text: str) -> str:
    """Return *text* with the user, the password and the secret options of each URL in it starred out."""

    def hide(found: re.Match[str]) -> str:
        if found["user"] is not None:
            return f"{found['before']}{'*' * len(found['user'])}"
        return f"{found['option']}{'*' * len(found['value'])}"

    return _SECRETS.sub(hide, text)


def key_of(url: str) -> Hashable:
    """Return what is the same for URLs that are the same publisher, however their options are ordered and written."""
    try:
        parsed = parse_url(url)
    except PublisherURLError:
        return url
    return parsed.scheme, parsed.target, frozenset(parsed.options.items())


class _Sink(NamedTuple):
    """A sink as it is written."""

    publishers: tuple[tuple[str, Place], ...]
    place: Place


def _assemble(texts: Sequence[tuple[str, str]], findings: Findings, skip: Collection[str]) -> PipelineFile:
    sources: dict[Hashable, list[Source]] = {}
    first: dict[Hashable, tuple[str, Place]] = {}
    for file, text in texts:
        for url, place, source in _FileParser(findings, frozenset(skip)).parse(file, text):
            sources.setdefault(key_of(url), []).append(source)
            first.setdefault(key_of(url), (url, place))
    warnings = findings.refuse()
    lines = [Line(url, Route(sources[key]), place) for key, (url, place) in first.items()]
    return PipelineFile(tuple(lines), warnings)


class _FileParser:
    """Reads one file."""

    def __init__(self, findings: Findings, skip: frozenset[str]) -> None:
        self._findings = findings
        self._skip = skip
        self._ignored: dict[str, Place] = {}

    def parse(self, file: str, text: str) -> list[tuple[str, Place, Source]]:
        """Return a row for each publisher of each sink of each source."""
        root = parse_yaml(text, file, self._findings)
        if root is None:
            return []
        top = as_mapping(root, "the file", self._findings)
        if top is None:
            return []
        known_keys(top, "a pipeline file", FILE_KEYS, self._findings)
        sinks = self._sinks(self._list(top, "sinks"))
        rows = self._sources(self._list(top, "sources"), sinks)
        if self._ignored:
            keys = sorted(self._ignored, key=lambda key: self._ignored[key].line)
            said = "; ".join(f"{key} said {IGNORED_KEYS[key]}" for key in keys)
            self._findings.add("W701", f"{', '.join(keys)}: ignored here", self._ignored[keys[0]], said)
        return rows

    def _list(self, top: Mapping, key: str) -> list[Node]:
        node = top.get(key)
        if node is None:
            self._findings.add("E102", f"the file has no {key}", top.place, f"expected {key}: a list")
            return []
        if not isinstance(node, Items):
            self._findings.add("E101", f"{key} is {describe(node)}", node.place, "expected a list")
            return []
        return node.items

    def _keys(self, mapping: Mapping, what: str, known: Collection[str]) -> None:
        for value, (key, _) in mapping.entries().items():
            if value in IGNORED_KEYS:
                self._ignored.setdefault(value, key.place)
        known_keys(mapping, what, (*known, *IGNORED_KEYS), self._findings)

    def _name(self, mapping: Mapping, what: str, taken: dict[str, Place]) -> str | None:
        node = mapping.get("name")
        if node is None:
            self._findings.add("E102", f"the {what} has no name", mapping.place, "expected name: a name of its own")
            return None
        name = as_text(node, "name", self._findings)
        if name is not None and name in taken:
            message = f"two {what}s have the name '{name}'"
            self._findings.add("E703", message, node.place, "give each a name of its own", related=(taken[name],))
            return None
        if name is not None:
            taken[name] = node.place
        return name

    def _sinks(self, items: list[Node]) -> dict[str, _Sink]:
        sinks: dict[str, _Sink] = {}
        taken: dict[str, Place] = {}
        for item in items:
            mapping = as_mapping(item, "a sink", self._findings)
            if mapping is None:
                continue
            self._keys(mapping, "a sink", SINK_KEYS)
            name = self._name(mapping, "sink", taken)
            node = mapping.get("publishers")
            if node is None:
                hint = "expected publishers: a list of URLs"
                self._findings.add("E102", f"the sink {name or ''} has no publishers", mapping.place, hint)
                continue
            found = texts(node, "publishers", self._findings)
            if isinstance(node, Items) and not node.items:
                self._findings.add("E101", "the list is empty", node.place, "expected URLs, as file:///var/out.jsonl")
            urls = [(self._url(text, scalar), scalar.place) for text, scalar in found]
            if name is not None:
                sinks[name] = _Sink(tuple((url, place) for url, place in urls if url is not None), taken[name])
        return sinks

    def _url(self, text: str, node: Scalar) -> str | None:
        """Return the URL that is written; Ceilometer takes a bare word for a scheme."""
        url = text if "://" in text else f"{text}://"
        try:
            scheme = parse_url(url).scheme
            if scheme in self._skip:
                self._findings.add("W703", f"the publisher {scheme}:// is skipped", node.place, "as it was asked for")
                return None
            check_url(url)
        except PublisherURLError as error:
            lacking = url.partition("://")[0].lower() in CEILOMETERS
            hint = "--skip-publishers, or skip_publishers in the settings, leaves it out" if lacking else ""
            self._findings.add("E701", str(error), node.place, hint)
            return None
        return url

    def _sources(self, items: list[Node], sinks: dict[str, _Sink]) -> list[tuple[str, Place, Source]]:
        rows = []
        taken: dict[str, Place] = {}
        used: set[str] = set()
        for item in items:
            mapping = as_mapping(item, "a source", self._findings)
            if mapping is None:
                continue
            self._keys(mapping, "a source", SOURCE_KEYS)
            self._name(mapping, "source", taken)
            source = Source(self._pattern(mapping, "events"), self._pattern(mapping, "meters"), self._projects(mapping))
            if mapping.get("events") is None and mapping.get("meters") is None:
                hint = "expected events: or meters: with patterns, as ['*', '!*.exists']"
                self._findings.add("E102", "the source has neither events nor meters", mapping.place, hint)
            for name, node in self._names_of_sinks(mapping):
                used.add(name)
                if name not in sinks:
                    known = ", ".join(sinks) or "none"
                    hint = f"sinks of this file are {known}{did_you_mean(name, list(sinks))}"
                    self._findings.add("E702", f"there is no sink '{name}'", node.place, hint)
                    continue
                rows += [(url, place, source) for url, place in sinks[name].publishers]
        for name, sink in sinks.items():
            if name not in used:
                self._findings.add("W702", f"no source names the sink '{name}'", sink.place, "nothing goes to it")
        return rows

    def _names_of_sinks(self, mapping: Mapping) -> list[tuple[str, Scalar]]:
        node = mapping.get("sinks")
        if node is None or (isinstance(node, Items) and not node.items):
            hint = "expected sinks: a list of names"
            self._findings.add("E102", "the source names no sink", mapping.place, hint)
            return []
        return texts(node, "sinks", self._findings)

    def _pattern(self, mapping: Mapping, key: str) -> Pattern | None:
        node = mapping.get(key)
        if node is None:
            return None
        globs = [text for text, _ in texts(node, key, self._findings)]
        if isinstance(node, Items) and not node.items:
            self._findings.add("E101", "the list is empty", node.place, "expected patterns, as ['*', '!*.exists']")
        return parse_pattern(globs)

    def _projects(self, mapping: Mapping) -> frozenset[str] | None:
        node = mapping.get("projects")
        if node is None:
            return None
        found = [text for text, _ in texts(node, "projects", self._findings)]
        if isinstance(node, Items) and not node.items:
            self._findings.add("E101", "the list is empty", node.place, "expected ids of projects")
        return frozenset(found)
