"""What is asked of a cluster, whichever client library asks, and what its answers and silences mean."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from http.client import RemoteDisconnected
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from eventdefs.encode import one_line
from eventdefs.errors import AccessDeniedError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers import PublisherURL
from eventdefs.types import REASON, excerpt

PORT = 9200
T = TypeVar("T")


class Answer(NamedTuple):
    """What a server said: the HTTP status, and the body as JSON, or as text where it is none."""

    status: int
    body: Any


class Cluster(Protocol):
    """Servers that hold one set of indices.

    Attributes:
        name: as it may be shown.
        flat: the type of field that takes an object of any shape.
    """

    name: str
    flat: Mapping[str, Any]

    def ask(self, method: str, path: str, body: bytes | None = None, *, lines: bool = False) -> Answer:
        """Ask one of the servers, and return what it said, whatever it was.

        *body* is JSON, or *lines* of JSON. A server that cannot be reached is left for the next one.

        Raises:
            RetryableDeliveryError: none of them answers.
        """

    def close(self) -> None: ...


class Address(NamedTuple):
    """What stands in the URL before the options.

    Attributes:
        hosts: host and port of each server.
        path: what follows, without slashes around it.
    """

    hosts: list[tuple[str, int]]
    user: str
    password: str
    path: str

    def __repr__(self) -> str:
        return f"Address({self.hosts}, {self.path!r})"


def address_of(url: PublisherURL) -> Address:
    """Return the parts of *url*.

    Raises:
        PublisherURLError: a host or port is missing or none.
    """
    login, _, target = url.target.rpartition("@")
    user, _, password = login.partition(":")
    places, _, path = target.partition("/")
    hosts = []
    for place in places.split(","):
        try:
            parts = urlsplit(f"//{place}")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise PublisherURLError(f"{url.text}: {error}") from None
        if not host:
            raise PublisherURLError(f"{url.text} names no host, as {url.scheme}://localhost:{PORT} does")
        hosts.append((host, PORT if port is None else port))
    return Address(hosts, unquote(user), unquote(password), unquote(path).strip("/"))


def failure_of(name: str, answer: Answer, what: str) -> RetryableDeliveryError:
    """Return the error that *answer* is to a request in which no item was; *what* says what it was for."""
    kind = AccessDeniedError if answer.status in (401, 403) else RetryableDeliveryError
    return kind(f"{name}: {what}: {answer.status} {reason_of(answer.body)}")


def read_body(name: str, answer: Answer, kind: type[T], what: str) -> T:
    """Return the body of *answer* as a *kind*: what stands before a server may answer with anything.

    Raises:
        RetryableDeliveryError: it is none; *what* says what was asked.
    """
    try:
        return msgspec.convert(answer.body, kind)
    except msgspec.ValidationError:
        said = excerpt(one_line(answer.body if isinstance(answer.body, str) else repr(answer.body)), REASON)
        raise RetryableDeliveryError(
            f"{name}: {what}: {answer.status}, and not what a search server says: {said or 'nothing'}"
        ) from None


def reason_of(body: Any) -> str:
    """Return in one line why *body*, an error of the server, was answered."""
    error = body.get("error", body) if isinstance(body, dict) else body
    parts: list[str] = []
    while isinstance(error, dict):
        parts += [str(error[key]) for key in ("type", "reason") if error.get(key) and str(error[key]) not in parts]
        error = error.get("caused_by")
    if error:
        parts.append(str(error))
    return excerpt(one_line(": ".join(parts)), REASON)


def type_of_error(body: Any) -> str:
    """Return the server's word for the error *body*, '' where it has none."""
    error = body.get("error", body) if isinstance(body, dict) else None
    return str(error.get("type", "")) if isinstance(error, dict) else ""


def is_full(body: Any) -> bool:
    """Tell whether the error *body* says that the cluster takes no more shards."""
    return type_of_error(body) == "validation_exception" and "maximum" in (text := reason_of(body)) and "shards" in text


def silence(name: str, error: BaseException, timeout: float, tls: bool) -> RetryableDeliveryError:
    """Return the error that a server is which did not answer; *error* is what the client library raised.

    It was asked with *tls* or without, and had *timeout* seconds.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RetryableDeliveryError(f"{name}: its certificate is not accepted: {cause.verify_message}")
        if type(cause).__name__ == "CertificateError":  # urllib3's, of a certificate for another host
            return RetryableDeliveryError(f"{name}: its certificate is not accepted: {one_line(str(cause))}")
        if isinstance(cause, socket.gaierror):
            return RetryableDeliveryError(f"{name}: the name cannot be resolved: {cause.strerror}")
        if isinstance(cause, ConnectionRefusedError):
            return RetryableDeliveryError(f"{name}: refused, nobody listens there")
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return RetryableDeliveryError(f"{name}: TLS fails: {cause.reason or cause}")
        if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
            return RetryableDeliveryError(f"{name}: no answer within {timeout:g} s")
        if isinstance(cause, RemoteDisconnected):
            hint = "" if tls else " (where TLS is spoken, tls=true is needed)"
            return RetryableDeliveryError(f"{name}: the connection was closed without an answer{hint}")
    last = causes[-1]
    return RetryableDeliveryError(f"{name}: {excerpt(one_line(str(last) or type(last).__name__), REASON)}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it was made of; libraries keep that in several ways."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            kept = (one.__cause__, one.__context__, getattr(one, "reason", None), getattr(one, "info", None))
            several = getattr(one, "errors", ())
            candidates = [*kept, *one.args, *(several if isinstance(several, (list, tuple)) else ())]
            waiting += [candidate for candidate in candidates if isinstance(candidate, BaseException)]
