"""Signatures by the scheme of Standard Webhooks: who receives a post can tell that we sent it, and when.

Nothing in this module reads a clock.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from hashlib import sha256

from eventdefs.encode import write_json
from eventdefs.types import Item, identity_of

_PREFIX = "whsec_"


def split_secrets(text: str) -> list[str]:
    """Return the secrets in *text*, which commas or line ends part, without what all of them begin with."""
    # In the query of a URL a plus is a blank, and base64 has no blanks.
    parts = (one.strip().removeprefix(_PREFIX).replace(" ", "+") for one in text.replace("\n", ",").split(","))
    return [one for one in parts if one]


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Return the keys of *text*, which is secrets as ``whsec_MfKQ9r8GKYqr``, parted by commas or line ends.

    Raises:
        ValueError: one is not base64, or there is none. What it is, is not said.
    """
    keys = []
    for number, one in enumerate(split_secrets(text), 1):
        try:
            keys.append(base64.b64decode(one + "=" * (-len(one) % 4), validate=True))
        except (binascii.Error, ValueError):
            raise ValueError(f"secret {number} is not base64, as whsec_MfKQ9r8GKYqrTwjU is") from None
    if not keys:
        raise ValueError("there is no secret, as whsec_MfKQ9r8GKYqrTwjU is one")
    return tuple(keys)


def id_of(items: Iterable[Item], body: bytes | None) -> str:
    """Return the id of a post of *items*: the same however often they are posted together.

    Whoever receives it may pass over an id that is known. So *body* is given where new values take the place of known
    ones: it makes another id.
    """
    digest = sha256(write_json([identity_of(item) for item in items]))
    if body is not None:
        digest.update(body)
    return f"msg_{digest.hexdigest()[:40]}"


def signature(keys: Iterable[bytes], id: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign *body*, which is posted at *seconds* since 1970, with each of *keys*."""
    content = f"{id}.{seconds}.".encode() + body
    signed = [base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{one}" for one in signed),
    }
