"""The server of the playground: files of the page and a few questions, for this machine's own browser alone.

It listens on loopback only. A page of somebody else cannot use it: a name that resolves to loopback is refused by the
Host header, a request from elsewhere by Origin and Sec-Fetch-Site, and the page itself loads nothing from elsewhere.
Each request has a thread, so that one which takes long holds up no other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple, TypeVar

import msgspec

import eventdefs
from eventdefs.cli.lint import explanation
from eventdefs.decode import read_json
from eventdefs.definitions.corpus import Corpus
from eventdefs.encode import write_json
from eventdefs.errors import DecodeError, EventdefsError
from eventdefs.play.evaluating import Evaluate, Files, compare, evaluate, open_text, write_case
from eventdefs.play.sessions import PAGE, Session, body_text

ADDRESS = "127.0.0.1"
HOSTS = frozenset((ADDRESS, "localhost"))
"""What a browser on this machine calls us, forwarded ports included."""
MAX_BODY = 32 * 1024 * 1024
"""Bytes of a request: definitions and a notification, with room to spare."""
TIMEOUT = 60.0
"""Seconds that a client may keep a connection without saying anything."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Answer(NamedTuple):
    """What a request is answered: a status, a body and what kind it has, and further headers."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = {}


class Refused(Exception):
    """A request that is not answered, with its status and why."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}


class PlayServer(ThreadingHTTPServer):
    """Serves one session on loopback.

    Raises:
        OSError: the port cannot be had.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session = session
        self.corpus = Corpus.of(example.notification for example in session.examples)
        self.pages = {
            f"/{file.name}": Answer(200, file.read_bytes(), _TYPES[file.suffix])
            for file in sorted(PAGE.iterdir())
            if file.suffix in _TYPES
        }
        self.pages["/"] = self.pages["/index.html"]
        self.pages["/favicon.ico"] = self.pages["/favicon.svg"]  # browsers ask for it beside what is no page
        super().__init__((ADDRESS, port), Exchange)

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        # HTTPServer asks the resolver for our name here, which takes seconds where there is no network.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away; of anything else one line."""
        error = sys.exception()
        if not isinstance(error, (ConnectionError, TimeoutError)):
            sys.stderr.write(f"eventdefs: {type(error).__name__}: {error}\n")


class Exchange(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    server: PlayServer
    protocol_version = "HTTP/1.1"
    server_version = "eventdefs"
    sys_version = ""
    timeout = TIMEOUT

    def answer(self) -> None:
        """Answer one request, whatever it is."""
        try:
            answer = self._find_answer()
        except Refused as refused:
            answer = _refusal(refused.status, refused.reason, refused.headers)
        except Exception as error:  # What a page is never to see as a broken connection.
            sys.stderr.write(f"eventdefs: {self.path}: {type(error).__name__}: {error}\n")
            answer = _refusal(500, f"{type(error).__name__}: {error}")
        if answer.status >= 400:
            self.close_connection = True  # a body may be unread
        self._write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def _find_answer(self) -> Answer:
        self._refuse_strangers()
        path = self.path.partition("?")[0]
        if path in self.server.pages:
            self._allow("GET", "HEAD")
            return self.server.pages[path]
        for prefix, read in _READ.items():
            if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
                self._allow("GET", "HEAD")
                return Answer(200, write_json(read(self.server, path.removeprefix(prefix))))
        if path in _ASK:
            self._allow("POST")
            return Answer(200, write_json(_ASK[path](self.server, self._body())))
        raise Refused(404, f"there is no {path[:100]}")

    def _refuse_strangers(self) -> None:
        host = self.headers.get("Host", "")
        if _host_name(host) not in HOSTS:
            raise Refused(403, f"the Host {host[:100]!r} is not this machine; use {self.server.url}")
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            raise Refused(403, f"the Origin {origin[:100]!r} is another page")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise Refused(403, "another page asks")

    def _allow(self, *methods: str) -> None:
        if self.command not in methods:
            raise Refused(405, f"{self.command} is not for {self.path[:100]}", {"Allow": ", ".join(methods)})

    def _body(self) -> Any:
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "expected Content-Type: application/json")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            raise Refused(411, "expected a Content-Length")
        if len(length) > 15 or int(length) > MAX_BODY:
            raise Refused(413, f"at most {MAX_BODY:,} bytes are read")
        data = self.rfile.read(int(length))
        if len(data) < int(length):
            raise Refused(400, "the body ends too early")
        try:
            return read_json(data)
        except DecodeError as error:
            raise Refused(400, error.reason) from None

    def _write(self, answer: Answer) -> None:
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body)), **_HEADERS, **answer.headers}
        if self.close_connection:
            headers["Connection"] = "close"
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request of HTTP in the same form as everything else."""
        self.close_connection = True
        self.request_version = self.protocol_version  # who says none gets the head of an answer as well
        self._write(_refusal(code, message or "not a request"))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: one looks at the page, not at the terminal."""


def _host_name(host: str) -> str:
    """Return the name of a Host header, without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _refusal(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, write_json({"error": reason}), headers=headers or {})


# --- what is asked ----------------------------------------------------------------------------------------------------


def _session(server: PlayServer, rest: str) -> dict[str, Any]:
    session = server.session
    return {
        "version": eventdefs.__version__,
        "files": session.files,
        "notification": session.notification,
        "count": session.count,
        "undecodable": session.undecodable,
        "examples": [
            {
                "event_type": example.notification.event_type,
                "priority": example.notification.priority,
                "place": str(example.place),
                "times": example.times,
            }
            for example in session.examples
        ],
    }


def _example(server: PlayServer, number: str) -> dict[str, Any]:
    examples = server.session.examples
    if not (number.isascii() and number.isdigit() and len(number) < 10 and int(number) < len(examples)):
        raise Refused(404, f"there is no notification {number[:20]}; there are {len(examples)}")
    return {"text": body_text(examples[int(number)].notification)}


def _code(server: PlayServer, code: str) -> dict[str, Any]:
    try:
        return {"text": explanation(code)}
    except EventdefsError as error:
        raise Refused(404, str(error)) from None


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A notification's text."""

    notification: str


Asked = TypeVar("Asked", bound=msgspec.Struct)


def _convert(body: Any, kind: type[Asked]) -> Asked:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise Refused(422, str(error)) from None


def _evaluate(server: PlayServer, body: Any) -> dict[str, Any]:
    return evaluate(_convert(body, Evaluate))


def _compare(server: PlayServer, body: Any) -> dict[str, Any]:
    return compare(_convert(body, Files), server.corpus)


def _open(server: PlayServer, body: Any) -> dict[str, Any]:
    try:
        return {"text": open_text(_convert(body, Text).notification)}
    except DecodeError as error:
        raise Refused(422, error.reason) from None


def _case(server: PlayServer, body: Any) -> dict[str, Any]:
    try:
        return {"text": write_case(_convert(body, Evaluate))}
    except DecodeError as error:
        raise Refused(422, error.reason) from None


_READ: Mapping[str, Callable[[PlayServer, str], dict[str, Any]]] = {
    "/api/session": _session,
    "/api/notifications/": _example,
    "/api/codes/": _code,
}
_ASK: Mapping[str, Callable[[PlayServer, Any], dict[str, Any]]] = {
    "/api/evaluate": _evaluate,
    "/api/compare": _compare,
    "/api/open": _open,
    "/api/case": _case,
}
