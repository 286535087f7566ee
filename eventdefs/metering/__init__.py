"""Usage over time: claims that something ran, repeated and overlapping, become hours that can be billed.

`claims` and `hours` are the arithmetic and `records` what comes out: pure, no clock, no store. `ledger` decides when an
hour is final and what is recorded; `memory` and `sql` keep what it must remember. `reports` asks questions of what was
recorded.
"""

from __future__ import annotations

from typing import Any

from eventdefs.metering.ledger import Ledger, LedgerSettings


def open_ledger(url: str, settings: LedgerSettings | None = None, *, definitions: str = "", **more: Any) -> Ledger:
    """Open the ledger that *url* names: ``sqlite:///ledger.db``, ``postgresql://...``, ``mysql://...``, ``memory://``.

    Raises:
        LedgerError: the URL names no ledger, or one that cannot be used.
    """
    if url == "memory://":
        return Ledger(None, settings, definitions=definitions, **more)
    from eventdefs.metering.sql import SQLStore  # SQLAlchemy takes 0.2 s, and only ledgers need it

    return Ledger(SQLStore(url), settings, definitions=definitions, **more)


__all__ = ["Ledger", "LedgerSettings", "open_ledger"]
