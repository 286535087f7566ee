"""Findings on trait plugins: parameters that are taken, and can never do what they say."""

from __future__ import annotations

from eventdefs.definitions.fields import Fields
from eventdefs.definitions.findings import Findings


def check_plugin(fields: Fields, what: str, findings: Findings) -> None:
    """Let the plugin of *fields* say what it finds odd about its parameters and its paths."""
    remarks = getattr(fields.plugin, "remarks", None)
    if remarks is None:
        return
    paths = [".".join(path.names) if path.names is not None else None for path in fields.paths]
    for remark, hint in remarks(paths):
        findings.add("W309", f"the plugin {fields.plugin_name} of {what}: {remark}", fields.place, hint)
