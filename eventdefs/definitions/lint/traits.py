"""Findings on traits that say nothing new."""

from __future__ import annotations

from functools import cache

from eventdefs.definitions.events import TraitDefinition, default_traits
from eventdefs.definitions.findings import Findings

_defaults = cache(default_traits)


def check_default(trait: TraitDefinition, findings: Findings) -> None:
    """Look at a trait that has the name of one that every event has."""
    default = _defaults().get(trait.name)
    if default is None or trait.fields.plugin is not None or trait.required or trait.rejects:
        return
    paths = [path.names for path in trait.fields.paths]
    if trait.type is default.type and paths == [path.names for path in default.fields.paths]:
        hint = "it may be left out"
        findings.add("N301", f"the trait {trait.name} is what every event has anyway", trait.place, hint)
