"""One kept connection to a target: TLS, proxies, redirects on the same host, and what is wrong in words.

urllib3 does the work; its own retries and redirects are off. Nothing of an answer is kept beyond a bound.
"""

from __future__ import annotations

import http.client
import logging
import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urljoin
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as TookTooLong
from urllib3.util import Url, make_headers, parse_url

from eventdefs.errors import AccessDeniedError, PublisherURLError, RetryableDeliveryError
from eventdefs.publishers.http.answers import Answer
from eventdefs.publishers.http.tokens import shown_url

REDIRECTS = 3
"""How many redirects one post follows; only these two statuses ask for the same post elsewhere."""
FOLLOWED = (307, 308)
_PORTS = {"http": 80, "https": 443}


def _without_query(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(one.partition("?")[0] if isinstance(one, str) else one for one in record.args)
    return True


for _name in ("urllib3.connection", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(_without_query)  # they log whole URLs, and a query may let somebody in

_CHUNK = 16_384


class TLS(NamedTuple):
    """What the connection proves, and what has to be proved to it.

    Attributes:
        verify: whether the target's certificate is checked.
        ca: the file or folder with the certificates that are trusted, None for the system's.
        cert, key: our certificate, and its key where that is not in the same file.
    """

    verify: bool = True
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files.

        Raises:
            PublisherURLError: one of them cannot be used.
        """
        folder = self.ca is not None and Path(self.ca).is_dir()
        try:
            context = ssl.create_default_context(cafile=None if folder else self.ca, capath=self.ca if folder else None)
        except OSError as error:
            raise PublisherURLError(f"verify_ssl: {self.ca} has no certificates of CAs: {_strerror(error)}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert is not None:
            try:
                # Without a function for it, OpenSSL would ask at the terminal for the password of a key.
                context.load_cert_chain(self.cert, self.key, password=lambda: b"")
            except OSError as error:
                files = " and ".join(one for one in (self.cert, self.key) if one is not None)
                raise PublisherURLError(
                    f"clientcert: no certificate with its key, without a password, in {files}: {_strerror(error)}"
                ) from error
        return context


def _strerror(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "they cannot be read").replace("_", " ").lower()
    return error.strerror or type(error).__name__


def target_of(scheme: str, text: str) -> tuple[Url, str | None]:
    """Return where *text* of a URL leads, and user and password as they are written, None without.

    Raises:
        PublisherURLError: it names no host, or cannot be read.
    """
    try:
        url = parse_url(f"{scheme}://{text}")
    except LocationValueError:
        raise PublisherURLError(f"{scheme}://...: what stands before the options cannot be read") from None
    if not url.host or url.fragment is not None:
        found = "names no host" if not url.host else "has a '#'"
        raise PublisherURLError(f"{scheme}://... {found}; expected is {scheme}://host:port/path")
    if "@" in (url.path or ""):  # more likely the end of a password than a path, and it would be shown
        raise PublisherURLError(f"{scheme}://... has a '@' after a '/': in a password '/' is %2F, in a path '@' is %40")
    return url._replace(auth=None), url.auth


def proxy_of(url: Url, option: str) -> str | None:
    """Return the URL of the proxy for *url*: the one of the *option*, else the environment's; None for none.

    Raises:
        PublisherURLError: it is of another kind than http and https.
    """
    if option == "none":
        return None
    if option:
        proxy, place = option, "proxy"
    else:
        known = getproxies()
        kind = next((kind for kind in (str(url.scheme), "all") if kind in known), None)
        if kind is None or proxy_bypass(str(url.host).strip("[]")):
            return None
        proxy, place = known[kind], f"{kind}_proxy in the environment"
        if "://" not in proxy:
            proxy = f"http://{proxy}"
    try:
        parsed = parse_url(proxy)
    except LocationValueError:
        raise PublisherURLError(f"{place} cannot be read; expected is http://host:port") from None
    if parsed.scheme not in _PORTS or not parsed.host:
        raise PublisherURLError(f"{place} names no proxy of http or https; expected is http://host:port, or none")
    return proxy


class Connection:
    """Posts to one target, over a connection that is kept open between posts."""

    def __init__(self, url: Url, tls: TLS, *, timeout: float, max_retries: int, proxy: str | None) -> None:
        """Prepare to reach *url*; nothing is opened.

        *timeout* is in seconds: for the connection, for the answer to begin, and for the rest of it. *max_retries*
        says how often a post is made again at once where the connection broke before there was an answer.

        Raises:
            PublisherURLError: a file of *tls* cannot be used.
        """
        self.name = shown_url(url.url)
        self._url = url
        self._tls = tls
        self._timeout = timeout
        self._max_retries = max_retries
        self._proxy = proxy
        self._pools: urllib3.PoolManager | None = self._open()

    def _open(self) -> urllib3.PoolManager:
        context = self._tls.context()
        if not self._tls.verify:  # Whoever asked for it need not be told with every post.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        timeout = urllib3.Timeout(connect=self._timeout, read=self._timeout)
        if self._proxy is None:
            return urllib3.PoolManager(4, maxsize=1, timeout=timeout, ssl_context=context)
        proxy = parse_url(self._proxy)
        user = {} if proxy.auth is None else make_headers(proxy_basic_auth=unquote(proxy.auth))
        return urllib3.ProxyManager(
            proxy._replace(auth=None).url,
            4,
            proxy_headers=user,
            proxy_ssl_context=context,
            maxsize=1,
            timeout=timeout,
            ssl_context=context,
        )

    def request(self, method: str, headers: Mapping[str, str], body: bytes | None, most: int) -> Answer:
        """Return the answer, with at most *most* bytes of its body.

        A redirect that asks for the same on the same host is followed, and one from http to https there; any other
        is the answer.

        Raises:
            RetryableDeliveryError: there is no answer.
        """
        url = self._url
        for _ in range(REDIRECTS):
            answer = self._request(method, url, headers, body, most)
            there = answer.headers.get("location")
            if answer.status not in FOLLOWED or there is None:
                return answer
            following = _followed(url, there)
            if following is None:
                return answer
            url = following
        answer = self._request(method, url, headers, body, most)
        if answer.status in FOLLOWED:
            raise RetryableDeliveryError(f"{self.name} redirects more than {REDIRECTS} times")
        return answer

    def _request(self, method: str, url: Url, headers: Mapping[str, str], body: bytes | None, most: int) -> Answer:
        left = self._max_retries
        while True:
            try:
                if self._pools is None:
                    self._pools = self._open()
                response = self._pools.urlopen(
                    method,
                    url.url,
                    body=body,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
                return self._read(response, most)
            except PublisherURLError as error:  # Files were there when we began, and are being replaced.
                raise RetryableDeliveryError(str(error)) from error
            except (HTTPError, OSError, http.client.HTTPException) as error:
                if left and _broke(error):
                    left -= 1
                    continue
                if isinstance(error, SSLError) and self._pools is not None:
                    self._pools.clear()
                    self._pools = None  # Certificates are read again.
                raise self._said(error, url) from error

    def _read(self, response: urllib3.BaseHTTPResponse, most: int) -> Answer:
        """Read the body as far as it is kept; what comes after that is not waited for."""
        deadline = time.monotonic() + self._timeout
        body = bytearray()
        whole = False
        try:
            while len(body) <= most and time.monotonic() <= deadline:
                chunk = response.read1(min(_CHUNK, most + 1 - len(body)))
                if not chunk:
                    whole = True
                    break
                body += chunk
        except (HTTPError, OSError, http.client.HTTPException):
            pass  # The status is known, and what there is of the body.
        finally:
            if whole:
                response.release_conn()
            else:
                response.close()
        return Answer(response.status, response.headers, bytes(body[:most]), whole)

    def _said(self, error: Exception, url: Url) -> RetryableDeliveryError:
        """Return what *error* says, in one line without anything that the URL hides."""
        name = shown_url(url.url)
        if isinstance(error, ProxyError):
            refused = re.search(r"Tunnel connection failed: ([0-9]{3})", str(error.original_error))
            if refused is not None and refused[1] == "407":
                return AccessDeniedError(f"{name}: the proxy {shown_url(self._proxy or '')} asks who we are (407)")
            why = self._said(error.original_error, url) if isinstance(error.original_error, HTTPError) else None
            said = str(why).partition(": ")[2] if why is not None else _short(error.original_error)
            said = f"it answers {refused[1]}" if refused is not None else said
            return RetryableDeliveryError(f"{name}: the proxy {shown_url(self._proxy or '')} fails: {said}")
        if isinstance(error, SSLError):
            return _tls_error(name, error.args[0] if error.args else error)
        if isinstance(error, NameResolutionError):
            return RetryableDeliveryError(f"{name}: the name of the host is not resolved")
        if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
            return RetryableDeliveryError(f"{name}: no connection within {self._timeout:g} s")
        if isinstance(error, NewConnectionError):
            return RetryableDeliveryError(f"{name}: no connection: {_short(error.__cause__ or error)}")
        if isinstance(error, TookTooLong):
            return RetryableDeliveryError(f"{name}: no answer within {self._timeout:g} s")
        if isinstance(error, ProtocolError) and len(error.args) > 1 and isinstance(error.args[1], Exception):
            return RetryableDeliveryError(f"{name}: the connection broke: {_short(error.args[1])}")
        return RetryableDeliveryError(f"{name}: {_short(error)}")

    def close(self) -> None:
        if self._pools is not None:
            self._pools.clear()


def _followed(url: Url, there: str) -> Url | None:
    """Return where *there* leads from *url*, None where it leaves the host, which would give away who we are."""
    try:
        found = parse_url(urljoin(url.url, there))
    except (LocationValueError, ValueError):
        return None
    same = (found.scheme, found.host, _port(found)) == (url.scheme, url.host, _port(url))
    upgraded = (url.scheme, found.scheme) == ("http", "https") and found.host == url.host
    return found._replace(auth=None, fragment=None) if same or upgraded else None


def _port(url: Url) -> int | None:
    return url.port or _PORTS.get(url.scheme or "")


def _broke(error: Exception) -> bool:
    """Tell whether the connection could not be made or ended before there was an answer, so that one more may do."""
    if isinstance(error, NewConnectionError):
        return not isinstance(error, NameResolutionError)
    return isinstance(error, ProtocolError) and len(error.args) > 1 and isinstance(error.args[1], ConnectionError)


def _short(error: BaseException) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "it was closed without an answer"
    if isinstance(error, socket.gaierror):
        return "the name of the host is not resolved"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return "the answer is no HTTP" if isinstance(error, http.client.HTTPException) else type(error).__name__


_CERTIFICATES = {
    9: "is not valid yet",
    10: "has expired",
    62: "is for another host",
    64: "is for another address",
}
"""What is wrong with a certificate, by OpenSSL's code."""


def _tls_error(name: str, error: object) -> RetryableDeliveryError:
    if isinstance(error, ssl.SSLCertVerificationError):
        what = _CERTIFICATES.get(error.verify_code) or f"is not trusted: {error.verify_message}"
        return RetryableDeliveryError(f"{name}: its certificate {what}")
    reason = getattr(error, "reason", None) or str(error)
    if "ALERT" in reason:
        said = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return AccessDeniedError(f"{name}: it refuses our certificate, or the lack of one: {said}")
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return RetryableDeliveryError(f"{name}: it does not speak TLS on this port")
    return RetryableDeliveryError(f"{name}: TLS fails: {reason.replace('_', ' ').lower()}")
