"""`tcp://` and `udp://`: what is on the wire, to the byte, and what happens when the receiver goes away."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from datetime import datetime
from typing import Any, Protocol

import msgpack
import pytest

from eventdefs import Batch, PublisherURLError, RetryableDeliveryError, Sample, open_publisher
from eventdefs.encode import write_json
from eventdefs.errors import DeliveryError, PartialDeliveryError
from eventdefs.publishers import Delivered
from eventdefs.testing import PublisherContract, Target, an_event, everything, free_port
from eventdefs.types import Item
from tests.making import event, sample
from tests.publishers.oracles import ceilometer

WAIT = 60.0


class Receiver(Protocol):
    """What listens."""

    url: str

    def packed(self) -> list[bytes]:
        """Return the maps of all that was sent by those who have closed; ends the receiver."""


class TCPReceiver:
    """Takes connections and reads each to its end, in threads; frames are kept in the order in which they came."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"tcp://[{host}]:{self.port}" if ":" in host else f"tcp://{host}:{self.port}"
        self._frames: list[bytes] = []
        self._readers: list[threading.Thread] = []
        self._last = 0
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            connection, address = self._listener.accept()
            stream = connection.makefile("rb")
            connection.close()  # which the stream keeps open
            if address[1] == self._last:
                stream.close()
                return
            self._readers.append(threading.Thread(target=self._read, args=(stream,), daemon=True))
            self._readers[-1].start()

    def _read(self, stream: Any) -> None:
        with stream:
            while length := stream.read(8):
                frame = stream.read(int.from_bytes(length, "little"))
                assert len(frame) == int.from_bytes(length, "little")
                self._frames.append(frame)

    def packed(self) -> list[bytes]:
        # Connections are taken in their order: when this one is, all earlier ones have their readers.
        with socket.socket(self._listener.family) as last:
            last.bind((self._listener.getsockname()[0], 0))
            self._last = last.getsockname()[1]
            last.connect(self._listener.getsockname()[:2])
            self._accepting.join(WAIT)
        for reader in self._readers:
            reader.join(WAIT)
        self._listener.close()
        return self._frames


class UDPReceiver:
    """Keeps datagrams until they are asked for."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self._socket.settimeout(WAIT)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"udp://127.0.0.1:{self._socket.getsockname()[1]}"
        self._datagrams: list[bytes] = []

    def packed(self) -> list[bytes]:
        self._socket.sendto(b"", self._socket.getsockname())  # on one host they come in order
        while datagram := self._socket.recv(2**16):
            self._datagrams.append(datagram)
        return self._datagrams


def sample_of(packed: bytes) -> Sample:
    found = msgpack.unpackb(packed)
    return Sample(
        found["counter_name"],
        found["counter_type"],
        found["counter_unit"],
        found["counter_volume"],
        found["resource_id"],
        found["project_id"],
        found["user_id"],
        datetime.fromisoformat(found["timestamp"]),
        found["resource_metadata"],
        found["message_id"],
    )


@pytest.fixture(params=["tcp", "udp"])
def receiver(request: pytest.FixtureRequest) -> Receiver:
    return TCPReceiver() if request.param == "tcp" else UDPReceiver()


class TestContract(PublisherContract):
    """What every publisher owes, as far as samples go; nobody tells us what arrived."""

    @pytest.fixture
    def target(self, request: pytest.FixtureRequest, receiver: Receiver) -> Target:
        if isinstance(receiver, UDPReceiver) and request.node.callspec.params.get("name") == "long":
            pytest.skip("no datagram is so large")

        def received() -> list[Item]:
            for publisher in target.opened:
                publisher.close()
            return [sample_of(packed) for packed in receiver.packed()]

        target = Target(
            receiver.url,
            received,
            frozenset({"sample"}),
            once=False,
            ordered=False,  # which is told of events; here see `test_what_is_twice`
            replaces=False,
            counts_duplicates=False,
        )
        return target

    def test_duplicates_in_one_batch(self, target: Target) -> None:
        """Events have no frame: nothing is sent of them, and none is counted."""
        assert target.open().publish(Batch([an_event(), an_event()])) == Delivered(0, 0)
        assert target.has() == []

    def test_what_is_twice(self, target: Target) -> None:
        """What is published twice is sent twice, in the order in which it was published."""
        publisher = target.open()
        assert [publisher.publish(everything()) for _ in "12"] == [Delivered(3), Delivered(3)]
        assert [item.id for item in target.received() if isinstance(item, Sample)] == ["s-1", "s-2", "u-1"] * 2


MAP = {
    "source": "openstack",
    "counter_name": "volume.size",
    "counter_type": "gauge",
    "counter_unit": "GiB",
    "counter_volume": 4,
    "user_id": "u-1",
    "user_name": None,
    "project_id": "p-1",
    "project_name": None,
    "resource_id": "v-1",
    "timestamp": "2026-08-01T01:02:03+00:00",
    "resource_metadata": {"status": "available"},
    "message_id": "s-1",
    "monotonic_time": None,
}


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        ("", "udp", {**MAP, "message_signature": ""}),
        ("?publisher_id=h", "udp", {**MAP, "publisher_id": "h", "message_signature": ""}),
        ("?compat=sg-core", "udp", {**MAP, "publisher_id": socket.gethostname(), "message_signature": ""}),
        ("", "tcp", {**MAP, "publisher_id": socket.gethostname(), "message_signature": ""}),
        ("?publisher_id=h&compat=sg-core", "tcp", {**MAP, "publisher_id": "h", "message_signature": ""}),
        (
            "?telemetry_secret=secret",
            "udp",
            {**MAP, "message_signature": "4860653cf49780e378589489d90192a979b62bb99cbffb4ad30c670b03624bb3"},
        ),
    ],
)
def test_the_map(options: str, kind: str, expected: dict[str, Any]) -> None:
    """A map has what Ceilometer puts in, in its order, and who sends where Ceilometer or an option says so."""
    receiver: Receiver = TCPReceiver() if kind == "tcp" else UDPReceiver()
    publisher = open_publisher(receiver.url + options)
    assert publisher.publish(Batch([event()], [sample()])) == Delivered(1)
    publisher.close()
    (packed,) = receiver.packed()
    assert packed == msgpack.packb(expected)


CEILOMETER = """
import json, sys
from urllib.parse import urlsplit
from ceilometer import sample, service
from ceilometer.publisher import tcp, udp

url, samples = json.load(sys.stdin)
conf = service.prepare_service([], [])
conf.set_override("host", "host-1")
conf.set_override("telemetry_secret", "secret", "publisher")
kind = tcp.TCPPublisher if url.startswith("tcp") else udp.UDPPublisher
publisher = kind(conf, urlsplit(url))
publisher.publish_samples([
    sample.Sample(s["name"], s["type"], s["unit"], s["volume"], s["user_id"], s["project_id"], s["resource_id"],
                  s["timestamp"].replace("Z", "+00:00"), s["metadata"], id=s["id"]) for s in samples])
publisher.socket.close()
"""


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_the_same_bytes_as_ceilometer(kind: str) -> None:
    """Ceilometer's own publisher and ours send the same bytes for the same samples."""
    samples = [
        sample(),
        sample(
            "s-2", volume=-1.5, project_id=None, metadata={"é": [1, {"b": None, "a": True}], "a": {"z": "", "y": 2}}
        ),
        sample("s-3", volume=2**63, resource_id="x" * 300, metadata={"list": [], "bytes": 2**40}),
    ]
    sent: list[list[bytes]] = []
    options = "publisher_id=host-1&" if kind == "tcp" else ""
    for ours in (True, False):
        receiver: Receiver = TCPReceiver() if kind == "tcp" else UDPReceiver()
        if ours:
            publisher = open_publisher(f"{receiver.url}?{options}telemetry_secret=secret")
            publisher.publish(Batch(samples=samples))
            publisher.close()
        else:
            given = write_json([receiver.url, samples])
            subprocess.run([ceilometer(), "-c", CEILOMETER], input=given, check=True, capture_output=True, timeout=WAIT)
        sent.append(receiver.packed())
    assert len(sent[0]) == 3
    assert sent[0] == sent[1]


def test_sg_core_takes_text() -> None:
    """With `compat=sg-core` what it declares as text is text, and nothing is left that ends a text for it."""
    receiver = UDPReceiver()
    publisher = open_publisher(f"{receiver.url}?compat=sg-core&publisher_id=h")
    publisher.publish(Batch(samples=[sample(resource_id=7, metadata={"name": 'a "b"', "user_metadata": {"k": 1}})]))
    found = msgpack.unpackb(receiver.packed()[0])
    assert (found["resource_id"], found["resource_metadata"]) == ("7", {"name": "a 'b'", "user_metadata": {"k": "1"}})


@pytest.mark.parametrize(
    ("kind", "bad", "reason"),
    [
        ("tcp", sample("bad", volume=2**64), "cannot be sent: Integer value out of range"),
        ("udp", sample("bad", volume=2**64), "cannot be sent: Integer value out of range"),
        ("udp", sample("bad", metadata={"x": "y" * 65_507}), "a datagram has at most 65,507"),
    ],
)
def test_what_cannot_be_sent_is_refused_alone(kind: str, bad: Sample, reason: str) -> None:
    """A sample that msgpack or a datagram has no room for is refused; its neighbours are sent."""
    receiver: Receiver = TCPReceiver() if kind == "tcp" else UDPReceiver()
    publisher = open_publisher(receiver.url)
    with pytest.raises(PartialDeliveryError) as caught:
        publisher.publish(Batch(samples=[sample("s-1"), bad, sample("s-2")]))
    assert (caught.value.delivered, len(caught.value.again), caught.value.error) == (Delivered(2), 0, None)
    assert [one.item for one in caught.value.refused] == [bad]
    assert reason in caught.value.refused[0].reason
    publisher.close()
    assert [sample_of(packed).id for packed in receiver.packed()] == ["s-1", "s-2"]


def test_a_receiver_that_comes_back() -> None:
    """A connection that the receiver ended is noticed before a frame is lost on it, and made anew."""
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = int(once.getsockname()[1])
        publisher = open_publisher(f"tcp://127.0.0.1:{port}")
        publisher.publish(Batch(samples=[sample("s-1")]))
        connection, _ = once.accept()
        connection.recv(2**16)
        connection.close()
    with pytest.raises(RetryableDeliveryError, match="refused, nobody listens there"):
        publisher.publish(Batch(samples=[sample("s-2")]))
    receiver = TCPReceiver(port=port)
    assert publisher.publish(Batch(samples=[sample("s-2"), sample("s-3")])) == Delivered(2)
    publisher.close()
    assert [sample_of(packed).id for packed in receiver.packed()] == ["s-2", "s-3"]


def test_a_frame_is_sent_whole_or_again() -> None:
    """A receiver that stops reading in the middle of a frame gets no other frame on that connection."""
    large = sample("large", metadata={"x": "y" * 30_000_000})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        publisher = open_publisher(f"tcp://127.0.0.1:{listener.getsockname()[1]}?timeout=0.2")
        with pytest.raises(PartialDeliveryError) as caught:
            publisher.publish(Batch(samples=[sample("s-1"), large, sample("s-2")]))
        assert caught.value.delivered == Delivered(1)
        assert [one.id for one in caught.value.again.samples] == ["large", "s-2"]
        assert str(caught.value.error).endswith("no answer within 0.2 s")
        publisher.publish(Batch(samples=[sample("s-2")]))
        publisher.close()
        connections = [listener.accept()[0].makefile("rb").read() for _ in "12"]
    assert connections[0].startswith(frame(connections[0]))
    assert [sample_of(connections[1][8:]).id] == ["s-2"]


def frame(data: bytes) -> bytes:
    return data[: 8 + int.from_bytes(data[:8], "little")]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tcp://", "is no host and port, as tcp://collector:4952 is"),
        ("udp://host/place", "is no host and port, as udp://collector:4952 is"),
        ("tcp://user:s3cr3t@host", "is no host and port"),
        ("tcp://host:many", "tcp://host:many: Port could not be cast"),
        ("tcp://host:70000", "Port out of range"),
        ("tcp://host?timeout=0", "Expected `float` > 0.0"),
        ("udp://host?timeout=1", "unknown option 'timeout'"),
        ("udp://host?compat=statsd", "Invalid enum value 'statsd'"),
    ],
)
def test_what_is_no_url(url: str, said: str) -> None:
    """What is wrong with a URL is said before anything is opened, and secrets are not."""
    with pytest.raises(PublisherURLError) as caught:
        open_publisher(url)
    assert said in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_host_that_is_not_known(kind: str) -> None:
    """A name without an address is said by `check` and by `publish`, and may have one later."""
    publisher = open_publisher(f"{kind}://no-such-host.invalid?telemetry_secret=s3cr3t")
    said = []
    with pytest.raises(RetryableDeliveryError) as caught:
        publisher.publish(Batch(samples=[sample()]))
    said.append(str(caught.value))
    with pytest.raises(DeliveryError) as checked:
        publisher.check()
    said.append(str(checked.value))
    assert all(one.startswith(f"{kind}://no-such-host.invalid: the name cannot be resolved: ") for one in said)
    assert "s3cr3t" not in "".join([*said, repr(publisher)])


def test_nobody_listens() -> None:
    """TCP says so at once, UDP with the datagram after the one that was lost."""
    port = free_port()
    tcp, udp = open_publisher(f"tcp://127.0.0.1:{port}"), open_publisher(f"udp://127.0.0.1:{port}")
    with pytest.raises(RetryableDeliveryError, match="refused, nobody listens there"):
        tcp.check()
    udp.check()
    with pytest.raises(DeliveryError, match="refused, nobody listens there"):
        udp.publish(Batch(samples=[sample("s-1"), sample("s-2")]))


def test_ipv6() -> None:
    """An address with colons stands in brackets."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    receiver = TCPReceiver("::1")
    publisher = open_publisher(receiver.url)
    assert publisher.publish(Batch(samples=[sample()])) == Delivered(1)
    publisher.close()
    assert len(receiver.packed()) == 1


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its library it says what to install."""
    monkeypatch.setitem(sys.modules, "msgpack", None)
    monkeypatch.delitem(sys.modules, "eventdefs.publishers.frames", raising=False)
    with pytest.raises(PublisherURLError, match=r"pip install eventdefs\[msgpack\]"):
        open_publisher("tcp://h")
