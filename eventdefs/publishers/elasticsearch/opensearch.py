"""`opensearch://`, by OpenSearch's own client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from eventdefs.errors import PublisherURLError
from eventdefs.publishers import PublisherURL
from eventdefs.publishers.elasticsearch.cluster import Address, Answer, address_of, silence
from eventdefs.publishers.elasticsearch.publisher import BulkPublisher, IndexOptions, tls_context, utc_now

try:
    from opensearchpy import OpenSearch
    from opensearchpy import exceptions as theirs
except ImportError as error:
    raise PublisherURLError("opensearch:// needs a client: pip install eventdefs[opensearch]") from error

_EXPECTED = (400, 404)
"""Answers that the client need not warn of: we ask whether something is there. Their bodies say the status."""


class OpenSearchPublisher(BulkPublisher):
    """Stores in OpenSearch: ``opensearch://user:password@host:9200/events``."""

    Options: ClassVar[type[msgspec.Struct]] = IndexOptions

    def __init__(self, url: PublisherURL, options: IndexOptions, *, clock: Callable[[], datetime] = utc_now) -> None:
        address = address_of(url)
        super().__init__(OpenSearchCluster(url, address, options), address.path, options, clock)


class OpenSearchCluster:
    """A `Cluster` of OpenSearch."""

    def __init__(self, url: PublisherURL, address: Address, options: IndexOptions) -> None:
        self.name = url.text
        self.flat: Mapping[str, Any] = {"type": "flat_object"}
        self._timeout = options.timeout
        self._tls = options.tls
        context = tls_context(url, options)
        settings: dict[str, Any] = {} if context is None else {"ssl_context": context}
        if address.user:
            settings["http_auth"] = (address.user, address.password)
        # What waits and asks again stands around us. Only a server that is not there is left for the next one.
        self._client = OpenSearch(
            [{"host": host, "port": port} for host, port in address.hosts],
            use_ssl=options.tls,
            timeout=options.timeout,
            http_compress=options.compression,
            max_retries=len(address.hosts) - 1,
            retry_on_timeout=False,
            retry_on_status=(),
            **settings,
        )

    def ask(self, method: str, path: str, body: bytes | None = None, *, lines: bool = False) -> Answer:
        headers = {"content-type": "application/x-ndjson" if lines else "application/json"}
        try:
            found = self._client.transport.perform_request(method, path, body=body, headers=headers, ignore=_EXPECTED)
        except theirs.ConnectionError as error:
            raise silence(self.name, error, self._timeout, self._tls) from error
        except theirs.TransportError as error:
            return Answer(int(error.status_code), error.info)
        except (theirs.SerializationError, RecursionError) as error:  # the second is of JSON nested without end
            return Answer(502, f"no JSON: {error}")
        if isinstance(found, dict) and "error" in found:
            status = found.get("status")
            return Answer(status if isinstance(status, int) else 400, found)
        return Answer(200, found)

    def close(self) -> None:
        self._client.close()
