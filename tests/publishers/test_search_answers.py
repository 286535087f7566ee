"""`elasticsearch://` and `opensearch://` in front of what no search server says: pages, answers that break off.

No item is at fault for that, so none is refused, and none is taken for delivered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from eventdefs import PublisherURLError, open_publisher
from eventdefs.errors import DeliveryError, PermanentDeliveryError, RetryableDeliveryError
from eventdefs.types import Batch, Delivered
from tests.making import event
from tests.publishers.test_http import Certificates, Reply, Request, Server, openssl, serving

TWO = Batch([event("m-1"), event("m-2")])
JSON = {"x-elastic-product": "Elasticsearch", "content-type": "application/json"}
Says = Callable[[Request], Reply]


def says(document: Any, status: int = 200) -> Reply:
    return Reply(status, JSON, json.dumps(document).encode())


def like_a_server(request: Request) -> Reply:
    """Say what a server says that has everything and takes everything."""
    path = request.path.partition("?")[0]
    if path == "/_bulk":
        items = [{"create": {"status": 201}}] * (len(request.body.splitlines()) // 2)
        return says({"errors": False, "items": items})
    if path.endswith("/_mget"):
        docs = [{"found": True, "_source": {"tenant": "p-9"}}, {"found": False}, {"found": False}]
        return says({"docs": docs})
    if "/_create/" in path:
        return says({"result": "created"}, 201)
    if path.endswith("/_mapping"):
        return says({path.split("/")[1]: {"mappings": {"dynamic": "false"}}})
    if request.method == "GET" and path.startswith("/_index_template"):
        return says({"error": {"type": "resource_not_found_exception"}, "status": 404}, 404)
    if path == "/_cluster/health":
        return says({"status": "green"})
    if path == "/_cluster/settings":
        return says({"persistent": {}, "transient": {}})
    if path == "/_security/user/_has_privileges":
        return says({"has_all_requested": True, "cluster": {}, "index": {}})
    if "/_settings" in path:
        return says({})
    return says({"acknowledged": True})


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.always = like_a_server
        yield running


@pytest.fixture(params=["elasticsearch", "opensearch"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(scheme: str, server: Server) -> Iterator[Any]:
    publisher = open_publisher(f"{scheme}://127.0.0.1:{server.server_port}/events?own_index_tenants=3&timeout=5")
    yield publisher
    publisher.close()


def test_what_answers_like_a_server(opened: Any) -> None:
    """The server of these tests is one, as far as we ask."""
    opened.check()
    assert opened.publish(TWO) == Delivered(2)


ONE = {"create": {"status": 201}}
BULK: dict[str, bytes] = {
    "too few": json.dumps({"items": [ONE]}).encode(),
    "too many": json.dumps({"items": [ONE] * 3}).encode(),
    "no list": b'{"items": {"create": 1}}',
    "null": b'{"items": null}',
    "no status": json.dumps({"items": [ONE, {"create": {}}]}).encode(),
    "a status in words": json.dumps({"items": [ONE, {"create": {"status": "201"}}]}).encode(),
    "no operation": json.dumps({"items": [ONE, {}]}).encode(),
    "two operations": json.dumps({"items": [ONE, {"create": {"status": 201}, "index": {"status": 400}}]}).encode(),
    "breaks off": b'{"items": [{"create": {"sta',
    "no UTF-8": b'{"items": "\xff"}',
    "nested without end": b"[" * 100_000,
    "a number": b"7",
    "nothing": b"",
}


@pytest.mark.parametrize("body", BULK.values(), ids=BULK)
def test_odd_answers_to_bulk(body: bytes, server: Server, opened: Any) -> None:
    """An answer that does not say what became of each item says nothing of any."""
    server.always = lambda request: (
        Reply(200, JSON, body) if request.path.startswith("/_bulk") else like_a_server(request)
    )
    with pytest.raises(RetryableDeliveryError, match=r"^\w+search://127.0.0.1:\d+/events: "):
        opened.publish(TWO)
    server.always = like_a_server
    assert opened.publish(TWO) == Delivered(2)


ANYTHING: Mapping[str, Reply] = {
    "a page": Reply(200, {**JSON, "content-type": "text/html"}, b"<html>welcome</html>"),
    "text": Reply(200, {**JSON, "content-type": "text/plain"}, b"OK"),
    "an object": says({}),
    "an array": says([]),
    "null": says(None),
    "a number": says(3),
    "odd values": says(
        {"index_templates": [3], "docs": [1, 2, 3], "items": [1], "events": 1, "persistent": 3, "index": 1, "status": 3}
    ),
    "nothing": Reply(200, JSON, b""),
    "a redirect": Reply(307, {**JSON, "location": "http://127.0.0.1:1/"}, b""),
}
PLACES = ("", "_index_template", "_mapping", "_mget", "_create", "_bulk", "_cluster", "_security", "_settings")


@pytest.mark.parametrize("reply", ANYTHING.values(), ids=ANYTHING)
@pytest.mark.parametrize("place", PLACES)
def test_odd_answers_anywhere(place: str, reply: Reply, server: Server, opened: Any) -> None:
    """Whatever is answered to whichever question, it passes, or it does not matter; nothing is refused for it."""
    server.always = lambda request: reply if place in request.path else like_a_server(request)
    said = []
    try:
        assert opened.publish(TWO) == Delivered(2)
    except RetryableDeliveryError as error:
        said.append(str(error))
    try:
        opened.check()
    except DeliveryError as error:
        said.append(str(error))
    assert [one for one in said if not one.startswith(f"{opened._name}: ")] == []
    server.always = like_a_server
    assert opened.publish(TWO) == Delivered(2)


@pytest.mark.parametrize("body", [b"The plain HTTP request was sent to HTTPS port", b'{"message": "no"}', b""])
def test_a_proxy_refuses(body: bytes, server: Server, opened: Any) -> None:
    """A refusal of the whole that no search server wrote is not for what is in it, so nothing is dead-lettered."""
    kind = "text/plain" if body.startswith(b"The") else "application/json"
    refusal = Reply(400, {**JSON, "content-type": kind}, body)
    server.always = lambda request: refusal if request.path.startswith("/_bulk") else like_a_server(request)
    with pytest.raises(RetryableDeliveryError):
        opened.publish(TWO)


def test_a_body_that_is_too_large(server: Server, opened: Any) -> None:
    """Whoever says 413, the batch is halved."""
    page = Reply(413, {**JSON, "content-type": "text/plain"}, b"too large")
    server.always = lambda request: page if request.path.startswith("/_bulk") else like_a_server(request)
    if opened._name.startswith("elasticsearch"):
        with pytest.raises(PermanentDeliveryError, match="413 too large"):
            opened.publish(TWO)


def test_a_conflict_of_what_replaces(server: Server, opened: Any) -> None:
    """Where something else is written at the same moment, the new value is not there yet."""
    conflict = says({"items": [{"index": {"status": 409, "error": {"type": "version_conflict_engine_exception"}}}]})
    server.always = lambda request: conflict if request.path.startswith("/_bulk") else like_a_server(request)
    with pytest.raises(RetryableDeliveryError, match="409 version_conflict_engine_exception"):
        opened.publish(Batch([event("m-1")], replace=True))


@pytest.mark.parametrize("answer", [says({"error": {"type": "x"}, "status": 409}, 409), says({"result": "updated"})])
def test_a_place_that_nobody_has_and_nobody_gets(answer: Reply, server: Server, opened: Any) -> None:
    """Where what is kept of who came first has a hole, that is said, and not asked again and again."""
    server.always = lambda request: answer if "/_create/" in request.path else like_a_server(request)
    with pytest.raises(RetryableDeliveryError, match="who has indices of his own: "):
        opened.publish(TWO)
    assert len(server.requests) < 10


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


TRUST = {
    "the system's": ("", True),
    "one more beside the system's": ("&ca_file=OTHER", True),
    "named": ("&ca_file=CA", False),
}


@pytest.mark.parametrize(("options", "system"), TRUST.values(), ids=TRUST)
def test_who_is_trusted(
    options: str, system: bool, scheme: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers are trusted by what the system trusts, and besides by `ca_file`; with either client."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca if system else certificates.folder / "other.pem"))
    options = options.replace("OTHER", str(certificates.folder / "other.pem")).replace("CA", str(certificates.ca))
    with serving(certificates.context("server")) as server:
        server.always = like_a_server
        publisher = open_publisher(f"{scheme}://127.0.0.1:{server.server_port}/events?tls=true{options}")
        assert publisher.publish(TWO) == Delivered(2)
        publisher.close()


def test_any_certificate(scheme: str, certificates: Certificates) -> None:
    """`verify=false` takes one of somebody unknown, for another host."""
    with serving(certificates.context("elsewhere", san="DNS:elsewhere.example")) as server:
        server.always = like_a_server
        place = f"{scheme}://127.0.0.1:{server.server_port}/events?tls=true"
        trusting = open_publisher(f"{place}&verify=false")
        assert trusting.publish(TWO) == Delivered(2)
        trusting.close()
        for options in ("", f"&ca_file={certificates.ca}"):
            doubting = open_publisher(place + options)
            with pytest.raises(RetryableDeliveryError, match="its certificate is not accepted: "):
                doubting.publish(TWO)
            doubting.close()


def test_our_certificate(scheme: str, certificates: Certificates) -> None:
    """Where a server asks for one, ours is shown; its key is in a file of its own or in the same."""
    certificates.make("client")
    with serving(certificates.context("server", clients=True)) as server:
        server.always = like_a_server
        place = f"{scheme}://127.0.0.1:{server.server_port}/events?tls=true&ca_file={certificates.ca}"
        folder = certificates.folder
        for options in (
            f"cert_file={folder}/client.pem",
            f"cert_file={folder}/client.crt&key_file={folder}/client.key",
        ):
            publisher = open_publisher(f"{place}&{options}")
            assert publisher.publish(TWO) == Delivered(2)
            publisher.close()


def test_a_key_that_is_of_no_use(scheme: str, certificates: Certificates, tmp_path: Path) -> None:
    """A key without a certificate is a mistake, and one with a password is not asked for at the terminal."""
    certificates.make("client")
    locked = tmp_path / "locked.pem"
    openssl(
        tmp_path,
        "pkcs8",
        "-topk8",
        "-in",
        str(certificates.folder / "client.key"),
        "-out",
        str(locked),
        "-passout",
        "pass:s3cr3t",
    )
    for options, said in {
        f"key_file={certificates.folder}/client.key": "key_file needs cert_file",
        f"cert_file={certificates.folder}/client.crt&key_file={locked}": "cannot be used",
    }.items():
        with pytest.raises(PublisherURLError, match=said):
            open_publisher(f"{scheme}://h/events?tls=true&{options}")
