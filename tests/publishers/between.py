"""A proxy between a publisher and a search server, for what a server cannot be made to answer."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError

from eventdefs.testing import free_port


class Between:
    """A proxy that forwards to a server, but for what a test makes of the answers to `_bulk`."""

    def __init__(self, http: str) -> None:
        self.http = http
        self.bulk: Callable[[list[bytes]], tuple[int, bytes] | None] = lambda lines: self.forward("/_bulk", lines)
        self.requests: list[str] = []
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                between.requests.append(f"{self.command} {self.path}")
                if self.path.startswith("/_bulk"):
                    given = between.bulk(body.splitlines())
                else:
                    given = between.send(self.command, self.path, body or None, dict(self.headers))
                if given is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(given[0])
                self.send_header("x-elastic-product", "Elasticsearch")
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(given[1])))
                self.end_headers()
                self.wfile.write(given[1])

            do_GET = do_PUT = do_POST = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        kept = {name: value for name, value in headers.items() if name.lower() in ("accept", "content-type")}
        request = urllib.request.Request(self.http + path, body, kept, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    def forward(self, path: str, lines: list[bytes]) -> tuple[int, bytes]:
        return self.send("POST", path, b"\n".join(lines) + b"\n", {"content-type": "application/x-ndjson"})

    def half(self, lines: list[bytes]) -> tuple[int, bytes]:
        """Forward every second item; say of the others that there is no room now, as a server does."""
        return self.some(lines, lambda number: number % 2 == 1)

    def some(self, lines: list[bytes], takes: Callable[[int], bool]) -> tuple[int, bytes]:
        """Forward the items of those numbers that *takes* says, and say of the others that there is no room now."""
        pairs = [lines[number : number + 2] for number in range(0, len(lines), 2)]
        taken = [number for number in range(len(pairs)) if takes(number)]
        there = []
        if taken:
            there = json.loads(self.forward("/_bulk", [line for number in taken for line in pairs[number]])[1])["items"]
        answers = dict(zip(taken, there, strict=True))
        busy = {"type": "es_rejected_execution_exception", "reason": "rejected execution"}
        items = [answers.get(number, {"create": {"status": 429, "error": busy}}) for number in range(len(pairs))]
        return 200, json.dumps({"errors": True, "items": items}).encode()

    def __enter__(self) -> Between:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
