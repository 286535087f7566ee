"""Which tenants have indices of their own: those that are listed, and the first so many that came.

Who came first is kept in the cluster, as documents 1, 2, 3 and so on of a small index. A document is only ever created,
and only behind the one before it. All processes therefore agree, and what was decided once stays so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from eventdefs.encode import write_json
from eventdefs.errors import RetryableDeliveryError
from eventdefs.publishers.elasticsearch.cluster import Answer, Cluster, failure_of, read_body, type_of_error

_ASKED = "who has indices of his own"


class _Place(msgspec.Struct):
    tenant: str


class _Found(msgspec.Struct):
    found: bool = False
    error: Any = None
    place: _Place | None = msgspec.field(default=None, name="_source")


class _Places(msgspec.Struct):
    docs: list[_Found]


class _Taken(msgspec.Struct):
    result: str


class OwnIndices:
    """Tells which tenants have indices of their own. Tenants are given as codes, see `naming.code_of`."""

    def __init__(self, cluster: Cluster, index: str, listed: Iterable[str], most: int, replicas: int) -> None:
        """Keep in *index* the first *most* that come besides those *listed*; for 0 no index is needed."""
        self._cluster = cluster
        self._index = index
        self._listed = frozenset(listed)
        self._most = most
        self._replicas = replicas
        self._first: set[str] = set()

    def has(self, code: str) -> bool:
        """Tell whether the tenant *code* has indices of its own; it may become one of the first by that.

        Raises:
            RetryableDeliveryError: the cluster does not say.
        """
        if code in self._listed or code in self._first:
            return True
        asked = 0
        while len(self._first) < self._most:
            self._first = self._read()
            if code in self._first:
                return True
            place = len(self._first) + 1
            if place == asked:  # it was taken, and nobody has it: one before it is missing
                name = self._cluster.name
                raise RetryableDeliveryError(f"{name}: {_ASKED}: of {self._index} a document before {place} is missing")
            if place <= self._most and self._take(place, code):
                self._first.add(code)
                return True
            asked = place
        return False

    def _read(self) -> set[str]:
        numbers = write_json({"ids": [str(number) for number in range(1, self._most + 1)]})
        found = self._found(answer := self._cluster.ask("POST", f"/{self._index}/_mget", numbers))
        if answer.status == 404 or any(one.error is not None for one in found[:1]):
            self._make()
            found = self._found(answer := self._cluster.ask("POST", f"/{self._index}/_mget", numbers))
        if answer.status != 200:
            raise failure_of(self._cluster.name, answer, _ASKED)
        if failed := next((one for one in found if one.error is not None), None):
            raise failure_of(self._cluster.name, Answer(503, {"error": failed.error}), _ASKED)
        return {one.place.tenant for one in found if one.found and one.place is not None}

    def _found(self, answer: Answer) -> list[_Found]:
        """Return what *answer* says of each place, nothing where it is a failure."""
        return read_body(self._cluster.name, answer, _Places, _ASKED).docs if answer.status == 200 else []

    def _take(self, number: int, code: str) -> bool:
        """Take the place *number* for *code*, unless somebody has it."""
        answer = self._cluster.ask("PUT", f"/{self._index}/_create/{number}", write_json({"tenant": code}))
        if answer.status not in (200, 201, 409):
            raise failure_of(self._cluster.name, answer, _ASKED)
        return answer.status != 409 and read_body(self._cluster.name, answer, _Taken, _ASKED).result == "created"

    def _make(self) -> None:
        settings = {"number_of_shards": 1, "number_of_replicas": self._replicas}
        fields = {"dynamic": False, "properties": {"tenant": {"type": "keyword"}}}
        body = write_json({"settings": settings, "mappings": fields})
        answer = self._cluster.ask("PUT", f"/{self._index}", body)
        if answer.status != 200 and type_of_error(answer.body) != "resource_already_exists_exception":
            raise failure_of(self._cluster.name, answer, _ASKED)
