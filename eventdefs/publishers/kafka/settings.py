"""What the URL of `kafka://` says: brokers, who we are, TLS, and options."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from eventdefs.errors import PublisherURLError
from eventdefs.publishers.formats import FormatName
from eventdefs.publishers.urls import PublisherURL

PORT = 9092

Security = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]


class KafkaOptions(msgspec.Struct, frozen=True):
    """Options of `kafka://`.

    Attributes:
        client: the library: `confluent-kafka`, `kafka-python`, or `auto` for the first of them that is installed.
        format: `native`, `ceilometer`, `cloudevents` or `monasca`.
        mode: of CloudEvents: `structured`, or `binary`, whose attributes are headers.
        samples_topic, periods_topic, usage_topic: where samples, periods and records of usage go instead of the topic.
        compression: of batches, by the client.
        max_bytes: the largest message, with key and headers; a larger one is refused.
        timeout: seconds in which a message is delivered, retries of the client included.
        linger: seconds that the client waits for more messages to send with the first.
        security: `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`; by default `sasl_ssl` where the URL has a user.
        sasl: how the user and the password of the URL are proved: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        ca_file: certificates that are trusted, instead of the system's.
        cert_file, key_file: our certificate, and its key where that is not in the same file.
        verify: `false` takes any certificate from the broker.
        client_id: what the broker calls us in its logs and quotas.
    """

    client: Literal["auto", "confluent-kafka", "kafka-python"] = "auto"
    format: FormatName = "native"
    mode: Literal["structured", "binary"] = "structured"
    samples_topic: str = ""
    periods_topic: str = ""
    usage_topic: str = ""
    compression: Compression = "gzip"
    max_bytes: Annotated[int, msgspec.Meta(ge=1024, le=512 * 2**20)] = 2**20
    timeout: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    linger: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.005
    security: Security | None = None
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True
    client_id: str = "eventdefs"


@dataclass(frozen=True, slots=True)
class Settings:
    """The URL and its options, read and found to fit together.

    Attributes:
        where: the URL as it may be shown.
        hosts: host and port of each broker that is asked for the others.
        topic: as it stands in the URL, with its fields.
        security: how the broker is spoken to.
        user, password: '' where the broker does not ask.
        tls: what is trusted and shown, None where TLS is not spoken.
    """

    where: str
    hosts: tuple[tuple[str, int], ...]
    topic: str
    options: KafkaOptions
    security: Security
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None

    @property
    def brokers(self) -> list[str]:
        """Return `host:port` of each broker."""
        return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts]


def read_settings(url: PublisherURL, options: KafkaOptions) -> Settings:
    """Return what *url* and *options* say.

    Raises:
        PublisherURLError: they name no broker or topic, do not fit together, or name a file that cannot be used.
    """
    credentials, _, place = url.target.rpartition("@")
    hosts, _, topic = place.partition("/")
    user, _, password = (unquote(part) for part in credentials.partition(":"))
    where = url.text
    if not topic or "/" in topic:
        raise PublisherURLError(f"{where} names no topic, as kafka://localhost:9092/events does")
    security = options.security or ("sasl_ssl" if user else "plaintext")
    if security.startswith("sasl_") and not (user and password):
        raise PublisherURLError(f"{where}: security={security} needs user:password@ before the host")
    if not security.startswith("sasl_") and credentials:
        raise PublisherURLError(f"{where}: security={security} has no use for a user; it is sasl_ssl by default")
    if options.linger >= options.timeout:
        raise PublisherURLError(f"{where}: linger={options.linger:g} is not less than timeout={options.timeout:g}")
    return Settings(
        where,
        tuple(_host(where, text) for text in hosts.split(",")),
        unquote(topic),
        options,
        security,
        user,
        password,
        _tls(where, security, options),
    )


def _host(where: str, text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise PublisherURLError(f"{where}: {text!r} is no host:port: {error}") from None
    if not host:
        raise PublisherURLError(f"{where}: {text!r} is no host:port, as localhost:{PORT} is")
    return host, PORT if port is None else port


def _tls(where: str, security: Security, options: KafkaOptions) -> ssl.SSLContext | None:
    files = {name: getattr(options, name) for name in ("ca_file", "cert_file", "key_file")}
    if not security.endswith("ssl"):
        used = [name for name, path in files.items() if path] + ["verify"] * (not options.verify)
        if used:
            raise PublisherURLError(f"{where}: {used[0]} is of use with security=ssl or sasl_ssl, this is {security}")
        return None
    for name, path in files.items():
        if path and not Path(path).is_file():
            raise PublisherURLError(f"{where}: {name}: there is no file {path}")
    if options.key_file and not options.cert_file:
        raise PublisherURLError(f"{where}: key_file needs cert_file, the certificate of that key")
    name = "ca_file"
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
        if options.cert_file:
            name = "cert_file"
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(options.cert_file, options.key_file or None, password="")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise PublisherURLError(f"{where}: {name}: {files[name]} cannot be used: {_reason(error)}") from error
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
