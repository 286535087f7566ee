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

Steps = tuple[str | None, ...]
"""Keys one after the other; None stands for the items of a list."""


def find_tenant(event_type: str, body: Mapping[str, Any]) -> str | None:
    """Return the tenant of the notification *body*, None where nothing says one."""
    return locate_tenant(event_type, body)[0]


def locate_tenant(event_type: str, body: Mapping[str, Any]) -> tuple[str | None, Steps]:
    """Return the tenant of the notification *body* and the keys that lead to it; (None, ()) where nothing says one."""
    payload: Any = body.get("payload")
    if isinstance(payload, dict):
        if key := _key(payload, _KEYS):
            return payload[key], ("payload", key)
        data: Any = payload.get("nova_object.data")
        if key := _key(data, _KEYS):
            return data[key], ("payload", "nova_object.data", key)
        if key := _key(payload, ("owner",)):
            return payload[key], ("payload", key)
        for resource in _resource_keys(event_type):
            nested: Any = payload.get(resource)
            if key := _key(nested, _KEYS):
                return nested[key], ("payload", resource, key)
            nested = payload.get(resource + "s")
            if key := _shared(nested):
                return nested[0][key], ("payload", resource + "s", None, key)
        image: Any = payload.get("image")
        if key := _key(image, ("owner",)):
            return image[key], ("payload", "image", key)
    acting: Any = body.get("ctxt")
    if key := _key(acting, _ACTING):
        return acting[key], ("ctxt", key)
    if isinstance(payload, dict) and (key := _key(payload.get("initiator"), ("project_id",))):
        return payload["initiator"][key], ("payload", "initiator", key)
    return None, ()


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


def _key(mapping: Any, keys: tuple[str, ...]) -> str:
    """Return the first of *keys* under which *mapping* has a text, '' where none does."""
    if isinstance(mapping, dict):
        for key in keys:
            value = mapping.get(key)
            if isinstance(value, str) and value:
                return key
    return ""


def _shared(resources: Any) -> str:
    """Return the key of the tenant in a list of resources (neutron's bulk requests) where all have the same tenant."""
    if not isinstance(resources, list) or not resources:
        return ""
    keys = [_key(resource, _KEYS) for resource in resources]
    tenants = {resource[key] if key else None for resource, key in zip(resources, keys, strict=True)}
    return keys[0] if len(tenants) == 1 else ""


@lru_cache(maxsize=4096)
def _resource_keys(event_type: str) -> tuple[str, ...]:
    """Return the keys under which a service that nests its resource puts it: `port`, `router_interface`."""
    parts = event_type.split(".")[:4]
    return tuple("_".join(parts[:count]) for count in range(1, len(parts)))
