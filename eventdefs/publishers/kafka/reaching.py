"""Why a broker does not answer: both clients only say that it did not."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from eventdefs.errors import RetryableDeliveryError
from eventdefs.publishers.kafka.settings import Settings

LOOK = 10.0
"""Seconds at most that `check` looks for an answer."""

# ApiVersions, version 0: the one question that a broker answers before it knows who asks.
_QUESTION = b"\x00\x00\x00\x0a" + b"\x00\x12" + b"\x00\x00" + b"\x00\x00\x00\x01" + b"\xff\xff"


def unanswered(settings: Settings, said: str) -> RetryableDeliveryError:
    """Return the error for what nobody confirmed in time; *said* is what the client knows of it."""
    options = settings.options
    why = why_not(settings.hosts, settings.tls, min(options.timeout, 2.0)) or said
    return RetryableDeliveryError(f"{settings.where}: {why or f'no confirmation within {options.timeout:g} s'}")


def unreached(settings: Settings) -> None:
    """See whether a broker answers.

    Raises:
        RetryableDeliveryError: why none does.
    """
    if why := why_not(settings.hosts, settings.tls, min(settings.options.timeout, LOOK)):
        raise RetryableDeliveryError(f"{settings.where}: {why}")


def why_not(hosts: Sequence[tuple[str, int]], tls: ssl.SSLContext | None, timeout: float) -> str:
    """Return why none of *hosts* answers as a broker within *timeout* seconds, '' when one does."""
    reasons = []
    for host, port in hosts:
        reason = _why_not(host, port, tls, timeout / len(hosts))
        if not reason:
            return ""
        reasons.append(f"{host}:{port} {reason}")
    return "; ".join(reasons)


def _why_not(host: str, port: int, tls: ssl.SSLContext | None, timeout: float) -> str:
    try:
        with socket.create_connection((host, port), timeout) as plain:
            return _asked(plain, host, tls)
    except socket.gaierror as error:
        return f"has a name that is not resolved: {error.strerror}"
    except ConnectionRefusedError:
        return "refuses the connection"
    except TimeoutError:
        return "does not answer"
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"


def _asked(plain: socket.socket, host: str, tls: ssl.SSLContext | None) -> str:
    spoken = "no TLS" if tls is None else "TLS"
    try:
        connection = plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
        with connection:
            connection.sendall(_QUESTION)
            answer = connection.recv(1)
    except ssl.SSLCertVerificationError as error:
        return f"has a certificate that is not trusted: {error.verify_message}"
    except ssl.SSLError as error:
        return f"does not speak TLS with us: {error.reason or error}"
    except ConnectionError:
        answer = b""
    if answer == b"\x00":  # the highest byte of the answer's length
        return ""
    if answer == b"\x15":  # how an alert of TLS begins
        return "speaks TLS: security=ssl or sasl_ssl"
    return f"{'answers, but not as a broker' if answer else 'closes the connection'}; it was asked with {spoken}"
