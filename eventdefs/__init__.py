"""eventdefs turns the raw notifications of an OpenStack cloud into typed events, samples and usage.

>>> import eventdefs
>>> definitions = eventdefs.parse_definitions('''
... - event_type: volume.create.*
...   traits:
...     resource_id: payload.volume_id
...     size: {type: int, fields: payload.size}
... ''')
>>> notification = eventdefs.decode_notification({
...     "message_id": "m-1", "event_type": "volume.create.end", "publisher_id": "volume.host-1",
...     "timestamp": "2026-08-01 01:02:03.000004", "payload": {"volume_id": "v-1", "size": "4", "tenant_id": "p-1"}})
>>> definitions.convert(notification).event.traits["size"]
4

What stands here is the library's face; everything is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventdefs.bus import EventBus, Subscription
    from eventdefs.decode import decode_notification, decode_notifications
    from eventdefs.definitions import Definitions, Options, load_definitions, parse_definitions
    from eventdefs.delivery import Delivery, open_delivery
    from eventdefs.encode import encode_event
    from eventdefs.errors import (
        AccessDeniedError,
        DecodeError,
        DefinitionErrors,
        DeliveryError,
        EventdefsError,
        Finding,
        InputError,
        LedgerError,
        PartialDeliveryError,
        PathEvaluationError,
        PathSyntaxError,
        PermanentDeliveryError,
        PublisherURLError,
        RetryableDeliveryError,
        SettingsError,
    )
    from eventdefs.metering import Ledger, LedgerSettings, open_ledger
    from eventdefs.pipeline import Pipeline, PipelineFile, Sink, load_pipeline, parse_pipeline
    from eventdefs.publishers import Publisher, open_publisher
    from eventdefs.types import (
        Batch,
        Closure,
        Conversion,
        Delivered,
        Event,
        Gap,
        Notification,
        Period,
        Place,
        Problem,
        Refusal,
        Refused,
        Sample,
        TraitType,
        Usage,
    )

__version__ = "0.1.0"

_HOMES = {
    "eventdefs.bus": ("EventBus", "Subscription"),
    "eventdefs.decode": ("decode_notification", "decode_notifications"),
    "eventdefs.definitions": ("Definitions", "Options", "load_definitions", "parse_definitions"),
    "eventdefs.encode": ("encode_event",),
    "eventdefs.errors": (
        "AccessDeniedError",
        "DecodeError",
        "DefinitionErrors",
        "DeliveryError",
        "EventdefsError",
        "Finding",
        "InputError",
        "LedgerError",
        "PartialDeliveryError",
        "PathEvaluationError",
        "PathSyntaxError",
        "PermanentDeliveryError",
        "PublisherURLError",
        "RetryableDeliveryError",
        "SettingsError",
    ),
    "eventdefs.metering": ("Ledger", "LedgerSettings", "open_ledger"),
    "eventdefs.delivery": ("Delivery", "open_delivery"),
    "eventdefs.pipeline": ("Pipeline", "PipelineFile", "Sink", "load_pipeline", "parse_pipeline"),
    "eventdefs.publishers": ("Publisher", "open_publisher"),
    "eventdefs.types": (
        "Batch",
        "Closure",
        "Conversion",
        "Delivered",
        "Event",
        "Gap",
        "Notification",
        "Period",
        "Place",
        "Problem",
        "Refusal",
        "Refused",
        "Sample",
        "TraitType",
        "Usage",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AccessDeniedError",
    "Batch",
    "Closure",
    "Conversion",
    "DecodeError",
    "DefinitionErrors",
    "Definitions",
    "Delivered",
    "Delivery",
    "DeliveryError",
    "Event",
    "EventBus",
    "EventdefsError",
    "Finding",
    "Gap",
    "InputError",
    "Ledger",
    "LedgerError",
    "LedgerSettings",
    "Notification",
    "Options",
    "PartialDeliveryError",
    "PathEvaluationError",
    "PathSyntaxError",
    "Period",
    "PermanentDeliveryError",
    "Pipeline",
    "PipelineFile",
    "Place",
    "Problem",
    "Publisher",
    "PublisherURLError",
    "Refusal",
    "Refused",
    "RetryableDeliveryError",
    "Sample",
    "SettingsError",
    "Sink",
    "Subscription",
    "TraitType",
    "Usage",
    "decode_notification",
    "decode_notifications",
    "encode_event",
    "load_definitions",
    "load_pipeline",
    "open_delivery",
    "open_ledger",
    "open_publisher",
    "parse_definitions",
    "parse_pipeline",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
