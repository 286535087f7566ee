"""Event types to groups that are about one kind of resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from eventdefs.definitions.corpus import Corpus
from eventdefs.definitions.patterns import PatternIndex, parse_pattern

ENDS = frozenset(("start", "end", "error", "success", "failure", "fail", "progress", "completed", "fault"))
"""What an event type ends with that says how far something is."""
VERBS = frozenset(
    """accept accepted activate add attach attached audit create created creation delete deleted deletion detach
    disabled disable enable enabled evacuate exists extend finish live_migration live_migrate lock manage migrate
    move pause power_off power_on prepare reboot rebuild received reject remove rescue reset resize restore resume
    retype revert rollback set shelve shelve_offload shrink shutdown snapshot soft_delete suspend terminate trigger
    unlock unmanage unpause unrescue unset unshelve update updated upload upsize volume_attach volume_detach
    interface_attach interface_detach""".split()  # noqa: SIM905
)
"""What is done to a resource: an event type names the resource before it."""


class Group(NamedTuple):
    """Event types that one definition, and those that add to it, are for.

    Attributes:
        resource: what they are about, as `compute.instance`.
        names: the event types, sorted.
        glob: a glob that matches them, and else only recorded event types of later groups, '' where there is none.
    """

    resource: str
    names: tuple[str, ...]
    glob: str

    @property
    def word(self) -> str:
        """The resource in one word, as keys of payloads name it: `instance`."""
        return self.resource.rpartition(".")[2]


def resource_of(event_type: str) -> str:
    """Return what *event_type* is about.

    >>> [resource_of(text) for text in ("compute.instance.resize.prep.end", "image.upload", "identity.authenticate")]
    ['compute.instance', 'image', 'identity']
    """
    parts = event_type.split(".")
    while len(parts) > 1 and parts[-1] in ENDS:
        parts.pop()
    for number in range(1, len(parts)):
        if parts[number] in VERBS:
            return ".".join(parts[:number])
    return ".".join(parts[:-1] if len(parts) > 1 else parts)


def group_event_types(names: list[str], corpus: Corpus, per_event_type: bool, globs: bool) -> list[Group]:
    """Return the groups of *names*, sorted; with *globs*, a group has one where it matches nothing else recorded."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(name if per_event_type else resource_of(name), []).append(name)
    return [
        Group(
            resource_of(name) if per_event_type else name,
            tuple(types),
            _glob(name, types, corpus, found) if globs and len(types) > 1 else "",
        )
        for name, types in sorted(found.items())
    ]


def _glob(resource: str, types: list[str], corpus: Corpus, groups: Mapping[str, list[str]]) -> str:
    """Return a glob for *types*; what else it matches must have a later definition, which then applies."""
    glob = f"{escaped(resource)}.*"
    index = PatternIndex([parse_pattern([glob])])
    matched = {name for name in corpus.event_types if index.last(name) is not None}
    later = {name for other, names in groups.items() if other > resource for name in names}
    return glob if matched.issuperset(types) and matched <= later.union(types) else ""


def can_be_written(text: str) -> bool:
    """Tell whether YAML can have *text*: it has no lone surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def escaped(event_type: str) -> str:
    """Return a glob that matches *event_type*: what globs take for something else becomes a set."""
    text = "".join(_ESCAPES.get(char, char) for char in event_type)
    return f"[ !]{text[1:]}" if text.startswith("!") else text


_ESCAPES = {"*": "[*]", "?": "[?]", "[": "[[]"}
