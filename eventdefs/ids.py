"""Ids of what is derived: the same for the same, in any process, so that whoever stores it can tell a repetition."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID

from eventdefs.encode import write_json

_NAMESPACE = UUID("5b0c6f0e-52f4-4c8e-9d0a-6f2f8f3b7a11").bytes
"""Of all of them. It is never changed: ids would change with it."""


def derived_id(*parts: object) -> str:
    """Return the uuid5 of what something was derived from and what it is: always the same for the same."""
    digest = bytearray(sha1(_NAMESPACE + write_json(parts)).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
