"""Definitions against recorded notifications: what they look for and never find.

Whether a definition applies and what can be read is asked of `Definitions.convert`, not decided here again. What is
said holds for the recorded notifications; that others look different only their sender knows.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from eventdefs.definitions.corpus import Corpus, Example, Seen, key_text, path_text
from eventdefs.definitions.events import EventDefinition, TraitDefinition
from eventdefs.definitions.fields import NO_CONSTANT, Fields
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.lint import Report
from eventdefs.definitions.lint.comments import silence
from eventdefs.definitions.paths import Path, parse_path
from eventdefs.definitions.patterns import PatternTree, RegexIndex, glob_steps
from eventdefs.definitions.samples import LITERALS, SampleDefinition
from eventdefs.errors import EventdefsError, Finding, Fix, PathEvaluationError, PathSyntaxError
from eventdefs.types import Conversion, Place, Problem, excerpt

CODES = ("W501", "W502", "W503", "N501", "N502", "N503", "N504")
MAX_UNDEFINED = 50
"""How many event types without a definition are named one by one."""
MAX_JOINED = 500
"""How many ways of joining names with dots are looked at."""
FEW = 3
"""How many patterns of one definition that match nothing are said one by one."""
MAX_NEAR = 300
"""With how many event types without a definition a pattern that matches nothing is compared."""
MAX_TRIED = 60
"""How many other paths are tried in place of one that finds nothing."""

_KEY = re.compile(
    r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^\s.$\[\](){}'\"`,|&?*=<>!~+/\\-][^\s.$\[\](){}'\"`,|&?*=<>!~+/\\]*"
)
_BY_VALUE = re.compile(r"\.?\s*(?:\[\s*\?|`\s*(?:sub|split))")
"""Where a path begins to look at what a value is, which notifications of one shape differ in."""


def lint_corpus(report: Report, corpus: Corpus) -> list[Finding]:
    """Return what the notifications of *corpus* show about the definitions of *report*, in the order of the files."""
    findings = Findings()
    for file, text in report.reading.texts:
        findings.add_file(file, text)
    if corpus.count:
        _Check(report, corpus, findings).run()
    texts, roots = report.reading.texts, report.reading.roots
    return [found for found in silence(findings.in_order(), texts, roots, findings) if found.code in CODES]


def _globs_of(globs: Iterable[str], event_types: Iterable[str]) -> dict[str, set[str]]:
    """Return those of *globs* that match each of *event_types*."""
    every = list(globs)
    tree = PatternTree()
    for number, glob in enumerate(every):
        tree.add(glob_steps(glob), number)
    return {name: {every[number] for number in tree.matching(name)} for name in event_types}


def _taking_expressions(expressions: Iterable[str], event_types: Iterable[str]) -> set[str]:
    """Return those of *expressions* that match one of *event_types*, or do not finish on it."""
    every = list(expressions)
    index = RegexIndex([[text] for text in every])
    return {every[number] for name in event_types for numbers in index.all(name) for number in numbers}


class _Use(NamedTuple):
    """Fields that definitions read, and the event types that they read them from."""

    what: str
    fields: Fields
    names: dict[str, Seen]
    falls_back: bool = False
    """Whether the context says it where the paths do not: who acted, of a sample."""


class _Troubles:
    """How often something could not be read, with the first problem."""

    def __init__(self) -> None:
        self.count = 0
        self.first: tuple[Problem, Place] | None = None

    def add(self, problem: Problem, place: Place, times: int) -> None:
        self.count += times
        self.first = self.first or (problem, place)


class _Check:
    """One comparison of definitions with a corpus."""

    def __init__(self, report: Report, corpus: Corpus, findings: Findings) -> None:
        self._reading = report.reading
        self._definitions = report.definitions
        self._broken = any(found.severity == "error" for found in report.findings)
        self._corpus = corpus
        self._findings = findings
        self._missing: set[Place] = set()
        self._undefined: dict[str, int] = {}
        globs = (glob for event in self._definitions.events for one in event.pattern for glob in one)
        self._globs = _globs_of(dict.fromkeys(globs), corpus.event_types)
        self._matching = {glob for globs in self._globs.values() for glob in globs}
        expressions = (text for sample in self._definitions.samples for text in sample.event_types)
        self._taking = _taking_expressions(dict.fromkeys(expressions), corpus.event_types)
        self._lines = {file: text.split("\n") for file, text in report.reading.texts}

    def run(self) -> None:
        applied: dict[int, dict[str, Seen]] = {}
        taken: dict[int, dict[str, Seen]] = {}
        for name, seen in self._corpus.event_types.items():
            ref = self._definitions.find(name)
            if ref is not None:
                applied.setdefault(id(ref), {})[name] = seen
            samples = self._definitions.find_samples(name)
            for sample in samples:
                taken.setdefault(id(sample), {})[name] = seen
            if not samples and (ref is None or ref.implicit):
                self._undefined[name] = seen.count
        uses: dict[tuple[Place, str], _Use] = {}
        for event in self._definitions.events:
            names = applied.get(id(event.ref), {})
            self._check_event(event, names)
            if names:
                for trait in event.traits:
                    if trait.name in event.written:
                        _use(uses, _Use(f"the trait {trait.name}", trait.fields, names))
        for sample in self._definitions.samples:
            names = taken.get(id(sample), {})
            self._check_sample(sample, names)
            if names:
                for what, fields in _fields_of(sample):
                    _use(uses, _Use(f"{what} of {sample.name}", fields, names, what in ("project_id", "user_id")))
        for use in uses.values():
            self._check_paths(use)
        self._check_values()
        self._check_undefined()

    # --- definitions ---

    def _check_event(self, event: EventDefinition, names: dict[str, Seen]) -> None:
        if not names:
            included, excluded = set(event.pattern.included), set(event.pattern.excluded)
            matched = {
                name: self._corpus.event_types[name]
                for name, globs in self._globs.items()
                if not included.isdisjoint(globs) and excluded.isdisjoint(globs)
            }
            what = f"the definition of {event.ref}"
            place = event.places[0] if event.places else event.ref.place
            if matched:
                instead = {self._definitions.find(name) for name in matched}
                others = tuple(sorted({ref.place for ref in instead if ref is not None and not ref.implicit}))
                message = f"{what} applies to no recorded notification: later ones do to all that it matches"
                self._findings.add("N503", excerpt(message, 300), place, _seen_as(matched), related=others)
            else:
                hint = "no recorded event type matches" + self._near_type(event.pattern.included)
                self._findings.add("N503", excerpt(f"{what} applies to no recorded notification", 300), place, hint)
            return
        globs = zip(event.ref.patterns, event.places, strict=False)
        every = [(glob, place) for glob, place in globs if not glob.startswith("!")]
        if len(every) > 1:
            self._add_unmatched([(glob, at) for glob, at in every if glob not in self._matching], len(every))

    def _add_unmatched(self, unmatched: list[tuple[str, Place]], count: int) -> None:
        """Say that of the *count* patterns of a definition some match nothing: each, or all where they are many."""
        if len(unmatched) > FEW:
            first = ", ".join(excerpt(pattern, 60) for pattern, _ in unmatched[:FEW])
            message = f"{len(unmatched):,} of {count:,} patterns match no recorded event type: {first}, ..."
            related = tuple(place for _, place in unmatched[1:])
            self._findings.add("N504", message, unmatched[0][1], "the others do", related=related)
            return
        for pattern, place in unmatched:
            hint = "others of the definition do" + self._near_type([pattern])
            self._findings.add("N504", f"{excerpt(pattern)} matches no recorded event type", place, hint)

    def _check_sample(self, sample: SampleDefinition, names: dict[str, Seen]) -> None:
        if not names:
            hint = "no recorded event type matches" + self._near_type(sample.event_types)
            place = sample.places[0] if sample.places else sample.place
            message = f"the sample definition {sample.name} applies to no recorded notification"
            self._findings.add("N503", message, place, hint)
        elif len(sample.event_types) > 1:
            every = zip(sample.event_types, sample.places, strict=False)
            unmatched = [(text, at) for text, at in every if text not in self._taking]
            self._add_unmatched(unmatched, len(sample.event_types))

    def _near_type(self, patterns: Iterable[str]) -> str:
        """Return which event type without a definition may be meant."""
        for pattern in patterns:
            plain = pattern.replace("\\.", ".").replace("[.]", ".").removesuffix("$").removeprefix("^")
            near = difflib.get_close_matches(plain[:100], islice(self._undefined, MAX_NEAR), n=1, cutoff=0.8)
            if near:
                return f" (did you mean '{near[0]}'?)"
        return ""

    def _check_undefined(self) -> None:
        if self._broken or not self._reading.texts:
            return  # what cannot be read may be what is missing
        undefined = sorted(self._undefined.items(), key=lambda row: (-row[1], row[0]))
        place = Place(self._reading.texts[0][0])
        for name, count in undefined[:MAX_UNDEFINED]:
            message = f"no definition applies to {excerpt(name)}, of which {_are(count)} recorded"
            self._findings.add("N502", message, place, f"eventdefs init proposes one for {excerpt(name)}")
        if len(undefined) > MAX_UNDEFINED:
            rest = sum(count for _, count in undefined[MAX_UNDEFINED:])
            more = len(undefined) - MAX_UNDEFINED
            message = f"no definition applies to {more:,} more event types, of which {_are(rest)} recorded"
            self._findings.add("N502", message, place, "the most frequent ones are named above")

    # --- paths ---

    def _check_paths(self, use: _Use) -> None:
        fields = use.fields
        finds = [_finds(path, use.names.values()) for path in fields.paths]
        if all(finds) or len(fields.places) != len(fields.paths):
            return
        seen = _seen_as(use.names)
        if any(finds):
            for path, place, found in zip(fields.paths, fields.places, finds, strict=True):
                if not found:
                    message = f"{path.text} of {use.what} finds nothing in any recorded notification"
                    self._findings.add("N501", excerpt(message, 300), place, f"{seen}; other paths of it do")
            return
        self._missing.add(fields.place)
        if use.falls_back:
            message = f"{fields.text} of {use.what} finds nothing in any recorded notification"
            self._findings.add("N501", excerpt(message, 300), fields.place, f"{seen}; who acted is taken instead")
            return
        near = [self._near(path, place, use) for path, place in zip(fields.paths, fields.places, strict=True)]
        number = next((number for number, (_, instead, _) in enumerate(near) if instead), 0)
        place, instead, certain = near[number]
        path = fields.paths[number]
        said = f"{path.text} of {use.what} finds nothing"
        if len(fields.paths) > 1:
            said = f"none of the {len(fields.paths)} paths of {use.what} finds anything"
        message = f"{said} in any recorded notification"
        hint = f"{seen}; did you mean {instead}?" if instead else seen
        fix = self._fix(path, fields.places[number], instead) if instead and certain else None
        self._findings.add("W501", excerpt(message, 300), place, hint, fix=fix)

    def _near(self, path: Path, place: Place, use: _Use) -> tuple[Place, str, bool]:
        """Return the place of the key that is not there, a path that finds something, '' for none; is it certain?"""
        keys = [(found.start(), found[0]) for found in _KEY.finditer(path.text)]
        seens = list(use.names.values())
        names = path.names
        at = self._column(path.text, place)
        if names is None or len(names) != len(keys):
            for start, text in keys[1:]:
                for other in _near_keys(_unquoted(text), _all_keys(seens)):
                    written = key_text(other)
                    instead = f"{path.text[:start]}{written}{path.text[start + len(text) :]}"
                    if written and _path_finds(instead, seens):
                        return _part(place, at, start, text), instead, False
            return place, "", False
        depth = next(count for count in range(1, len(names) + 1) if not any(seen.has(names[:count]) for seen in seens))
        start, text = keys[depth - 1]
        where = _part(place, at, start, text)
        for steps, certain in islice(_others(names, depth - 1, seens), MAX_TRIED):
            written = path_text(steps)
            if written and _path_finds(written, seens):
                return where, f"$.{written}" if path.text.startswith("$") else written, certain
        return where, "", False

    def _column(self, text: str, place: Place) -> int:
        """Return the column at which the path *text* begins, 0 where it does not stand in the file in one piece."""
        lines = self._lines.get(place.file, ())
        line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        return line.find(text, place.column - 1, place.end_column) + 1 if place.column else 0

    def _fix(self, path: Path, place: Place, instead: str) -> Fix | None:
        """Return the edit that writes *instead*, quoted as it stands there; None where that is not certain."""
        column = self._column(path.text, place)
        if not column:
            return None
        line = self._lines[place.file][place.line - 1]
        end = column + len(path.text)
        quote = line[column - 2 : column - 1]
        title = f"write {instead}"
        if quote in ("'", '"') and line[end - 1 : end] == quote:
            if quote == '"' and ("\\" in instead or '"' in instead):
                return None
            text = instead.replace("'", "''") if quote == "'" else instead
        else:
            text = instead
            if re.search(r"[\[\]{},*#]|: ", instead):
                if "\\" in instead or '"' in instead:
                    return None
                text = f'"{instead}"'
        return Fix(title, place._replace(column=column, end_column=end), text)

    # --- values ---

    def _check_values(self) -> None:
        """Convert the kept notifications, and say what could not be read."""
        troubles: dict[tuple[Place, str], _Troubles] = {}
        read: Counter[tuple[Place, str]] = Counter()
        events = {id(event.ref): event for event in self._definitions.events}
        attributes = _attributes(self._definitions.samples)
        for name, seen in self._corpus.event_types.items():
            samples = self._definitions.find_samples(name)
            for example in seen.examples:
                conversion = self._definitions.convert(example.notification)
                failed = {(problem.place, problem.name): problem for problem in conversion.problems}
                event = events.get(id(conversion.definition))
                for trait in event.traits if event is not None else ():
                    key = (trait.place, trait.name)
                    if key not in failed and _is_read(trait, example, conversion):
                        read[key] += example.times
                for sample in samples:
                    read[sample.place, ""] += example.times
                for key, problem in failed.items():
                    troubles.setdefault(key, _Troubles()).add(problem, example.place, example.times)
        traits = {(trait.place, trait.name): trait for event in self._definitions.events for trait in event.traits}
        for key, trouble in troubles.items():
            of_trait, of_sample = traits.get(key), attributes.get(key)
            if of_trait is not None:
                self._add_trouble(f"the trait {key[1]}", of_trait.fields.place, trouble, read[key])
            elif of_sample is not None:
                sample, at = of_sample
                self._add_trouble(key[1], at, trouble, read[sample.place, ""] - trouble.count)
            else:
                self._add_trouble(key[1], key[0], trouble, read[key[0], ""] - trouble.count)

    def _add_trouble(self, what: str, at: Place, trouble: _Troubles, fine: int) -> None:
        assert trouble.first is not None
        if at in self._missing:
            return
        problem, where = trouble.first
        value = f"{problem.path}: {problem.value!r} is " if problem.value else ""
        hint = excerpt(f"{value}{problem.reason}", 300) + (f" (at {where})" if where.file else "")
        if fine > 0:
            share = f"{trouble.count:,} of {trouble.count + fine:,} recorded notifications"
            self._findings.add("W503", f"{what} cannot be read in {share}", at, hint)
        else:
            many = f"any of {trouble.count:,} recorded notifications"
            where_not = "the one recorded notification" if trouble.count == 1 else many
            self._findings.add("W502", f"{what} cannot be read in {where_not}", at, hint)


def _is_read(trait: TraitDefinition, example: Example, conversion: Conversion) -> bool:
    """Tell whether *trait* was read of *example*, which may have been rejected for another one."""
    if conversion.event is not None:
        return trait.name in conversion.event.traits
    try:
        return conversion.rejected and trait.fields.first(example.notification.body) is not None
    except EventdefsError:
        return False


def _attributes(
    samples: Iterable[SampleDefinition],
) -> dict[tuple[Place, str], tuple[SampleDefinition, Place]]:
    """Return where each attribute stands, by what a problem of it says: a place, and a name."""
    found = {}
    for sample in samples:
        for what, fields in _fields_of(sample):
            at = fields.place if what in sample.fields else sample.place
            name = f"{sample.name}.{what.replace('dimension ', 'dimensions.').replace('metadata ', 'metadata.')}"
            found[at, name] = (sample, fields.place)
    return found


def _are(count: int) -> str:
    return f"{count:,} {'is' if count == 1 else 'are'}"


def _use(uses: dict[tuple[Place, str], _Use], use: _Use) -> None:
    """Add *use* to that of the same fields by other definitions, which an anchor gave them."""
    key = (use.fields.place, use.fields.text)
    known = uses.get(key)
    uses[key] = use if known is None else known._replace(names=known.names | use.names)


def _fields_of(sample: SampleDefinition) -> Iterator[tuple[str, Fields]]:
    """Yield what *sample* reads from paths that are not texts that may stand for themselves."""
    for attribute, fields in sample.fields.items():
        if attribute not in LITERALS and fields.constant is NO_CONSTANT and fields.paths:
            yield attribute, fields
    yield from ((f"metadata {name}", fields) for name, fields in sample.metadata.items())
    if sample.user_metadata is not None:
        yield "user_metadata", sample.user_metadata
    period = sample.period
    if period is not None:
        for key in ("begin", "end", "not_before", "not_after"):
            fields = getattr(period, key)
            if fields is not None:
                yield key, fields
        yield from ((f"dimension {name}", fields) for name, fields in period.dimensions.items())
        for key, conditions in (("while", period.conditions), ("closes", period.closes or ())):
            for path, _ in conditions:
                yield key, Fields(NO_CONSTANT, (path,), None, None, period.place, (period.place,))


def _seen_as(names: dict[str, Seen]) -> str:
    """Say which notifications were looked at."""
    count = sum(seen.count for seen in names.values())
    first = ", ".join(excerpt(name, 60) for name in list(names)[:2])
    more = f" and {len(names) - 2:,} more event types" if len(names) > 2 else ""
    return f"{count:,} of {first}{more}"


def _finds(path: Path, seens: Iterable[Seen]) -> bool:
    """Tell whether *path* finds something; a null is something, and so is what cannot be told."""
    seens = list(seens)
    if path.names is not None:
        return any(seen.has(path.names) for seen in seens)
    if _finds_in(path, seens):
        return True
    if all(seen.count == len(seen.examples) for seen in seens):
        return False
    by_value = _BY_VALUE.search(path.text)
    if by_value is None:
        return any(seen.represented < seen.count for seen in seens)
    try:
        before = parse_path(path.text[: by_value.start()])
    except PathSyntaxError:
        return True
    return _finds(before, seens)


def _finds_in(path: Path, seens: Iterable[Seen]) -> bool:
    """Tell whether *path* finds something in a kept notification, or fails in each, which is another finding."""
    fails = True
    for seen in seens:
        for example in seen.examples:
            try:
                if path.all(example.notification.body):
                    return True
                fails = False
            except PathEvaluationError:
                continue
    return fails


def _path_finds(text: str, seens: Sequence[Seen]) -> bool:
    """Tell whether the path *text* gives a value in a kept notification."""
    try:
        path = parse_path(text)
    except PathSyntaxError:
        return False
    for seen in seens:
        for example in seen.examples:
            try:
                if path.first(example.notification.body) is not None:
                    return True
            except PathEvaluationError:
                continue
    return False


Steps = tuple[str | None, ...]


def _others(names: Sequence[str], depth: int, seens: Sequence[Seen]) -> Iterator[tuple[Steps, bool]]:
    """Yield places that may be meant by *names*, of which the one at *depth* is not there; the likely ones first.

    With each: whether it is certain, since nothing but the way of writing differs.
    """
    before, rest = tuple(names[:depth]), tuple(names[depth:])
    keys = list(dict.fromkeys(key for seen in seens for key in seen.keys(before)))
    yield from ((steps, True) for steps in _joined(tuple(names), seens))
    if any(seen.has((*before, None)) for seen in seens):
        yield (*before, None, *rest), True
    near = _near_keys(rest[0], keys)
    for key in near:
        yield (*before, key, *rest[1:]), len(near) == 1
    places = sorted({steps for seen in seens for steps, _ in seen.spots()}, key=_nearness)
    for count in range(len(rest), 0, -1):  # the same names elsewhere
        tail = rest[-count:]
        yield from ((steps, False) for steps in places if steps[-count:] == tail)
    last = {steps[-1] for steps in places if steps[-1] is not None}
    for key in _near_keys(rest[-1], [key for key in last if key is not None]):
        yield from ((steps, False) for steps in places if steps[-1] == key)


def _joined(names: tuple[str, ...], seens: Sequence[Seen]) -> Iterator[Steps]:
    """Yield places whose keys are several of *names* each, with dots between them."""
    waiting: list[tuple[Steps, int]] = [((), 0)]
    for _ in range(MAX_JOINED):
        if not waiting:
            return
        steps, used = waiting.pop()
        if used == len(names):
            if len(steps) < len(names):
                yield steps
            continue
        for end in range(len(names), used, -1):
            key = ".".join(names[used:end])
            if any(key in seen.keys(steps) for seen in seens):
                waiting.append(((*steps, key), end))


def _nearness(steps: Steps) -> tuple[bool, int, list[str]]:
    return steps[0] != "payload", len(steps), ["" if step is None else step for step in steps]


def _near_keys(key: str, keys: Iterable[str]) -> list[str]:
    folded = {other[:100].casefold(): other for other in sorted(keys, reverse=True)}
    return [folded[near] for near in difflib.get_close_matches(key[:100].casefold(), folded, n=3, cutoff=0.75)]


def _all_keys(seens: Sequence[Seen]) -> set[str]:
    return {steps[-1] for seen in seens for steps, _ in seen.spots() if steps[-1] is not None}


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[:1] in ("'", '"') else text


def _part(place: Place, column: int, start: int, text: str) -> Place:
    """Return the place of *text*, which begins *start* characters into a path that begins at *column*."""
    if not column:
        return place
    return place._replace(column=column + start, end_column=column + start + len(text))
