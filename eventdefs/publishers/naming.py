"""What targets ask of an item: whose it is, what it is called, what it is ordered by; and names made of that."""

from __future__ import annotations

import re
from collections.abc import Callable

from eventdefs.errors import PublisherURLError
from eventdefs.types import Closure, Event, Gap, Item, Period, Refusal, Sample

FIELDS = ("tenant", "event_type", "meter")
NONE = "none"
"""What stands in a name for what an item does not have."""
_FIELD = re.compile(r"\{([^{}]*)\}")


def tenant_of(item: Item) -> str | None:
    """Return the project that *item* belongs to; gaps and closures say none."""
    if isinstance(item, Event):
        return item.tenant
    if isinstance(item, (Gap, Closure)):
        return None
    return None if item.project_id is None else str(item.project_id)


def meter_of(item: Item) -> str | None:
    """Return the meter, None of an event."""
    if isinstance(item, Event):
        return None
    return str(item.name) if isinstance(item, Sample) else item.meter


def type_of(item: Item) -> str:
    """Return the event type of an event, the meter of all else."""
    return item.event_type if isinstance(item, Event) else str(meter_of(item))


def resource_of(item: Item) -> str | None:
    """Return the id of the resource that *item* is about; an event has it in its trait `resource_id`."""
    if isinstance(item, Event):
        found = item.traits.get("resource_id")
    elif isinstance(item, Closure):
        found = None
    else:
        found = item.resource_id
    return None if found is None else str(found)


def key_of(item: Item) -> str:
    """Return what *item* is ordered by: tenant and resource, or what else says what it is about."""
    if isinstance(item, Event):
        about = item.traits.get("resource_id")
        return f"{item.tenant or ''}:{item.message_id if about is None else about}"
    about = resource_of(item)
    if about is None:
        about = item.message_id if isinstance(item, (Period, Refusal)) else type_of(item)
    return f"{tenant_of(item) or ''}:{about}"


class Template:
    """A name with `{tenant}`, `{event_type}` and `{meter}` in it, as ``events-{tenant}``.

    Attributes:
        text: as it was written.
        fields: those that stand in it, in their order.
    """

    def __init__(
        self, text: str, encode: Callable[[str], str], encode_tenant: Callable[[str], str] | None = None
    ) -> None:
        """Read *text*; *encode* writes a value with the characters that such a name may have.

        *encode_tenant* does so for tenants, where they are written in another way.

        Raises:
            PublisherURLError: it has another field, or a brace that is not closed.
        """
        self.text = text
        self.fields = tuple(_FIELD.findall(text))
        self._encode = encode
        self._encode_tenant = encode_tenant or encode
        unknown = sorted({*self.fields} - set(FIELDS))
        if unknown or set(_FIELD.sub("", text)) & set("{}"):
            named = f"{{{unknown[0]}}}" if unknown else "a brace alone"
            raise PublisherURLError(f"{text!r} has {named}, known are {', '.join(f'{{{name}}}' for name in FIELDS)}")

    def keeps_apart(self, separators: str) -> bool:
        """Tell whether one of *separators*, which no tenant is written with, is between a tenant and other fields."""
        parts = _FIELD.split(self.text)
        between = zip(self.fields, parts[2::2], self.fields[1:], strict=False)
        return all({*text} & {*separators} for one, text, other in between if "tenant" in (one, other))

    def name(self, item: Item) -> str:
        """Return the name for *item*; what it does not have is written as `none`."""
        if not self.fields:
            return self.text
        values = {
            "tenant": tenant_of(item),
            "event_type": item.event_type if isinstance(item, Event) else None,
            "meter": meter_of(item),
        }
        return _FIELD.sub(lambda found: self._written(found[1], values[found[1]]), self.text)

    def _written(self, field: str, value: str | None) -> str:
        if value is None:
            return NONE
        return self._encode_tenant(value) if field == "tenant" else self._encode(value)
