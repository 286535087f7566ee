"""`http://` and `https://` against a real server in this process: what is sent, and what each answer comes to."""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
import ssl
import struct
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from eventdefs import PublisherURLError, open_publisher
from eventdefs.decode import decode_item
from eventdefs.errors import (
    AccessDeniedError,
    DeliveryError,
    PartialDeliveryError,
    PermanentDeliveryError,
    RetryableDeliveryError,
)
from eventdefs.publishers import Publisher
from eventdefs.publishers.http.answers import Already, Answer, parse_already, values_at, wait_of
from eventdefs.publishers.http.publisher import READ, READ_ITEM
from eventdefs.publishers.http.signing import id_of, read_secrets, signature
from eventdefs.testing import PublisherContract, Target, an_event, escaped, free_port
from eventdefs.types import Batch, Delivered, Item, identity_of
from tests.making import SENT, event, period, sample, usage


class Reply(NamedTuple):
    """What the server answers."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Request(NamedTuple):
    """What the server was sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Act = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        self.server.requests.append(request)
        answer = self.server.answer(request)
        if isinstance(answer, Reply):
            self.reply(answer)
        else:
            answer(self)

    do_POST = do_PUT = do_OPTIONS = do_GET = do_CONNECT = _serve  # noqa: N815

    def reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server that keeps what it is sent, and answers what it is told to; 200 when it is told nothing.

    Attributes:
        requests: what it was sent.
        replies: what it answers, one after the other; then `always`.
        connections: how many were opened.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.replies: list[Reply | Act] = []
        self.always: Callable[[Request], Reply] = lambda request: Reply()
        self.connections = 0
        self.released = threading.Event()
        self._context = context
        self._open: list[socket.socket] = []
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def answer(self, request: Request) -> Reply | Act:
        return self.replies.pop(0) if self.replies else self.always(request)

    def get_request(self) -> tuple[Any, Any]:
        accepted, address = super().get_request()
        self.connections += 1
        if self._context is not None:
            accepted = self._context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        self._open.append(accepted)
        return accepted, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are what is tested."""

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests if request.method == "POST"]

    def end_connections(self) -> None:
        """Close what was kept open."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def stop(self) -> None:
        self.released.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
        self.end_connections()

    def url(self, path: str = "/events", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_port}{path}"


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(context=context)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def opened() -> Iterator[Callable[[str], Any]]:
    """Opens publishers, which are closed at the end."""
    publishers: list[Publisher] = []

    def opening(url: str) -> Publisher:
        publishers.append(open_publisher(url))
        return publishers[-1]

    yield opening
    for one in publishers:
        one.close()


Opening = Callable[[str], Any]
TWO = Batch([event("m-1"), event("m-2")])


class TestHTTP(PublisherContract):
    """`http://`, to a server that keeps all it is sent and refuses what it is told to."""

    @pytest.fixture
    def target(self) -> Iterator[Target]:
        servers = [Server()]
        port = servers[0].server_port
        kept: list[bytes] = []

        def answer(request: Request) -> Reply:
            if request.method == "POST" and b'"message_id":"refused"' in request.body:
                return Reply(422, {}, b"not this one")
            kept.append(request.body)
            return Reply()

        def received() -> Iterator[Item]:
            for body in filter(None, kept):
                yield from (decode_item(bytes(one)) for one in msgspec.json.decode(body, type=list[msgspec.Raw]))

        servers[0].always = answer

        def start() -> None:
            servers.append(Server(port))
            servers[-1].always = answer

        yield Target(
            f"http://127.0.0.1:{port}/events",
            received,
            once=False,
            replaces=False,
            counts_duplicates=False,
            refused=an_event("refused"),
            stop=servers[0].stop,
            start=start,
            away=f"http://127.0.0.1:{free_port()}/events",
            secret=f"http://user:s3cr3t@127.0.0.1:{free_port()}/?query.key=s3cr3t&header.X-Key=s3cr3t&secret=s3cr3t0=",
        )
        servers[-1].stop()


# --- what is sent ----------------------------------------------------------------------------------------------------

CEILOMETERS_SAMPLE = {
    "id": "s-1",
    "name": "volume.size",
    "type": "gauge",
    "unit": "GiB",
    "volume": 4,
    "user_id": "u-1",
    "user_name": None,
    "project_id": "p-1",
    "project_name": None,
    "resource_id": "v-1",
    "timestamp": "2026-08-01T01:02:03+00:00",
    "resource_metadata": {"status": "available"},
    "source": "openstack",
    "monotonic_time": None,
}
CEILOMETERS_EVENTS: list[dict[str, Any]] = [
    {
        "message_id": "m-1",
        "event_type": "volume.create.end",
        "generated": "2026-08-01T01:02:03",
        "traits": [["size", 2, 4], ["name", 1, "é"], ["ratio", 3, 0.5], ["at", 4, "2026-08-01T12:00:00"]],
        "raw": {"payload": {"a": 1}},
    },
    {
        "message_id": "m-2",
        "event_type": "volume.create.end",
        "generated": "2026-08-01T01:02:03",
        "traits": [],
        "raw": {},
    },
]
"""What the http publisher of Ceilometer 27.0.0 posted, of a sample and of two events of these values."""
CEILOMETERS_POSTS = {
    "": [CEILOMETERS_EVENTS, [CEILOMETERS_SAMPLE]],
    "&batch=False": [*CEILOMETERS_EVENTS, CEILOMETERS_SAMPLE],
    "&raw_only=True": [[{"a": 1}], [CEILOMETERS_SAMPLE]],
}


@pytest.mark.parametrize(("options", "expected"), CEILOMETERS_POSTS.items(), ids=CEILOMETERS_POSTS)
def test_bodies_are_ceilometers(options: str, expected: list[Any], server: Server, opened: Opening) -> None:
    """What was written to receive from Ceilometer receives from us: the same posts, to the same URL."""
    first = event("m-1", size=4, name="é", ratio=0.5, at=datetime(2026, 8, 1, 12, tzinfo=UTC))
    events = [msgspec.structs.replace(first, raw={"payload": {"a": 1}}), event("m-2")]
    publisher = opened(f"{server.url('/a%20b')}?format=ceilometer&query.q=foo%26b&query.x=1{options}")
    publisher.publish(Batch(events, [sample()], [period()], [usage()]))
    assert [json.loads(body) for body in server.bodies] == expected
    assert {request.path for request in server.requests} == {"/a%20b?q=foo%26b&x=1"}
    assert {request.headers["content-type"] for request in server.requests} == {"application/json"}


ITEMS = Batch([event("m-1"), event("m-2")], [sample()], [period()], [usage()])
POSTS = {
    "native": [("application/json", ["m-1", "m-2", "s-1", "c-1", "u-1"])],
    "native&batch=false": [("application/json", [one]) for one in ("m-1", "m-2", "s-1", "c-1", "u-1")],
    "cloudevents": [("application/cloudevents-batch+json", ["m-1", "m-2", "s-1", "c-1", "u-1"])],
    "cloudevents&batch=false": [("application/cloudevents+json", [one]) for one in ("m-1", "m-2", "s-1", "c-1", "u-1")],
}


@pytest.mark.parametrize(("form", "expected"), POSTS.items(), ids=POSTS)
def test_posts_of_a_form(form: str, expected: list[tuple[str, list[str]]], server: Server, opened: Opening) -> None:
    """Many items go in one body or each in its own, with the content type of the form, in their order."""
    assert opened(f"{server.url()}?format={form}").publish(ITEMS) == Delivered(5)
    posts = []
    for request in server.requests:
        read = json.loads(request.body)
        documents = read if isinstance(read, list) else [read]
        ids = [one["message_id"] if one.get("kind") == "event" else one["id"] for one in documents]
        posts.append((request.headers["content-type"], ids))
    assert posts == expected
    assert {(one.method, one.headers["accept"], one.headers["user-agent"]) for one in server.requests} == {
        ("POST", "application/json", "eventdefs")
    }


@pytest.mark.parametrize("batch", ["true", "false"])
def test_posts_for_monasca(batch: str, server: Server, opened: Opening) -> None:
    """Events go in Monasca's envelope, be it one of them or many, and metrics in a body of their own."""
    opened(f"{server.url()}?format=monasca&batch={batch}").publish(Batch([event("m-1"), event("m-2")], [sample()]))
    *events, metrics = [json.loads(body) for body in server.bodies]
    assert [len(body["events"]) for body in events] == ([2] if batch == "true" else [1, 1])
    assert [metric["name"] for metric in metrics] == ["volume.size"]


def test_what_a_form_lacks_is_not_sent(server: Server, opened: Opening) -> None:
    """Where nothing is left of a batch, nothing is posted; that is no error."""
    publisher = opened(f"{server.url()}?format=ceilometer&raw_only=true")
    assert publisher.publish(Batch([event("m-1")], (), [period()], [usage()])) == Delivered(0)
    assert server.requests == []


@pytest.mark.parametrize("batch", ["true", "false"])
def test_an_item_that_is_no_json(batch: str, server: Server, opened: Opening) -> None:
    """What cannot be written never will be, and nothing of its batch is posted before it is found."""
    odd = Batch([event("m-1"), event("m-2", number=10**5000), event("m-3")])
    with pytest.raises(PermanentDeliveryError, match="cannot be written as JSON"):
        opened(f"{server.url()}?batch={batch}").publish(odd)
    assert server.bodies == []


def test_gzip(server: Server, opened: Opening) -> None:
    """A body is packed, says so, and is the same body."""
    url = server.url()
    opened(url).publish(TWO)
    opened(f"{url}?gzip=true").publish(TWO)
    plain, packed = server.requests
    assert (gzip.decompress(packed.body), packed.headers["content-encoding"]) == (plain.body, "gzip")
    assert "content-encoding" not in plain.headers


def test_headers(server: Server, opened: Opening) -> None:
    """Headers are sent as they are written, instead of ours where they have the name of one."""
    opened(f"{server.url()}?header.X-Scope=a%20b&header.content-type=text/plain").publish(TWO)
    (request,) = server.requests
    assert (request.headers["x-scope"], request.headers["content-type"]) == ("a b", "text/plain")


def test_one_connection_is_kept(server: Server, opened: Opening) -> None:
    """Posts follow one another on one connection."""
    publisher = opened(f"{server.url()}?batch=false")
    for _ in range(5):
        publisher.publish(TWO)
    assert (len(server.requests), server.connections) == (10, 1)


def test_an_ipv6_target() -> None:
    """A host may be an address in brackets."""

    class V6(Server):
        address_family = socket.AF_INET6

    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener, pytest.raises(RetryableDeliveryError, match=r"^http://\[::1\]:\d+/x: no answer within 0.2 s$"):
        open_publisher(f"http://[::1]:{listener.getsockname()[1]}/x?timeout=0.2").publish(TWO)


# --- what an answer comes to -----------------------------------------------------------------------------------------

Expected = tuple[type[DeliveryError], float | None, str] | None
STATUSES: dict[str, tuple[Reply, Expected]] = {
    "200": (Reply(200), None),
    "201": (Reply(201, {}, b"made"), None),
    "202": (Reply(202), None),
    "204": (Reply(204), None),
    "300": (Reply(300), (RetryableDeliveryError, None, "300 Multiple Choices")),
    "302": (
        Reply(302, {"Location": "https://u:p@login.example/sso?token=t"}),
        (RetryableDeliveryError, None, "302 Found and points to https://login.example/sso, which is not followed"),
    ),
    "400": (Reply(400, {}, b"bad\n thing\x1b[31m"), (PermanentDeliveryError, None, "400 Bad Request: bad thing?[31m")),
    "401": (Reply(401), (AccessDeniedError, None, "401 Unauthorized")),
    "403": (Reply(403, {}, b"no"), (AccessDeniedError, None, "403 Forbidden: no")),
    "404": (Reply(404), (PermanentDeliveryError, None, "404 Not Found")),
    "407": (Reply(407), (AccessDeniedError, None, "407 Proxy Authentication Required")),
    "408": (Reply(408), (RetryableDeliveryError, None, "408 Request Timeout")),
    "409": (Reply(409), (PermanentDeliveryError, None, "409 Conflict")),
    "413": (Reply(413), (PermanentDeliveryError, None, "413 Request Entity Too Large")),
    "415": (Reply(415), (PermanentDeliveryError, None, "415 Unsupported Media Type")),
    "422": (Reply(422, {}, b"x" * 500), (PermanentDeliveryError, None, f"422 Unprocessable Entity: {'x' * 199}…")),
    "425": (Reply(425), (RetryableDeliveryError, None, "425 Too Early")),
    "429": (Reply(429, {"Retry-After": "7"}), (RetryableDeliveryError, 7.0, "429 Too Many Requests")),
    "499": (Reply(499), (PermanentDeliveryError, None, "499")),
    "500": (Reply(500, {}, b"\xff\xfe"), (RetryableDeliveryError, None, "500 Internal Server Error: ��")),
    "503": (Reply(503, {"Retry-After": "120"}), (RetryableDeliveryError, 120.0, "503 Service Unavailable")),
    "599": (Reply(599), (RetryableDeliveryError, None, "599")),
    "207": (
        Reply(207),
        (
            RetryableDeliveryError,
            None,
            "207 Multi-Status: say with items= or errors= where it speaks of each item",
        ),
    ),
}


@pytest.mark.parametrize(("reply", "expected"), STATUSES.values(), ids=STATUSES)
def test_an_answer_is_for_all(reply: Reply, expected: Expected, server: Server, opened: Opening) -> None:
    """By its status a batch was accepted, may be later, or never will be; the reason quotes the answer in one line."""
    server.replies = [reply]
    publisher = opened(server.url())
    if expected is None:
        assert publisher.publish(TWO) == Delivered(2)
        return
    with pytest.raises(DeliveryError) as caught:
        publisher.publish(TWO)
    kind, after, said = expected
    assert (type(caught.value), getattr(caught.value, "after", None)) == (kind, after)
    assert str(caught.value) == f"{server.url()} answers {said}"


NOW = datetime(2026, 8, 1, tzinfo=UTC)
WAITS = {
    "": None,
    "0": 0.0,
    "30": 30.0,
    "999999999": 3600.0,
    "9" * 400: None,
    "-5": None,
    "1.5": None,
    "soon": None,
    format_datetime(NOW + timedelta(seconds=90), usegmt=True): 90.0,
    format_datetime(NOW - timedelta(seconds=90), usegmt=True): 0.0,
    format_datetime(NOW + timedelta(days=90), usegmt=True): 3600.0,
    "Sat, 32 Aug 2026 00:00:00 GMT": None,
}


@pytest.mark.parametrize(("text", "seconds"), WAITS.items())
def test_how_long_a_target_asks_to_wait(text: str, seconds: float | None) -> None:
    """Seconds and dates are understood, up to an hour; what is neither is passed over."""
    assert wait_of(Answer(429, {"retry-after": text}, b"", True), NOW) == seconds


def test_a_date_to_wait_for_is_by_the_clock_of_the_target() -> None:
    """A target whose clock is wrong does not make us wait for hours."""
    behind = NOW - timedelta(hours=2)
    until = format_datetime(behind + timedelta(seconds=5), usegmt=True)
    headers = {"retry-after": until, "date": format_datetime(behind, usegmt=True)}
    assert wait_of(Answer(503, headers, b"", True), NOW) == 5.0


LAGO = b'{"error_details": {"transaction_id": ["value_already_exist"]}}'
RULE = "422:$.error_details.transaction_id.0=value_already_exist"
ALREADY: dict[str, tuple[str, Reply, bool]] = {
    "status": ("409", Reply(409), True),
    "another status": ("409", Reply(422, {}, LAGO), False),
    "status and value": (RULE, Reply(422, {}, LAGO), True),
    "any key": ("422:$.error_details.*.*=value_already_exist", Reply(422, {}, LAGO), True),
    "another value": (RULE.replace("already", "never"), Reply(422, {}, LAGO), False),
    "no such path": ("422:$.error_details.9.x=y", Reply(422, {}, LAGO), False),
    "no JSON": (RULE, Reply(422, {}, b"oh"), False),
    "the second rule": (f"409,{RULE}", Reply(422, {}, LAGO), True),
    "a number": ("400:code=17", Reply(400, {}, b'{"code": 17}'), True),
    "a truth value": ("400:known=true", Reply(400, {}, b'{"known": true}'), True),
    "a server error": ("500:$=known", Reply(500, {}, b'"known"'), True),
}


@pytest.mark.parametrize(("rules", "reply", "holds"), ALREADY.values(), ids=ALREADY)
def test_already_there_is_success(rules: str, reply: Reply, holds: bool, server: Server, opened: Opening) -> None:
    """What a target has already is delivered, and a duplicate, where a rule says how it says so."""
    server.replies = [reply]
    publisher = opened(f"{server.url()}?batch=false&already={escaped(rules)}")
    one = Batch([event("m-1")])
    if holds:
        assert publisher.publish(one) == Delivered(1, 1)
    else:
        with pytest.raises(PermanentDeliveryError):
            publisher.publish(one)


def test_already_there_of_many_does_not_lose_the_others() -> None:
    """An answer for a whole batch does not say which of it was there: the batch is halved until it is one."""
    with serving() as server:
        had = {"m-3"}

        def answer(request: Request) -> Reply:
            ids = {one["message_id"] for one in json.loads(request.body)}
            if ids & had:
                return Reply(409)
            had.update(ids)
            return Reply()

        server.always = answer
        events = [event(f"m-{number}") for number in range(8)]
        target = Target(f"{server.url()}?already=409", lambda: ())
        assert target.delivery("retry_for=20s", []).publish(Batch(events)) == Delivered(8, 1)
        assert had == {one.message_id for one in events}


def test_rules_are_read() -> None:
    """A rule is a status, and a value at a path where there is one."""
    assert parse_already("409, 422:$.a.0=b=c") == (Already(409), Already(422, ("a", "0"), "b=c"))
    assert list(values_at({"a": [{"b": 1}, {"b": 2}, 3]}, ("a", "*", "b"))) == [1, 2]


def test_more_statuses_that_pass(server: Server, opened: Opening) -> None:
    """Where a gateway says 404 while what is behind it restarts, that can be said."""
    server.replies = [Reply(404)]
    with pytest.raises(RetryableDeliveryError):
        opened(f"{server.url()}?retry_status=404,410").publish(TWO)


# --- item by item ----------------------------------------------------------------------------------------------------

THREE = Batch([event("m-1"), event("m-2"), event("m-3")])
EACH: dict[str, tuple[str, bytes, Any]] = {
    "statuses in order": ("items=$&", b"[200, 503, 422]", (1, 0, ["m-2"], ["m-3"], RetryableDeliveryError)),
    "entries in order": (
        "items=$.items&already=409&",
        b'{"items": [{"status": 201}, {"status": "409"}, {"status": 200}]}',
        Delivered(3, 1),
    ),
    "statuses deeper": (
        "items=$.items&item_status=*.status&already=409&",
        b'{"items": [{"create": {"status": 409}}, {"create": {"status": 429}}, {"create": {"status": 400}}]}',
        (1, 1, ["m-2"], ["m-3"], RetryableDeliveryError),
    ),
    "named": (
        "items=items&item_id=id&",
        b'{"items": [{"id": "m-3", "status": 400}, {"id": "m-1", "status": 200}, {"id": 1, "status": 200}]}',
        (2, 0, [], ["m-3"], None),
    ),
    "a mapping by id": (
        "items=$&",
        b'{"m-1": 200, "m-2": 401, "m-3": 503}',
        (1, 0, ["m-2", "m-3"], [], AccessDeniedError),
    ),
    "nothing of it": ("items=$&", b"[503, 503, 429]", RetryableDeliveryError),
    "errors by position": (
        "errors=$.errors&",
        b'{"errors": {"1": {"code": "bad"}}}',
        (2, 0, [], ["m-2"], None),
    ),
    "errors, one already there": (
        "errors=$.errors&already=400:$.transaction_id.0=value_already_exist&",
        b'{"errors": {"0": {"transaction_id": ["value_already_exist"]}, "2": {"code": ["missing"]}}}',
        (2, 1, [], ["m-3"], None),
    ),
    "errors with a status": (
        "errors=$.errors&item_id=n&",
        b'{"errors": [{"n": 2, "status": 503}, {"n": 0, "status": 400}]}',
        (1, 0, ["m-3"], ["m-1"], RetryableDeliveryError),
    ),
    "no errors": ("errors=$.errors&", b'{"errors": []}', Delivered(3)),
    "null errors": ("errors=$.errors&", b'{"errors": null}', Delivered(3)),
    "no word of errors": ("errors=$.errors&", b"", Delivered(3)),
    "too few": ("items=$&", b"[200, 200]", RetryableDeliveryError),
    "too many": ("items=$&", b"[200, 200, 200, 200]", RetryableDeliveryError),
    "of another": ("errors=$&", b'{"m-9": {}}', RetryableDeliveryError),
    "no list": ("items=$.items&", b'{"items": 3}', RetryableDeliveryError),
    "no JSON": ("items=$.items&", b"fine", RetryableDeliveryError),
    "no status": ("items=$&", b'[{"ok": true}, {"ok": true}, {"ok": true}]', RetryableDeliveryError),
    "errors without a name": ("errors=$&", b'[{"code": "bad"}]', RetryableDeliveryError),
    "a page instead of errors": ("errors=$.errors&", b"<html>welcome</html>", RetryableDeliveryError),
    "errors that break off": ("errors=$.errors&", b'{"errors": {"1": {"co', RetryableDeliveryError),
    "two words on one item": (
        "errors=$&item_id=id&",
        b'[{"id": "m-1", "status": 400}, {"id": "m-1", "status": 200}]',
        (2, 0, [], ["m-1"], None),
    ),
    "longer than is read": ("items=$&", b"[200, 200, 200]" + b" " * (READ + 4 * READ_ITEM), RetryableDeliveryError),
}


@pytest.mark.parametrize("status", [200, 207])
@pytest.mark.parametrize(("options", "body", "expected"), EACH.values(), ids=EACH)
def test_answers_item_by_item(
    options: str, body: bytes, expected: Any, status: int, server: Server, opened: Opening
) -> None:
    """Of each item it is read what became of it; where that cannot be read, nothing is taken for delivered."""
    server.replies = [Reply(status, {}, body)]
    publisher = opened(f"{server.url()}?{options}timeout=20")
    if isinstance(expected, Delivered):
        assert publisher.publish(THREE) == expected
        return
    if isinstance(expected, type):
        with pytest.raises(expected):
            publisher.publish(THREE)
        return
    with pytest.raises(PartialDeliveryError) as caught:
        publisher.publish(THREE)
    published, duplicates, again, refused, kind = expected
    error = caught.value
    assert error.delivered == Delivered(published, duplicates)
    assert [one.message_id for one in error.again.events] == again
    assert [(one.item.message_id, bool(one.reason)) for one in error.refused] == [(one, True) for one in refused]
    assert (None if error.error is None else type(error.error)) == kind


def test_items_with_one_id_are_told_apart(server: Server, opened: Opening) -> None:
    """Usage and its sample, and two tenants' events, may have one id: then they are not in one body."""
    batch = Batch([event("m-1"), event("m-1", "p-2"), event("m-2")], [sample("u-1")], (), [usage("u-1")])
    server.replies = [Reply(200, {}, b'{"errors": {"m-1": "bad"}}'), Reply()]
    with pytest.raises(PartialDeliveryError) as caught:
        opened(f"{server.url()}?errors=$.errors").publish(batch)
    assert [len(json.loads(body)) for body in server.bodies] == [3, 2]
    assert [identity_of(one.item) for one in caught.value.refused] == [("event", "p-1", "m-1")]
    assert caught.value.delivered == Delivered(4)


def test_a_mapping_by_id_names_every_item(server: Server, opened: Opening) -> None:
    """Two items of one id are posted apart, so that an answer by id has a word on each, and nothing waits for ever."""

    def by_id(request: Request) -> Reply:
        ids = [one.get("id") or one["message_id"] for one in json.loads(request.body)]
        return Reply(200, {}, json.dumps({"items": dict.fromkeys(ids, 200)}).encode())

    server.always = by_id
    batch = Batch([event("m-1"), event("m-1", "p-2")], [sample("u-1")], (), [usage("u-1")])
    assert opened(f"{server.url()}?items=$.items").publish(batch) == Delivered(4)
    assert [len(json.loads(body)) for body in server.bodies] == [2, 2]


@pytest.mark.parametrize("options", ["items=$", "errors=$", "items=$&item_id=item&item_status=code"])
def test_an_id_that_is_a_number_is_no_position(options: str, server: Server, opened: Opening) -> None:
    """Senders choose message_ids; none is read as the position of another item, which failed."""

    def second_fails(request: Request) -> Reply:
        items = json.loads(request.body)
        codes = {str(place): 400 if one["message_id"] == "m-2" else 200 for place, one in enumerate(items)}
        entries = [{"item": place, "code": code} for place, code in codes.items()]
        failures = {place: code for place, code in codes.items() if code == 400}
        answer = entries if "item_id" in options else failures if "errors" in options else codes
        return Reply(200, {}, json.dumps(answer).encode())

    server.always = second_fails
    with pytest.raises(PartialDeliveryError) as caught:
        opened(f"{server.url()}?{options}").publish(Batch([event("1"), event("m-2"), event("m-3")]))
    assert [one.item.message_id for one in caught.value.refused] == ["m-2"]
    assert caught.value.delivered == Delivered(2)


ONE_BY_ONE: dict[str, tuple[list[int], Any, int]] = {
    "all": ([200, 200, 200], Delivered(3), 3),
    "one refused": ([200, 422, 200], (2, [], ["m-2"]), 3),
    "one later": ([200, 503], (1, ["m-2", "m-3"], []), 2),
    "refused, then later": ([422, 429], (0, ["m-2", "m-3"], ["m-1"]), 2),
    "at once later": ([503], RetryableDeliveryError, 1),
    "denied in the middle": ([200, 401], (1, ["m-2", "m-3"], []), 2),
}


@pytest.mark.parametrize(("statuses", "expected", "posts"), ONE_BY_ONE.values(), ids=ONE_BY_ONE)
def test_one_post_an_item(statuses: list[int], expected: Any, posts: int, server: Server, opened: Opening) -> None:
    """One that is refused does not stop those behind it; one that has to wait does, so that none is overtaken."""
    server.replies = [Reply(status) for status in statuses]
    publisher = opened(f"{server.url()}?batch=false")
    if isinstance(expected, Delivered):
        assert publisher.publish(THREE) == expected
    elif isinstance(expected, type):
        with pytest.raises(expected):
            publisher.publish(THREE)
    else:
        with pytest.raises(PartialDeliveryError) as caught:
            publisher.publish(THREE)
        error = caught.value
        again, refused = [one.message_id for one in error.again.events], [one.item.message_id for one in error.refused]
        assert (error.delivered.published, again, refused) == expected
    assert len(server.bodies) == posts


def test_one_body_of_two_is_refused(server: Server, opened: Opening) -> None:
    """What was accepted is not posted again for the sake of what was not, and no neighbour is refused with it."""
    server.replies = [Reply(), Reply(400)]
    with pytest.raises(PartialDeliveryError) as caught:
        opened(f"{server.url()}?format=ceilometer").publish(Batch(TWO.events, [sample("s-1"), sample("s-2")]))
    error = caught.value
    assert (error.delivered, error.refused, [one.id for one in error.again.samples]) == (
        Delivered(2),
        (),
        ["s-1", "s-2"],
    )


# --- connections that fail -------------------------------------------------------------------------------------------


def hang(handler: Handler) -> None:
    """Answer nothing as long as the test lasts."""
    handler.server.released.wait()


def reset(handler: Handler) -> None:
    """End the connection the hard way, without an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()


def leave(handler: Handler) -> None:
    """End the connection without an answer."""
    handler.close_connection = True


def break_off(handler: Handler) -> None:
    """End the connection after the status, in the head."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    handler.close_connection = True


def babble(handler: Handler) -> None:
    """Answer something else than HTTP."""
    handler.wfile.write(b"220 mail.example ESMTP\r\n")
    handler.close_connection = True


def switch(handler: Handler) -> None:
    """Answer with what is no end of an answer."""
    handler.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    handler.close_connection = True


BROKEN: dict[str, tuple[Act, str, int]] = {
    "no answer in time": (hang, "no answer within 0.3 s", 1),
    "reset": (reset, "the connection broke: Connection reset by peer", 3),
    "closed": (leave, "the connection broke: it was closed without an answer", 3),
    "not HTTP": (babble, "the connection broke: the answer is no HTTP", 1),
    "another protocol": (switch, "answers 101 Switching Protocols", 1),
}


@pytest.mark.parametrize(("act", "said", "posts"), BROKEN.values(), ids=BROKEN)
def test_there_is_no_answer(act: Act, said: str, posts: int, server: Server, opened: Opening) -> None:
    """It is not known whether the target has it, so it may be posted again: at once where the connection broke."""
    server.replies = [act] * posts
    publisher = opened(f"{server.url()}?timeout=0.3")
    with pytest.raises(RetryableDeliveryError) as caught:
        publisher.publish(TWO)
    assert str(caught.value) in (f"{server.url()}: {said}", f"{server.url()} {said}")
    assert len(server.bodies) == posts
    assert publisher.publish(TWO) == Delivered(2)


@pytest.mark.parametrize(("retries", "posts"), [("0", 1), ("1", 2), ("2", 3), ("5", 6)])
def test_max_retries(retries: str, posts: int, server: Server, opened: Opening) -> None:
    """As in Ceilometer, a connection that breaks is made again so many times."""
    server.replies = [leave] * posts
    with pytest.raises(RetryableDeliveryError):
        opened(f"{server.url()}?max_retries={retries}").publish(TWO)
    assert len(server.bodies) == posts


def test_a_kept_connection_that_the_server_closed(server: Server, opened: Opening) -> None:
    """Servers close what is idle: that is not seen from outside."""
    publisher = opened(server.url())
    for _ in range(3):
        assert publisher.publish(TWO) == Delivered(2)
        server.end_connections()
    assert server.connections == 3


def lie(handler: Handler) -> None:
    """Promise more of a body than there is."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[200,")
    handler.close_connection = True


def flood(handler: Handler) -> None:
    """Answer without an end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.close_connection = True
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    try:
        while not handler.server.released.is_set():
            handler.wfile.write(chunk)
            handler.server.sent = getattr(handler.server, "sent", 0) + len(chunk)  # type: ignore[attr-defined]
    except OSError:
        handler.server.released.set()


def stall(handler: Handler) -> None:
    """Begin a body and never end it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[200,")
    handler.server.released.wait()


@pytest.mark.parametrize("act", [break_off, lie, flood, stall])
def test_a_body_that_does_not_end(act: Act, server: Server, opened: Opening) -> None:
    """The status was said, so the batch is there; the body is read to a bound, and not waited for beyond it."""
    server.replies = [act]
    publisher = opened(f"{server.url()}?timeout=0.3&max_retries=0")
    assert publisher.publish(TWO) == Delivered(2)
    assert publisher.publish(TWO) == Delivered(2)
    assert server.connections == 2
    if act is flood:
        assert server.released.wait(20), "the server could go on"


@pytest.mark.parametrize("act", [lie, flood, stall])
def test_a_body_that_does_not_end_and_is_needed(act: Act, server: Server, opened: Opening) -> None:
    """Where the answer is to speak of each item, half of it is none."""
    server.replies = [act]
    with pytest.raises(RetryableDeliveryError, match="longer than is read, or broke off"):
        opened(f"{server.url()}?timeout=0.3&max_retries=0&items=$").publish(TWO)


AWAY = {
    "refused": ("http://127.0.0.1:PORT/", "http://127.0.0.1:PORT/: no connection: Connection refused"),
    "no such name": ("http://nowhere.invalid/x", "http://nowhere.invalid/x: the name of the host is not resolved"),
}


@pytest.mark.parametrize(("url", "said"), AWAY.values(), ids=AWAY)
@pytest.mark.parametrize("call", ["publish", "check"])
def test_nobody_is_there(url: str, said: str, call: str, opened: Opening) -> None:
    """It is said what is wrong, in the same words by `check`."""
    port = str(free_port())
    publisher = opened(url.replace("PORT", port))
    with pytest.raises(RetryableDeliveryError) as caught:
        publisher.publish(TWO) if call == "publish" else publisher.check()
    assert str(caught.value) == said.replace("PORT", port)


# --- redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    ("there", "path"),
    [
        ("/v2/events", "/v2/events"),
        ("v2", "/v1/v2"),
        ("//127.0.0.1:PORT/v3?a=b", "/v3?a=b"),
        ("http://x:y@127.0.0.1:PORT/v4", "/v4"),
    ],
)
def test_redirects_on_the_same_host(status: int, there: str, path: str, server: Server, opened: Opening) -> None:
    """Where a target moved on its host, the same is posted there, with what lets us in."""
    server.replies = [Reply(status, {"Location": there.replace("PORT", str(server.server_port))})]
    assert opened(server.url("/v1/events").replace("//", "//u:s3cr3t@")).publish(TWO) == Delivered(2)
    first, second = server.requests
    assert (second.method, second.body) == ("POST", first.body)
    assert second.headers["authorization"] == first.headers["authorization"]
    assert second.path == path


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "there", ["http://127.0.0.1:OTHER/", "http://localhost:PORT/", "https://elsewhere.example/", ""]
)
def test_redirects_elsewhere_are_not_followed(status: int, there: str, server: Server, opened: Opening) -> None:
    """Nobody is given our credentials or data because a target says so; it is said where it pointed."""
    with serving() as other:
        ports = {"OTHER": other.server_port, "PORT": server.server_port}
        for name, port in ports.items():
            there = there.replace(name, str(port))
        server.replies = [Reply(status, {"Location": there} if there else {})]
        publisher = opened(server.url().replace("//", "//u:s3cr3t@") + "?header.X-Key=s3cr3t")
        with pytest.raises(RetryableDeliveryError) as caught:
            publisher.publish(TWO)
        assert (other.requests, other.connections, len(server.requests)) == ([], 0, 1)
        assert there in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_other_redirects_are_not_followed(status: int, server: Server, opened: Opening) -> None:
    """A redirect that would make the post a GET is none that delivers."""
    server.replies = [Reply(status, {"Location": "/elsewhere"})]
    with pytest.raises(RetryableDeliveryError, match=r"points to .*elsewhere, which is not followed"):
        opened(server.url()).publish(TWO)
    assert len(server.requests) == 1


def test_redirects_without_an_end(server: Server, opened: Opening) -> None:
    """After three of them it is enough."""
    server.always = lambda request: Reply(307, {"Location": "/events"})
    with pytest.raises(RetryableDeliveryError, match="redirects more than 3 times"):
        opened(server.url()).publish(TWO)
    assert len(server.requests) == 4


# --- TLS -------------------------------------------------------------------------------------------------------------


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


class Certificates:
    """A CA and certificates that it signed, made by openssl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.pem"
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        openssl(folder, *new, "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem")
        openssl(folder, *new, "-subj", "/CN=another CA", "-keyout", "other.key", "-out", "other.pem")
        (folder / "index.txt").touch()
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n"
            "policy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n"
        )

    def make(self, name: str, san: str = "IP:127.0.0.1,DNS:localhost", ends: str = "20991231000000Z") -> Path:
        """Return the file of a certificate with its key, which begins in 2020."""
        path = self.folder / f"{name}.pem"
        if not path.exists():
            request = ("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
            openssl(self.folder, *request, "-subj", f"/CN={name}", "-addext", f"subjectAltName={san}",
                    "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
            openssl(self.folder, "ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem",
                    "-keyfile", "ca.key",
                    "-startdate", "20200101000000Z", "-enddate", ends,
                    "-in", f"{name}.csr", "-out", f"{name}.crt")  # fmt: skip
            path.write_bytes((self.folder / f"{name}.crt").read_bytes() + (self.folder / f"{name}.key").read_bytes())
        return path

    def context(self, name: str, clients: bool = False, **values: str) -> ssl.SSLContext:
        """Return what a server needs; *clients* have to have a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.make(name, **values))
        if clients:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_https(certificates: Certificates, opened: Opening) -> None:
    """A target is trusted by the CA that is named, on one connection that is kept."""
    with serving(certificates.context("server")) as server:
        publisher = opened(f"{server.url('/x', 'https')}?verify_ssl={certificates.ca}")
        publisher.check()
        assert [publisher.publish(TWO), publisher.publish(TWO)] == [Delivered(2), Delivered(2)]
        assert server.connections == 1


CERTIFICATES: dict[str, tuple[dict[str, str], str, str]] = {
    "expired": ({"ends": "20210101000000Z"}, "CA", "its certificate has expired"),
    "another host": ({"san": "DNS:other.example"}, "CA", "its certificate is for another address"),
    "another CA": ({}, "OTHER", "its certificate is not trusted: unable to get local issuer certificate"),
    "the system's CAs": ({}, "true", "its certificate is not trusted: unable to get local issuer certificate"),
}


@pytest.mark.parametrize(("values", "trusted", "said"), CERTIFICATES.values(), ids=CERTIFICATES)
@pytest.mark.parametrize("call", ["publish", "check"])
def test_certificates_that_do_not_do(
    values: dict[str, str], trusted: str, said: str, call: str, certificates: Certificates, opened: Opening
) -> None:
    """It is said what is wrong with a certificate, and nothing is sent."""
    name = "-".join(["server", *values.values()]).replace(":", "-")
    with serving(certificates.context(name, **values)) as server:
        files = {"CA": str(certificates.ca), "OTHER": str(certificates.folder / "other.pem")}
        publisher = opened(f"{server.url('/x', 'https')}?verify_ssl={files.get(trusted, trusted)}")
        with pytest.raises(RetryableDeliveryError) as caught:
            publisher.publish(TWO) if call == "publish" else publisher.check()
        assert str(caught.value) == f"{server.url('/x', 'https')}: {said}"
        assert server.requests == []


@pytest.mark.parametrize("word", ["false", "False", "0", "no"])
@pytest.mark.filterwarnings("error")
def test_certificates_that_are_not_looked_at(word: str, certificates: Certificates, opened: Opening) -> None:
    """Whoever says so takes any certificate."""
    context = certificates.context("server-20210101000000Z", ends="20210101000000Z")
    with serving(context) as server:
        assert opened(f"{server.url('/x', 'https')}?verify_ssl={word}").publish(TWO) == Delivered(2)


def test_a_certificate_that_is_renewed(certificates: Certificates, tmp_path: Path, opened: Opening) -> None:
    """Files with certificates are read again after TLS failed."""
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes((certificates.folder / "other.pem").read_bytes())
    with serving(certificates.context("server")) as server:
        publisher = opened(f"{server.url('/x', 'https')}?verify_ssl={trusted}")
        with pytest.raises(RetryableDeliveryError):
            publisher.publish(TWO)
        trusted.unlink()
        with pytest.raises(RetryableDeliveryError, match="verify_ssl"):
            publisher.publish(TWO)
        trusted.write_bytes(certificates.ca.read_bytes())
        assert publisher.publish(TWO) == Delivered(2)


@pytest.mark.parametrize("options", ["clientcert=CLIENT.pem", "clientcert=CLIENT.crt&clientkey=CLIENT.key"])
def test_a_client_certificate(options: str, certificates: Certificates, opened: Opening) -> None:
    """We show our certificate, in one file with its key or in two."""
    certificates.make("client")
    options = options.replace("CLIENT", str(certificates.folder / "client"))
    with serving(certificates.context("server", clients=True)) as server:
        url = f"{server.url('/x', 'https')}?verify_ssl={certificates.ca}&{options}"
        assert opened(url).publish(TWO) == Delivered(2)


def test_no_client_certificate(certificates: Certificates, opened: Opening) -> None:
    """A target that wants one and is shown none lets nobody in; nothing that waits is at fault."""
    context = certificates.context("server", clients=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the refusal and a reset race each other
    with serving(context) as server:
        publisher = opened(f"{server.url('/x', 'https')}?verify_ssl={certificates.ca}")
        with pytest.raises(AccessDeniedError, match="refuses our certificate, or the lack of one"):
            publisher.publish(TWO)
        assert server.requests == []


def test_tls_to_a_port_without_it(server: Server, opened: Opening) -> None:
    """An https URL for a server of http is said to be that."""
    with pytest.raises(RetryableDeliveryError, match="it does not speak TLS on this port"):
        opened(server.url("/", "https")).check()


def test_a_redirect_to_https(certificates: Certificates, server: Server, opened: Opening) -> None:
    """From http to https on the same host a redirect is followed, never back."""
    with serving(certificates.context("server")) as secure:
        server.always = lambda request: Reply(308, {"Location": secure.url("/x", "https")})
        assert opened(f"{server.url()}?verify_ssl={certificates.ca}").publish(TWO) == Delivered(2)
        assert [request.path for request in secure.requests] == ["/x"]
        secure.always = lambda request: Reply(308, {"Location": server.url("/y")})
        publisher = opened(f"{secure.url('/', 'https')}?verify_ssl={certificates.ca}")
        with pytest.raises(RetryableDeliveryError, match="which is not followed"):
            publisher.publish(TWO)
        assert [request.path for request in server.requests] == ["/events"]


# --- who we are ------------------------------------------------------------------------------------------------------


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


AUTHORIZATIONS = {
    "user and password": ("u:p@", "", basic("u:p")),
    "encoded": ("u%40x:p%2F%C3%A9%3A@", "", basic("u@x:p/é:")),
    "a user alone": ("u@", "", basic("u:")),
    "a token": ("", "token=abc.DEF-_~", "Bearer abc.DEF-_~"),
    "a header": ("", "header.Authorization=ApiKey%20k", "ApiKey k"),
    "nothing": ("", "", None),
}


@pytest.mark.parametrize(("user", "options", "expected"), AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
def test_authorization(user: str, options: str, expected: str | None, server: Server, opened: Opening) -> None:
    """What lets us in is sent with every request, `check` too."""
    publisher = opened(f"{server.url().replace('//', f'//{user}')}?{options}".rstrip("?"))
    publisher.check()
    publisher.publish(TWO)
    assert [request.headers.get("authorization") for request in server.requests] == [expected] * 2


def test_a_token_in_a_file(server: Server, tmp_path: Path, opened: Opening) -> None:
    """The file is read for each post: who renews it need not tell us."""
    path = tmp_path / "token"
    path.write_text("one\n")
    publisher = opened(f"{server.url()}?token_file={path}")
    publisher.publish(TWO)
    path.write_text("two")
    publisher.publish(TWO)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer one", "Bearer two"]
    for content in ("", "a\nb", "é"):
        path.write_text(content)
        with pytest.raises(RetryableDeliveryError, match="holds no token"):
            publisher.publish(TWO)
    path.unlink()
    with pytest.raises(RetryableDeliveryError, match="cannot be read: No such file"):
        publisher.publish(TWO)


class TokenAPI:
    """What Keystone's API of tokens says: to who has the password a token, each another one, for an hour."""

    def __init__(self, server: Server) -> None:
        self.url = server.url("/v3")
        self._server = server
        self.issued: list[str] = []
        self.asked: list[Any] = []
        self.status = 201
        server.always = self._answer

    def _answer(self, request: Request) -> Reply:
        if request.method == "GET":
            links = [{"rel": "self", "href": self.url}]
            version = {"id": "v3.14", "status": "stable", "links": links}
            return Reply(200, {"Content-Type": "application/json"}, json.dumps({"version": version}).encode())
        self.asked.append(json.loads(request.body)["auth"])
        if self.status != 201:
            return Reply(self.status, {"Content-Type": "application/json"}, b'{"error": {"message": "s3cr3t"}}')
        token = f"token-{len(self.issued)}"
        self.issued.append(token)
        now = datetime.now(UTC)
        body = {
            "token": {
                "methods": ["password"],
                "user": {"id": "u-1", "name": "eventdefs", "domain": {"id": "default", "name": "Default"}},
                "audit_ids": ["a"],
                "issued_at": now.isoformat().replace("+00:00", "Z"),
                "expires_at": (now + timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
            }
        }
        headers = {"Content-Type": "application/json", "X-Subject-Token": token}
        return Reply(201, headers, json.dumps(body).encode())


@pytest.fixture
def keystone() -> Iterator[TokenAPI]:
    with serving() as running:
        yield TokenAPI(running)


def keystone_options(keystone: TokenAPI) -> str:
    given = {
        "auth_url": keystone.url,
        "username": "eventdefs",
        "password": "s3cr3t",
        "user_domain_name": "Default",
        "project_name": "service",
        "project_domain_name": "Default",
    }
    return "&".join(f"keystone.{name}={escaped(value)}" for name, value in given.items())


PASSWORD = {"user": {"name": "eventdefs", "password": "s3cr3t", "domain": {"name": "Default"}}}


def test_a_token_of_keystone(server: Server, keystone: TokenAPI, opened: Opening) -> None:
    """A token is asked for once, and anew where the target refuses it; then the same is posted again, once."""
    publisher = opened(f"{server.url()}?{keystone_options(keystone)}")
    publisher.publish(TWO)
    publisher.publish(TWO)
    assert keystone.asked == [
        {
            "identity": {"methods": ["password"], "password": PASSWORD},
            "scope": {"project": {"name": "service", "domain": {"name": "Default"}}},
        }
    ]
    server.replies = [Reply(401)]
    assert publisher.publish(TWO) == Delivered(2)
    server.replies = [Reply(401), Reply(401)]
    with pytest.raises(AccessDeniedError):
        publisher.publish(TWO)
    tokens = [request.headers["x-auth-token"] for request in server.requests]
    assert tokens == ["token-0", "token-0", "token-0", "token-1", "token-1", "token-2"]


CLOUDS = """
clouds:
  mine:
    auth:
      auth_url: URL
      username: eventdefs
      user_domain_name: Default
  app:
    auth_type: v3applicationcredential
    auth: {auth_url: URL, application_credential_id: a-1, application_credential_secret: s3cr3t}
"""


@pytest.mark.parametrize(
    ("cloud", "identity"),
    [
        ("mine", {"methods": ["password"], "password": PASSWORD}),
        (
            "app",
            {"methods": ["application_credential"], "application_credential": {"id": "a-1", "secret": "s3cr3t"}},
        ),
    ],
)
def test_a_cloud(
    cloud: str,
    identity: Any,
    server: Server,
    keystone: TokenAPI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opened: Opening,
) -> None:
    """What clouds.yaml says of a cloud is used, and the password that secure.yaml adds to it."""
    (tmp_path / "clouds.yaml").write_text(CLOUDS.replace("URL", keystone.url))
    (tmp_path / "secure.yaml").write_text("clouds: {mine: {auth: {password: s3cr3t}}}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    opened(f"{server.url()}?cloud={cloud}").publish(TWO)
    assert [one["identity"] for one in keystone.asked] == [identity]
    assert server.requests[0].headers["x-auth-token"] == "token-0"
    with pytest.raises(PublisherURLError, match=r"clouds.yaml has no cloud 'none', known are mine, app$"):
        open_publisher(f"{server.url()}?cloud=none")


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, AccessDeniedError, "gives no token: it answers 401"),
        (403, AccessDeniedError, "gives no token: it answers 403"),
        (500, RetryableDeliveryError, "it answers 500"),
    ],
)
def test_keystone_refuses(
    status: int, kind: type[DeliveryError], said: str, server: Server, keystone: TokenAPI, opened: Opening
) -> None:
    """Without a token nothing is posted, and it is said that it is Keystone that gives none."""
    keystone.status = status
    publisher = opened(f"{server.url()}?{keystone_options(keystone)}")
    for call in (lambda: publisher.publish(TWO), publisher.check):
        with pytest.raises(kind) as caught:
            call()
        assert type(caught.value) is kind
        assert str(caught.value).startswith(f"Keystone at {keystone.url}")
        assert str(caught.value).endswith(said)
    assert server.requests == []


def test_keystone_hides_its_versions(server: Server, keystone: TokenAPI, opened: Opening) -> None:
    """A Keystone that asks who we are before it says its versions is an answer, and not waited for."""
    options = keystone_options(keystone)
    for place in ("/v3", ""):
        with serving() as shut:
            shut.always = lambda request: Reply(401)
            publisher = opened(f"{server.url()}?{options.replace(escaped(keystone.url), shut.url(place))}")
            with pytest.raises(AccessDeniedError, match="gives no token: it answers 401"):
                publisher.publish(TWO)


def test_keystone_is_away(server: Server, opened: Opening) -> None:
    """Its absence passes, as that of the target does."""
    away = f"keystone.auth_url=http://127.0.0.1:{free_port()}/v3&keystone.username=u&keystone.password=p"
    with pytest.raises(RetryableDeliveryError, match=r"^Keystone at http://127.0.0.1:\d+/v3: no connection$") as caught:
        opened(f"{server.url()}?{away}").publish(TWO)
    assert type(caught.value) is RetryableDeliveryError


ODD_TOKENS = {
    "a list": Reply(201, {"Content-Type": "application/json", "X-Subject-Token": "t"}, b"[]"),
    "no token": Reply(201, {"Content-Type": "application/json"}, b'{"token": {"expires_at": "2099-01-01T00:00:00Z"}}'),
    "a page": Reply(200, {"Content-Type": "text/html"}, b"<html>s3cr3t</html>"),
}


@pytest.mark.parametrize("reply", ODD_TOKENS.values(), ids=ODD_TOKENS)
def test_keystone_says_something_else(reply: Reply, server: Server, keystone: TokenAPI, opened: Opening) -> None:
    """Whatever stands where a token should, it passes, and no item is at fault."""
    publisher = opened(f"{server.url()}?{keystone_options(keystone)}")
    answer = keystone._answer
    keystone._server.always = lambda request: answer(request) if request.method == "GET" else reply
    for call in (lambda: publisher.publish(TWO), publisher.check):
        with pytest.raises(RetryableDeliveryError, match=f"^Keystone at {keystone.url}") as caught:
            call()
        assert "s3cr3t" not in seen(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("token", [{}, {"expires_at": "s3cr3t"}], ids=["no time", "no such time"])
def test_a_token_of_which_nobody_knows_how_long_it_lasts(
    token: Any, server: Server, keystone: TokenAPI, opened: Opening
) -> None:
    """It is of use once; then another one is asked for."""
    publisher = opened(f"{server.url()}?{keystone_options(keystone)}")
    answer = keystone._answer
    odd = Reply(
        201, {"Content-Type": "application/json", "X-Subject-Token": "t"}, json.dumps({"token": token}).encode()
    )
    keystone._server.always = lambda request: answer(request) if request.method == "GET" else odd
    publisher.publish(TWO)
    keystone._server.always = answer
    with pytest.raises(RetryableDeliveryError, match=r"its answer has no token we can read$") as caught:
        publisher.publish(TWO)
    assert "s3cr3t" not in seen(caught.value)
    publisher.publish(TWO)
    assert [request.headers["x-auth-token"] for request in server.requests] == ["t", "token-0"]


# --- signatures ------------------------------------------------------------------------------------------------------

OLD, NEW = "whsec_" + base64.b64encode(b"\xfb\xff old key").decode(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("packed", ["false", "true"])
@pytest.mark.parametrize("written", ["secret", "file"])
def test_signatures(packed: str, written: str, server: Server, tmp_path: Path, opened: Opening) -> None:
    """Who has one of the secrets can tell that we sent it, with the library that Standard Webhooks has."""
    standardwebhooks = pytest.importorskip("standardwebhooks")
    (tmp_path / "secrets").write_text(f"{NEW}\n{OLD}\n")
    option = f"secret={NEW},{OLD}" if written == "secret" else f"secret_file={tmp_path}/secrets"
    publisher = opened(f"{server.url()}?{option}&gzip={packed}")
    publisher.publish(TWO)
    (request,) = server.requests
    body = gzip.decompress(request.body) if packed == "true" else request.body
    for secret in (OLD, NEW):
        read = standardwebhooks.Webhook(secret).verify(body, dict(request.headers))
        assert [one["message_id"] for one in read] == ["m-1", "m-2"]
    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_" + "A" * 32).verify(body, dict(request.headers))
    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        standardwebhooks.Webhook(NEW).verify(body.replace(b"m-1", b"m-9"), dict(request.headers))


def test_a_signature_is_what_the_scheme_says() -> None:
    """The value that the library makes of the same."""
    standardwebhooks = pytest.importorskip("standardwebhooks")
    made = signature(read_secrets(NEW), "msg_1", int(SENT.timestamp()), b'{"a": 1}')
    assert made == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1785546123",
        "webhook-signature": standardwebhooks.Webhook(NEW).sign("msg_1", SENT, '{"a": 1}'),
    }


def test_the_id_of_a_post(server: Server, opened: Opening) -> None:
    """It is the same when the same is posted again, in this process or the next, and another for a corrected value."""
    batches = [
        Batch([event("m-1"), event("m-2")]),
        Batch([event("m-1", size=1), event("m-2")]),
        Batch([event("m-1"), event("m-2")], replace=True),
        Batch([event("m-1", size=1), event("m-2")], replace=True),
        Batch([event("m-1", "p-2"), event("m-2")]),
        Batch([event("m-1")]),
        Batch([event("m-1"), event("m-2")]),
    ]
    for batch in batches:
        opened(f"{server.url()}?secret={NEW}").publish(batch)
    ids = [request.headers["webhook-id"] for request in server.requests]
    assert ids[0] == ids[1] == ids[6] == id_of(batches[0], None)
    assert len(set(ids)) == 5


# --- proxies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["option", "environment", "all"])
def test_a_proxy(how: str, server: Server, monkeypatch: pytest.MonkeyPatch, opened: Opening) -> None:
    """Posts go to the proxy, which is told where they are to go, and who we are."""
    proxy = server.url("").replace("//", "//u:p%40@")
    if how != "option":
        monkeypatch.setenv({"environment": "http_proxy", "all": "ALL_PROXY"}[how], proxy)
    option = f"?proxy={escaped(proxy)}" if how == "option" else ""
    assert opened(f"http://events.invalid:8080/x{option}").publish(TWO) == Delivered(2)
    (request,) = server.requests
    assert (request.path, request.headers["host"]) == ("http://events.invalid:8080/x", "events.invalid:8080")
    assert request.headers["proxy-authorization"] == basic("u:p@")


@pytest.mark.parametrize("option", ["?proxy=none", ""])
def test_no_proxy(option: str, server: Server, monkeypatch: pytest.MonkeyPatch, opened: Opening) -> None:
    """The environment's proxy is passed by where an option or the environment says so."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    if not option:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert opened(server.url() + option).publish(TWO) == Delivered(2)


PROXIES: dict[str, tuple[Reply | None, type[DeliveryError], str]] = {
    "asks who we are": (Reply(407), AccessDeniedError, "asks who we are (407)"),
    "fails": (Reply(502), RetryableDeliveryError, "fails: it answers 502"),
    "is away": (None, RetryableDeliveryError, "fails: no connection: Connection refused"),
}


@pytest.mark.parametrize(("reply", "kind", "said"), PROXIES.values(), ids=PROXIES)
def test_a_proxy_that_fails(
    reply: Reply | None, kind: type[DeliveryError], said: str, server: Server, opened: Opening
) -> None:
    """It is said that it is the proxy, without who we are there."""
    server.replies = [reply] * 3 if reply is not None else []
    port = server.server_port if reply is not None else free_port()
    with pytest.raises(kind) as caught:
        opened(f"https://events.invalid/x?proxy=http://u:s3cr3t@127.0.0.1:{port}").publish(TWO)
    assert str(caught.value) == f"https://events.invalid/x: the proxy http://127.0.0.1:{port} {said}"


# --- options, checks, secrets ----------------------------------------------------------------------------------------

WRONG = {
    "http://": "http://... names no host; expected is http://host:port/path",
    "http:///path": "http://... names no host; expected is http://host:port/path",
    "http://h:port/": "http://...: what stands before the options cannot be read",
    "http://h/#part": "http://... has a '#'; expected is http://host:port/path",
    "http://u:1/s3cr3t@h/p": "http://... has a '@' after a '/': in a password '/' is %2F, in a path '@' is %40",
    "http://h/?timeout=0": "http://h/: timeout is a number of seconds above 0, max_retries a number from 0",
    "http://h/?timeout=inf": "http://h/: timeout is a number of seconds above 0, max_retries a number from 0",
    "http://h/?max_retries=-1": "http://h/: timeout is a number of seconds above 0, max_retries a number from 0",
    "http://h/?timout=1": "http://h/: unknown option 'timout' (did you mean 'timeout'?), known are ",
    "http://h/?q=foo": "http://h/: unknown option 'q', known are ",
    "http://h/?header=a": "http://h/: unknown option 'header'",
    "http://h/?batch=maybe": "http://h/: Expected `bool`",
    "https://h/?verify_ssl=/none.pem": (
        "https://h/: verify_ssl is true, false, or a file with certificates of CAs; there is no '/none.pem'"
    ),
    "https://h/?verify_ssl=THIS": "https://h/: verify_ssl: THIS has no certificates of CAs: ",
    "https://h/?clientcert=THIS": "https://h/: clientcert: no certificate with its key, without a password, in THIS: ",
    "https://h/?clientcert=/no": "https://h/: clientcert: no certificate with its key, without a password, in /no: ",
    "https://h/?clientkey=THIS": "https://h/: clientkey needs clientcert",
    "http://h/?format=cloudevents&raw_only=true": (
        "http://h/: raw_only posts payloads as they are, which is not the format cloudevents"
    ),
    "http://h/?header.Content-Length=1": "http://h/: header.Content-Length is no header that can be chosen",
    "http://h/?header.X%20Y=1": "http://h/: header.X Y is no header that can be chosen",
    "http://h/?header.X=a%0D%0Ab": "http://h/: header.X has characters that a header cannot have",
    "http://u:p@h/?token=t": (
        "http://h/: a user in the URL and token are several ways to say who we are; expected is one"
    ),
    "http://h/?token=a%0Ab": "http://h/: token is no token: it has characters that a header cannot have",
    "http://h/?token_file=/none": "http://h/: token_file /none cannot be read: No such file or directory",
    "http://h/?secret=whsec_%21": "http://h/: secret 1 is not base64, as whsec_MfKQ9r8GKYqrTwjU is",
    "http://h/?secret=YQ,,%21": "http://h/: secret 2 is not base64, as whsec_MfKQ9r8GKYqrTwjU is",
    "http://h/?secret=whsec_": "http://h/: there is no secret, as whsec_MfKQ9r8GKYqrTwjU is one",
    "http://h/?secret=YQ&secret_file=x": "http://h/: secrets are in secret or in secret_file, not in both",
    "http://h/?secret_file=/none": "http://h/: secret_file /none cannot be read: No such file or directory",
    "http://h/?already=409:code": "http://h/: '409:code' is no rule, as 409 or 422:$.code=exists is",
    "http://h/?already=200": "http://h/: '200' is no status of an answer from 300 to 599",
    "http://h/?already=409:$.a..b=c": "http://h/: '$.a..b' is no path, as $.errors.0.code is",
    "http://h/?retry_status=40x": "http://h/: '40x' is no status of an answer from 300 to 599",
    "http://h/?items=a&errors=b": "http://h/: an answer has items or errors, not both",
    "http://h/?item_id=a": "http://h/: item_id and item_status need items or errors",
    "http://h/?proxy=socks5://p:1": (
        "http://h/: proxy names no proxy of http or https; expected is http://host:port, or none"
    ),
    "http://h/?keystone.auth_type=none_such": "http://h/: keystone.auth_type: 'none_such' is no plugin of keystoneauth",
    "http://h/?keystone.username=u": "http://h/: Keystone's password needs keystone.auth_url",
    "http://h/?keystone.auth_url=http://u:s3cr3t@k/": (
        "http://h/: keystone.auth_url has a user or password in it; they are options of their own"
    ),
    "http://h/?keystone.user=u": "http://h/: unknown option 'keystone.user', known are auth_url, ",
}


@pytest.mark.parametrize(("url", "said"), WRONG.items(), ids=WRONG)
def test_what_is_wrong_with_a_url(url: str, said: str) -> None:
    """Every mistake is said when the publisher is opened, and nothing is opened."""
    with pytest.raises(PublisherURLError) as caught:
        open_publisher(url.replace("THIS", __file__))
    assert str(caught.value).startswith(said.replace("THIS", __file__))
    assert str(caught.value) == said.replace("THIS", __file__) or said[-1] in " `'"


def test_a_proxy_of_the_environment_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said where it stands."""
    monkeypatch.setenv("https_proxy", "socks5://u:s3cr3t@p:1")
    with pytest.raises(PublisherURLError, match=r"^https://h/: https_proxy in the environment names no proxy of http"):
        open_publisher("https://h/")


CHECKS: dict[int, type[DeliveryError] | None] = {
    200: None,
    204: None,
    400: None,
    405: None,
    501: None,
    302: RetryableDeliveryError,
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: PermanentDeliveryError,
    410: PermanentDeliveryError,
    429: RetryableDeliveryError,
    500: RetryableDeliveryError,
    503: RetryableDeliveryError,
}


@pytest.mark.parametrize(("status", "kind"), CHECKS.items())
def test_checking(status: int, kind: type[DeliveryError] | None, server: Server, opened: Opening) -> None:
    """Who is asked sees no data; a target that does not know the question is there all the same."""
    server.replies = [Reply(status, {"Location": "/login"} if status == 302 else {}, b"")]
    publisher = opened(server.url())
    if kind is None:
        publisher.check()
    else:
        with pytest.raises(kind, match=rf"^{server.url()} answers {status} ") as caught:
            publisher.check()
        assert type(caught.value) is kind
    (request,) = server.requests
    assert (request.method, request.body, request.headers.get("content-type")) == ("OPTIONS", b"", None)


def seen(error: BaseException) -> str:
    """Return all that a log could show of *error*."""
    return "".join(traceback.format_exception(error)) + repr(error)


SECRETS: dict[str, tuple[str, list[str]]] = {
    "a password": ("http://user:s3cr3t@HOST/", [basic("user:s3cr3t"), "s3cr3t"]),
    "an odd password": ("http://user:s3cr3t%2F%40@HOST/", [basic("user:s3cr3t/@"), "s3cr3t/@", "s3cr3t%2F%40"]),
    "a token": ("http://HOST/?token=s3cr3t", ["Bearer s3cr3t"]),
    "a header": ("http://HOST/?header.X-Api-Key=s3cr3t", ["X-Api-Key: s3cr3t"]),
    "a query": ("http://HOST/?query.key=s3cr3t", ["/?key=s3cr3t"]),
    "a secret": ("http://HOST/?secret=whsec_s3cr3t00", ["whsec_s3cr3t00", "s3cr3t00"]),
    "Keystone": (
        "http://HOST/?keystone.auth_url=http://HOST/v3&keystone.username=u&keystone.password=s3cr3t",
        ["s3cr3t"],
    ),
    "a proxy": ("http://far.invalid/?proxy=http://u:s3cr3t@HOST", [basic("u:s3cr3t"), "s3cr3t"]),
}


@pytest.mark.parametrize(("url", "echoed"), SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("wrong", ["", "timeout=0", "no_such=1", "already=x", "header.Authorization=a&token=b"])
def test_secrets_are_in_no_message(url: str, echoed: list[str], wrong: str, server: Server, opened: Opening) -> None:
    """Whatever goes wrong, no message, cause or name shows what lets us in, not even where a target repeats it."""
    echo = " ".join(echoed).encode()
    acts: list[Reply | Act] = [Reply(status, {}, echo) for status in (404, 401, 403, 500)]
    place = url.replace("HOST", f"127.0.0.1:{server.server_port}")
    place += ("&" if "?" in place else "?") + wrong if wrong else ""
    shown: list[str] = []
    for act in [*acts, Reply(302, {"Location": "http://x/?s3cr3t"}), leave, babble]:
        server.always = lambda request: Reply(500, {}, echo)
        try:
            publisher = opened(place)
        except PublisherURLError as error:
            assert wrong or "whsec" in url
            shown.append(seen(error))
            continue
        shown.append(repr(publisher))
        for call in (publisher.check, lambda: publisher.publish(TWO)):  # noqa: B023
            server.replies = [act] * 3
            with pytest.raises(DeliveryError) as caught:
                call()
            shown.append(seen(caught.value))
    quoted = re.compile("^    .*", re.MULTILINE)  # a traceback quotes the lines of this test too
    assert [text for text in shown if re.search("s3cr3t|czNjcjN0", quoted.sub("", text))] == []


def babble_headers(handler: Handler) -> None:
    """Answer with a line among the headers that is none."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n: nothing\r\n\r\n")


def test_a_query_is_in_no_log(server: Server, opened: Opening, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs each URL at DEBUG, and as a warning where headers are odd; what is secret of it is not shown."""
    caplog.set_level("DEBUG")
    server.replies = [Reply(), babble_headers]
    publisher = opened(f"{server.url()}?query.key=s3cr3t")
    publisher.publish(TWO)
    publisher.publish(TWO)
    assert "Failed to parse headers" in caplog.text
    assert "s3cr3t" not in caplog.text
