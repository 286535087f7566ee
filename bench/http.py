"""Figures of `http://`: posting batches, beside posting their ready bodies with bare urllib3 in the same run.

Both post over one connection that is kept, to the same small server in a process of its own. Ours makes the body of
each batch, which the other was given. One server throws bodies away as fast as it can, so that what remains is our
own work; the other reads them as JSON, as whoever receives them does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

from bench.measure import compare_publishing, timed
from eventdefs.publishers import open_publisher
from eventdefs.publishers.formats import FORMATS, encode_lines
from eventdefs.types import Batch, Event

SIZES = (100, 1000)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/read":
            json.loads(body)
        self.send_response(200 if self.path in ("/read", "/throw") else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def server() -> Iterator[str]:
    """Run the server in another process; give its URL."""
    command = [sys.executable, "-m", "bench.http"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def events(count: int) -> list[Event]:
    """Return events such as those of instances, of some 650 bytes each."""
    return [
        Event(
            f"{number:08x}-5114-4889-91e2-4096258c3a19",
            "compute.instance.create.end",
            datetime(2026, 8, 1, 1, 2, 3, number, tzinfo=UTC),
            f"{number % 50:032x}",
            "info",
            "compute.cmp-02",
            {
                "service": "compute.cmp-02",
                "request_id": f"req-{number:08x}-4548-4977-aac4-0d25d9c3b45c",
                "project_id": f"{number % 50:032x}",
                "instance_id": f"{number:08x}-efdb-4251-b5dc-2841a7c0fdc4",
                "display_name": f"web-{number}",
                "memory_mb": 8192,
                "disk_gb": 40,
                "vcpus": 4,
                "state": "active",
                "launched_at": datetime(2026, 8, 1, 1, 2, 1, tzinfo=UTC),
            },
        )
        for number in range(count)
    ]


def bench_http() -> Iterator[str]:
    """Yield a line for each size of a batch and each server."""
    with server() as url:
        for path, what in (("/read", "read as JSON"), ("/throw", "thrown away")):
            for size in SIZES:
                yield bench_posts(url + path, what, size)


def bench_posts(url: str, what: str, size: int) -> str:
    batch = Batch(events(size))
    body = b"[" + b",".join(encode_lines(FORMATS["native"], batch)) + b"]"
    publisher = open_publisher(f"{url}?timeout=30&proxy=none")
    pools = urllib3.PoolManager()
    headers = {"Content-Type": "application/json"}

    def ours() -> None:
        assert publisher.publish(batch).published == size

    def bare() -> None:
        assert pools.urlopen("POST", url, body=body, headers=headers).status == 200

    ratio = compare_publishing(timed(ours), timed(bare), 21)
    publisher.close()
    name = f"{size:,} events a post, {what} / bare posts"
    spread = f"({ratio.least:.2f} to {ratio.most:.2f})"
    return f"{name:46} {ratio.median:7.2f}  {spread:18} {size / ratio.ours:,.0f} events a second   goal 0.8"


def main() -> None:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{running.server_port}\n")
    sys.stdout.flush()
    running.serve_forever()


if __name__ == "__main__":
    main()
