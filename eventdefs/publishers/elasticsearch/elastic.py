"""`elasticsearch://`, by Elastic's own client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from eventdefs.errors import PublisherURLError, RetryableDeliveryError
from eventdefs.publishers import PublisherURL
from eventdefs.publishers.elasticsearch.cluster import Address, Answer, address_of, silence
from eventdefs.publishers.elasticsearch.publisher import BulkPublisher, IndexOptions, tls_context, utc_now

try:
    from elastic_transport import TransportError
    from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError
except ImportError as error:
    raise PublisherURLError("elasticsearch:// needs a client: pip install eventdefs[elasticsearch]") from error


class ElasticsearchOptions(IndexOptions, frozen=True):
    """Options of `elasticsearch://`: those of `opensearch://`, and one more.

    Attributes:
        api_key: lets us in instead of user and password; as Elasticsearch gives it, encoded.
    """

    api_key: str = ""


class ElasticsearchPublisher(BulkPublisher):
    """Stores in Elasticsearch 8 or 9: ``elasticsearch://user:password@host:9200/events``."""

    Options: ClassVar[type[msgspec.Struct]] = ElasticsearchOptions

    def __init__(
        self, url: PublisherURL, options: ElasticsearchOptions, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        address = address_of(url)
        if options.api_key and address.user:
            raise PublisherURLError(f"{url.text}: a user and api_key, where one of them is needed")
        super().__init__(ElasticsearchCluster(url, address, options), address.path, options, clock)


def _tls(options: ElasticsearchOptions) -> dict[str, Any]:
    """Return what the client is told of TLS: of a context it would not take that nothing is verified."""
    return {
        "verify_certs": options.verify,
        "ssl_show_warn": False,
        "ca_certs": options.ca_file or None,
        "client_cert": options.cert_file or None,
        "client_key": options.key_file or None,
    }


class ElasticsearchCluster:
    """A `Cluster` of Elasticsearch."""

    def __init__(self, url: PublisherURL, address: Address, options: ElasticsearchOptions) -> None:
        self.name = url.text
        # ignore_above counts characters; key and value together have 32,766 bytes in the index.
        self.flat: Mapping[str, Any] = {"type": "flattened", "depth_limit": 250, "ignore_above": 1024}
        self._timeout = options.timeout
        self._tls = options.tls
        settings: dict[str, Any] = _tls(options) if tls_context(url, options) is not None else {}
        if options.api_key:
            settings["api_key"] = options.api_key
        elif address.user:
            settings["basic_auth"] = (address.user, address.password)
        scheme = "https" if options.tls else "http"
        # What waits and asks again stands around us. Only a server that is not there is left for the next one.
        self._client = Elasticsearch(
            [{"scheme": scheme, "host": host, "port": port} for host, port in address.hosts],
            request_timeout=options.timeout,
            http_compress=options.compression,
            max_retries=len(address.hosts) - 1,
            retry_on_timeout=False,
            retry_on_status=(),
            **settings,
        )

    def ask(self, method: str, path: str, body: bytes | None = None, *, lines: bool = False) -> Answer:
        headers = {"accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/x-ndjson" if lines else "application/json"
        try:
            answer = self._client.perform_request(method, path, headers=headers, body=body)
        except UnsupportedProductError as error:
            raise RetryableDeliveryError(
                f"{self.name}: this is no Elasticsearch; OpenSearch is reached by opensearch://"
            ) from error
        except ApiError as error:
            return Answer(error.status_code, error.body)
        except (TransportError, RecursionError) as error:  # the second is of JSON that is nested without end
            raise silence(self.name, error, self._timeout, self._tls) from error
        return Answer(answer.meta.status, answer.body)

    def close(self) -> None:
        self._client.close()
