"""Whose an event is: the project that owns the thing it is about, else the project that acted.

The rule is an order of places (docs/reference/definitions.md, "The tenant of an event"). What users may fill in at
will, such as an instance's metadata, is none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_KEYS = ("tenant_id", "project_id")
_ACTING = ("project_id", "tenant_id", "tenant")


def find_tenant(event_type: str, body: Mapping[str, Any]) -> str | None:
    """Return the tenant of the notification *body*, None where nothing says one."""
    payload = body.get("payload")
    if isinstance(payload, dict):
        owner = _text(payload, _KEYS) or _text(payload.get("nova_object.data"), _KEYS) or _text(payload, ("owner",))
        if owner is not None:
            return owner
        for resource in _resource_keys(event_type):
            owner = _text(payload.get(resource), _KEYS) or _shared(payload.get(resource + "s"))
            if owner is not None:
                return owner
        owner = _text(payload.get("image"), ("owner",))
        if owner is not None:
            return owner
    acting = _text(body.get("ctxt"), _ACTING)
    if acting is None and isinstance(payload, dict):
        return _text(payload.get("initiator"), ("project_id",))
    return acting


def looked_at(event_type: str) -> list[tuple[str, ...]]:
    """Return the keys of every place that `find_tenant` looks at."""
    payload = [
        *((key,) for key in _KEYS),
        *(("nova_object.data", key) for key in _KEYS),
        ("owner",),
        ("image", "owner"),
    ]
    payload.append(("initiator", "project_id"))
    for resource in _resource_keys(event_type):
        payload += [(resource,), (resource + "s",)]
    return [("payload", *keys) for keys in payload] + [("ctxt", key) for key in _ACTING]


def _text(mapping: Any, keys: tuple[str, ...]) -> str | None:
    if isinstance(mapping, dict):
        for key in keys:
            value = mapping.get(key)
            if isinstance(value, str) and value:
                return value
    return None


def _shared(resources: Any) -> str | None:
    """Return the tenant of a list of resources (neutron's bulk requests) where all of them have the same."""
    if not isinstance(resources, list):
        return None
    tenants = {_text(resource, _KEYS) for resource in resources}
    return tenants.pop() if len(tenants) == 1 else None


@lru_cache(maxsize=4096)
def _resource_keys(event_type: str) -> tuple[str, ...]:
    """Return the keys under which a service that nests its resource puts it: `port`, `router_interface`."""
    parts = event_type.split(".")[:4]
    return tuple("_".join(parts[:count]) for count in range(1, len(parts)))
