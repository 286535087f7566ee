"""`tcp://` and `udp://` send samples as Ceilometer does: one msgpack map each, in the counter shape.

For monitoring. Nobody answers, so what was sent may be lost with the connection: at most once, and nothing here is
proof that a sample arrived.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from eventdefs.encode import counter_sample, sg_core_sample, signed
from eventdefs.errors import PartialDeliveryError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers import Batch, Delivered, PublisherURL
from eventdefs.publishers.urls import Options
from eventdefs.types import Refused, Sample

try:
    import msgpack
except ImportError as error:
    raise PublisherURLError("tcp:// and udp:// need msgpack: pip install eventdefs[msgpack]") from error

PORT = 4952
LARGEST_DATAGRAM = 65_507
"""Bytes that one UDP datagram carries over IPv4."""

Compatibility = Literal["none", "sg-core"]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class UDPOptions(Options, frozen=True):
    """Options of `udp://`.

    Attributes:
        publisher_id: the host that the samples say they come from; by default none, as Ceilometer has it, and the
            name of this host for sg-core, which demands one.
        telemetry_secret: what the samples are signed with; without it the signature is empty.
        compat: `sg-core` writes what sg-core reads.
    """

    publisher_id: str = ""
    telemetry_secret: str = ""
    compat: Compatibility = "none"


class TCPOptions(UDPOptions, frozen=True):
    """Options of `tcp://`: those of `udp://`, where `publisher_id` is the name of this host by default.

    Attributes:
        timeout: seconds to wait for a connection, and for a receiver that does not read.
    """

    timeout: Seconds = 10.0


class _Maps:
    """Makes the msgpack maps."""

    def __init__(self, options: UDPOptions, publisher_id: str | None) -> None:
        self._publisher_id = publisher_id
        self._secret = options.telemetry_secret
        self._sg_core = options.compat == "sg-core"

    def pack(self, sample: Sample) -> bytes:
        """Return *sample* as Ceilometer packs it.

        Raises:
            ValueError, OverflowError, TypeError: msgpack has no form for it, as for an integer beyond 64 bits.
        """
        document = counter_sample(sample, self._publisher_id)
        if self._sg_core:
            document = sg_core_sample(document)
        packed: bytes = msgpack.packb(signed(document, self._secret), use_bin_type=True, unicode_errors="replace")
        return packed


class UDPPublisher:
    """Sends each sample as one datagram: ``udp://collector:4952``."""

    Options: ClassVar[type[msgspec.Struct]] = UDPOptions

    def __init__(self, url: PublisherURL, options: UDPOptions) -> None:
        self._url = url.text
        self._address = _address_of(url)
        by_default = socket.gethostname() if options.compat == "sg-core" else None
        self._maps = _Maps(options, options.publisher_id or by_default)
        self._socket: socket.socket | None = None

    def publish(self, batch: Batch) -> Delivered:
        """Send the samples of *batch*; one that has no place in a datagram is refused."""
        return _publish(self, batch)

    def frame(self, sample: Sample) -> bytes:
        packed = self._maps.pack(sample)
        if len(packed) > LARGEST_DATAGRAM:
            raise ValueError(f"{len(packed):,} bytes, a datagram has at most {LARGEST_DATAGRAM:,}")
        return packed

    def send(self, frame: bytes) -> None:
        self._open().send(frame)

    def reason(self, error: OSError) -> str:
        return _reason(self._url, error)

    def _open(self) -> socket.socket:
        # Connected, so that the system tells us when nobody listens: with the datagram after the one that was lost.
        if self._socket is None:
            family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            opened = socket.socket(family, kind, protocol)
            try:
                opened.connect(address)
            except OSError:
                opened.close()
                raise
            self._socket = opened
        return self._socket

    def check(self) -> None:
        """See that the host has an address. Whether somebody listens cannot be seen."""
        _check(self, self._open)

    def close(self) -> None:
        """Let go; nothing waits."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


class TCPPublisher:
    """Sends each sample as a frame, its length in 8 bytes little-endian and the map: ``tcp://collector:4952``."""

    Options: ClassVar[type[msgspec.Struct]] = TCPOptions

    def __init__(self, url: PublisherURL, options: TCPOptions) -> None:
        self._url = url.text
        self._address = _address_of(url)
        self._maps = _Maps(options, options.publisher_id or socket.gethostname())
        self._timeout = options.timeout
        self._socket: socket.socket | None = None

    def publish(self, batch: Batch) -> Delivered:
        """Send the samples of *batch*; return when the system has taken all of them to be sent."""
        return _publish(self, batch)

    def frame(self, sample: Sample) -> bytes:
        packed = self._maps.pack(sample)
        return len(packed).to_bytes(8, "little") + packed

    def send(self, frame: bytes) -> None:
        """Send a whole frame; over a new connection where the one that was there is no longer.

        A connection that took part of a frame is closed: what followed on it would be read as the rest.
        """
        if self._socket is not None and _is_over(self._socket):
            self.close()
        fresh = self._socket is None
        try:
            self._open().sendall(frame)
        except TimeoutError:
            self.close()
            raise
        except OSError:
            self.close()
            if fresh:
                raise
            self._send_again(frame)

    def _send_again(self, frame: bytes) -> None:
        try:
            self._open().sendall(frame)
        except OSError:
            self.close()
            raise

    def reason(self, error: OSError) -> str:
        return _reason(self._url, error, f"no answer within {self._timeout:g} s")

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._timeout)
        return self._socket

    def check(self) -> None:
        """See that somebody takes the connection."""
        _check(self, self._open)

    def close(self) -> None:
        """Let go; what was sent and not yet received is still sent by the system."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _address_of(url: PublisherURL) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{url.target}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise PublisherURLError(f"{url.text}: {error}") from None
    if not host or "@" in parts.netloc or parts.path.strip("/"):
        raise PublisherURLError(f"{url.text} is no host and port, as {url.scheme}://collector:{PORT} is")
    return host, PORT if port is None else port


def _publish(publisher: TCPPublisher | UDPPublisher, batch: Batch) -> Delivered:
    frames: list[tuple[Sample, bytes]] = []
    refused: list[Refused] = []
    for sample in batch.samples:
        try:
            frames.append((sample, publisher.frame(sample)))
        except (ValueError, OverflowError, TypeError, RecursionError) as error:
            refused.append(Refused(sample, f"cannot be sent: {error}"))
    sent = 0
    try:
        for _, frame in frames:
            publisher.send(frame)
            sent += 1
    except OSError as error:
        publisher.close()
        failure = RetryableDeliveryError(publisher.reason(error))
        if not sent and not refused:
            raise failure from error
        again = batch.part([sample for sample, _ in frames[sent:]])
        raise PartialDeliveryError(Delivered(sent), again, failure, refused) from error
    if refused:
        raise PartialDeliveryError(Delivered(sent), batch.part([]), None, refused)
    return Delivered(sent)


def _check(publisher: TCPPublisher | UDPPublisher, connect: Callable[[], socket.socket]) -> None:
    try:
        connect()
    except OSError as error:
        raise RetryableDeliveryError(publisher.reason(error)) from error


def _is_over(connection: socket.socket) -> bool:
    """Tell whether the other side has ended *connection*; a receiver says nothing else."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def _reason(url: str, error: OSError, late: str = "no answer") -> str:
    if isinstance(error, socket.gaierror):
        return f"{url}: the name cannot be resolved: {error.strerror}"
    if isinstance(error, ConnectionRefusedError):
        return f"{url}: refused, nobody listens there"
    if isinstance(error, TimeoutError):
        return f"{url}: {late}"
    return f"{url}: {error.strerror or error}"
