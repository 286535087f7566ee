"""An editor, as far as a language server sees one: a process on the other end of two pipes, and messages."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
SECONDS = 30.0

JSON = dict[str, Any]


class Editor:
    """Speaks with one language server. Questions wait for their answer; what the server says by itself is kept.

    Attributes:
        process: the server.
        capabilities: what it said it can do.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.capabilities: JSON = {}
        self._number = 0
        self._versions: dict[str, int] = {}
        self._came: queue.Queue[JSON | None] = queue.Queue()
        self._kept: list[JSON] = []
        self.configuration: Any = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while True:
            length = 0
            while line := stream.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not length:
                break
            self._came.put(json.loads(stream.read(length)))
        self._came.put(None)

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: JSON) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, "params": params if params is not None else {}})

    def start_asking(self, method: str, params: Any = None) -> int:
        """Ask without waiting; return the number of the question."""
        self._number += 1
        self.send({"id": self._number, "method": method, **({} if params is None else {"params": params})})
        return self._number

    def ask(self, method: str, params: Any = None) -> Any:
        """Return the result of a question; an error fails."""
        answer = self.answer(self.start_asking(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    def answer(self, number: int) -> JSON:
        return self.wait(lambda message: message.get("id") == number and "method" not in message)

    def wait(self, wanted: Callable[[JSON], bool]) -> JSON:
        """Return the next message that is *wanted*, taken out of those that came."""
        for message in self._kept:
            if wanted(message):
                self._kept.remove(message)
                return message
        while True:
            message = self._came.get(timeout=SECONDS)
            assert message is not None, "the server ended"
            if message.get("method") == "workspace/configuration":
                items = message["params"]["items"]
                self.send({"id": message["id"], "result": [self.configuration for _ in items]})
            elif wanted(message):
                return message
            else:
                self._kept.append(message)

    def said(self, method: str) -> JSON:
        """Return the parameters of the next notification *method*."""
        return self.wait(lambda message: message.get("method") == method)["params"]

    def initialize(
        self, folder: Path, options: Any = None, encodings: list[str] | None = None, configuration: Any = None
    ) -> None:
        self.configuration = configuration
        capabilities: JSON = {"workspace": {"configuration": configuration is not None}}
        if encodings:
            capabilities["general"] = {"positionEncodings": encodings}
        result = self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": folder.as_uri(),
                "capabilities": capabilities,
                **({} if options is None else {"initializationOptions": options}),
            },
        )
        self.capabilities = result["capabilities"]
        self.notify("initialized")

    # --- documents ----------------------------------------------------------------------------------------------------

    def open(self, uri: str, text: str) -> list[JSON]:
        """Open a document; return what is said of it."""
        self._versions[uri] = 1
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return self.diagnostics(uri)

    def start_change(self, uri: str, text: str) -> None:
        self._versions[uri] += 1
        document = {"uri": uri, "version": self._versions[uri]}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def change(self, uri: str, text: str) -> list[JSON]:
        """Replace the text of a document; return what is said of it then."""
        self.start_change(uri, text)
        return self.diagnostics(uri)

    def diagnostics(self, uri: str) -> list[JSON]:
        """Wait for what is said of the document as it is now."""
        version = self._versions[uri]
        said = self.wait(
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
                and message["params"].get("version") == version
            )
        )
        found: list[JSON] = said["params"]["diagnostics"]
        return found

    def at(self, uri: str, line: int, character: int) -> JSON:
        return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}

    def end(self) -> int:
        """End the session in order; return the exit status."""
        assert self.ask("shutdown") is None
        self.notify("exit")
        return self.process.wait(SECONDS)


@contextmanager
def editor(*arguments: str) -> Iterator[Editor]:
    """Start `eventdefs language-server`, and see to it that it is gone in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "eventdefs", "language-server", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TOP)},
    )
    try:
        yield Editor(process)
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()
