"""What applies to all definitions of a set. The names are Ceilometer's where it has the setting."""

from __future__ import annotations

import msgspec


class Options(msgspec.Struct, frozen=True):
    """Settings of a set of definitions.

    Attributes:
        drop_unmatched_notifications: give no event where no definition applies, instead of one with the default traits.
        store_raw: priorities whose raw body is kept on the event; letter case does not matter.
        event_priorities, sample_priorities: priorities for which events and samples are made.
        reserved_metadata_namespace: prefixes of `user_metadata` keys that are kept, without the prefix.
        reserved_metadata_length: how much of such a text is kept.
        reserved_metadata_keys: further keys that are kept.
    """

    drop_unmatched_notifications: bool = False
    store_raw: tuple[str, ...] = ()
    event_priorities: tuple[str, ...] = ("info", "error")
    sample_priorities: tuple[str, ...] = ("info", "sample")
    reserved_metadata_namespace: tuple[str, ...] = ("metering.",)
    reserved_metadata_length: int = 256
    reserved_metadata_keys: tuple[str, ...] = ()


def lowered(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word.lower() for word in words)
