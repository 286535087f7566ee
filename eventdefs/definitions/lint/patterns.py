"""Findings on patterns: definitions that never apply, and patterns that match more or less than they say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence, Set

from eventdefs.definitions.events import EventDefinition
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.lint.globs import MAX_COMPARED, Work, covers, overlap
from eventdefs.definitions.patterns import glob_steps
from eventdefs.definitions.samples import SampleDefinition
from eventdefs.errors import Fix
from eventdefs.types import Place

MAX_PATTERNS = 500
"""How many patterns of one definition are looked at; a longer list was not written by hand."""

_NOT_IN_EVENT_TYPES = re.compile(r"[\\^$+()|{},]|^\s|\s$|\.\.|\[(?![^]]+\])")
_STRANGE = {
    ",": "several patterns are a list: [image.create, image.delete]",
    "..": "a dot is a dot, and * any text: one dot is enough",
    "[": "a set of characters ends with ]; this [ stands for itself",
    **dict.fromkeys(" \t\n", "remove the blank at the end or the beginning"),
}
"""What is said of what event types have not; of the rest, that globs are no regular expressions."""

_BARE_STAR = re.compile(r"(?<![.)\]}\\+*?])(?<!\\.)\*(?=\.|$)")
"""A star after a plain character, at an end of a part of the event type, as in a glob."""


def check_events(definitions: Sequence[EventDefinition], lent: Set[Place], findings: Findings) -> None:
    """Look at the patterns of event definitions, of which the last that matches applies.

    *lent*: places of definitions whose traits others take over by an anchor; one that never applies is there for them.
    """
    later = _Later(definitions)
    work = Work()
    for number, definition in enumerate(definitions):
        globs = list(zip(definition.ref.patterns, definition.places, strict=True))[:MAX_PATTERNS]
        for glob, place in globs:
            _check_regex(glob, place, findings)
        _check_exclusions(globs, findings, work)
        if definition.ref.place not in lent:
            _check_covered(definition, globs, later.than(number), findings, work)


class _Later:
    """Finds the later definitions that may match what an earlier one does, by how their globs begin."""

    def __init__(self, definitions: Sequence[EventDefinition]) -> None:
        self._definitions = definitions
        self._heads: dict[str, list[int]] = {}
        for number, definition in enumerate(definitions):
            for head in {_head(glob) for glob in definition.pattern.included}:
                self._heads.setdefault(head, []).append(number)

    def than(self, number: int) -> Callable[[str], list[EventDefinition]]:
        """Return a function that gives the definitions after *number* of which a glob may cover a given glob."""

        def matching(glob: str) -> list[EventDefinition]:
            head = _head(glob)
            numbers = {
                other
                for length in range(len(head) + 1)
                for other in self._heads.get(head[:length], ())
                if other > number
            }
            return [self._definitions[other] for other in sorted(numbers)[-MAX_COMPARED:]]

        return matching


def _head(glob: str) -> str:
    """Return the characters that all begins with that *glob* matches."""
    head = ""
    for kind, text in glob_steps(glob):
        if kind != "=":
            break
        head += text
    return head


def _check_regex(glob: str, place: Place, findings: Findings) -> None:
    if not glob:
        findings.add("W304", "the pattern '' matches no event type", place, "remove it; * is every event type")
        return
    strange = _NOT_IN_EVENT_TYPES.search(glob)
    if strange is None:
        return
    hint = _STRANGE.get(strange[0], "a glob is no regular expression: * any text, ? any character, . a dot")
    fixed = _as_glob(glob)
    written = findings.line(place)[place.column - 1 : place.end_column - 1]
    fix = Fix(f"write {fixed}", place, f"'{fixed}'") if fixed and glob in written else None
    findings.add("W304", f"the pattern {glob!r} has {strange[0]!r}, which event types have not", place, hint, fix=fix)


def _as_glob(regex: str) -> str:
    """Return the glob that says what *regex* says, '' where that is not certain."""
    inner = regex.removeprefix("^").removesuffix("$")
    glob = re.sub(r"\\\.|\.\*", lambda found: "." if found[0] == r"\." else "*", inner)
    escaped = "\\." in inner or len(inner) < len(regex)
    return glob if escaped and re.fullmatch(r"[\w.*:-]+", glob) and ".." not in glob else ""


def _check_exclusions(globs: Sequence[tuple[str, Place]], findings: Findings, work: Work) -> None:
    excluded = [(glob[1:], place) for glob, place in globs if glob.startswith("!")]
    included = [glob for glob, _ in globs if not glob.startswith("!")]
    if excluded and not included:
        hint = "if that is meant, say so: put '*' before them"
        findings.add("W305", "all patterns exclude, so that every other event type is taken", excluded[0][1], hint)
    for glob, place in excluded:
        if included and not any(overlap(glob, one, work) for one in included):
            findings.add("W306", f"!{glob} excludes nothing of what is included", place, "remove it")
    if excluded and all(covers([glob for glob, _ in excluded], one, work) for one in included or ["*"]):
        findings.add("W306", "everything that is included is excluded as well", excluded[0][1], "it never applies")


def _covered_by(glob: str, others: Sequence[EventDefinition], work: Work) -> EventDefinition | None:
    """Return the last of *others* that takes all that *glob* matches."""
    for other in others[::-1]:
        excluded = other.pattern.excluded
        if covers(other.pattern.included, glob, work) and not any(overlap(glob, one, work) for one in excluded):
            return other
    return None


def _check_covered(
    definition: EventDefinition,
    globs: Sequence[tuple[str, Place]],
    later: Callable[[str], list[EventDefinition]],
    findings: Findings,
    work: Work,
) -> None:
    included = [(glob, place) for glob, place in globs if not glob.startswith("!")] or [("*", definition.ref.place)]
    covered = [(glob, place, _covered_by(glob, later(glob), work)) for glob, place in included]
    shadows = [other for _, _, other in covered if other is not None]
    if len(shadows) == len(covered):
        said = f"the definition of {_few(definition.ref.patterns, ', ')} never applies"
        places = sorted({other.ref.place for other in shadows})
        verbs = "stands after it and takes" if len(places) == 1 else "stand after it and take"
        hint = f"{_at(places)} {verbs} all of it; the last that matches applies"
        findings.add("W302", said, definition.ref.place, hint, related=tuple(places))
        return
    for glob, place, other in covered:
        if other is not None:
            hint = f"the later definition at {other.ref.place} takes all of it"
            findings.add("W303", f"the pattern {glob} never applies", place, hint, related=(other.ref.place,))
    for number, (glob, place) in enumerate(included):
        others = [one for one, _ in included[:number]] + [
            one for one, _ in included[number + 1 :] if not covers([glob], one, work)
        ]
        if others and covers(others, glob, work):
            hint = "another pattern of this definition takes all of it: remove it"
            findings.add("W303", f"the pattern {glob} adds nothing", place, hint)


def _at(places: Sequence[Place]) -> str:
    return f"the definition at {_few([str(place) for place in places], ' and that at ')}"


def _few(texts: Sequence[str], between: str, most: int = 3) -> str:
    """Return *texts*, of many the first and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return between.join(texts[:most]) + more


def check_expressions(definition: SampleDefinition, findings: Findings) -> None:
    """Look at the regular expressions of a sample definition."""
    seen: dict[str, Place] = {}
    for text, place in zip(definition.event_types, definition.places, strict=True):
        for what, fix, hint in _strange(text):
            edit = None if not fix else Fix(f"write {fix}", place, f"'{fix}'")
            findings.add("W307", f"event_type {text!r}: {what}", place, hint, fix=edit)
        if text in seen:
            findings.add("W308", f"event_type {text!r} is there twice", place, "remove one", related=(seen[text],))
        seen.setdefault(text, place)


def _strange(text: str) -> Iterator[tuple[str, str, str]]:
    if text.startswith("!"):
        yield "a sample definition excludes nothing", "", "its patterns are regular expressions; `!` is a character"
    bare = _BARE_STAR.search(text)
    if bare is not None and bare.start():
        before = text[bare.start() - 1]
        fixed = _BARE_STAR.sub(".*", text)
        yield (
            f"`{before}*` is any number of {before!r} in a regular expression, none too",
            fixed,
            f"for any text write .*, as {fixed}",
        )
