"""The playground's server and command: what it answers, whom it refuses, and what it makes of texts."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import eventdefs
from eventdefs.cli import main
from eventdefs.consumers.files import find_files, read_messages
from eventdefs.decode import decode_notification
from eventdefs.errors import DefinitionErrors, InputError
from eventdefs.play.evaluating import Evaluate, evaluate, open_text
from eventdefs.play.server import MAX_BODY, PlayServer
from eventdefs.play.sessions import EXAMPLE, PAGE, File, Saved, begin, read_saved
from eventdefs.play.spots import Steps, find_spots, in_document
from tests.test_cli import COMMAND, ENVIRONMENT, TOP

DEFINITIONS = """\
- event_type: volume.*
  traits:
    resource_id: {fields: payload.id, required: true}
    size: {fields: payload.size, type: int}
    host: [payload.host, publisher_id]
    zone: payload.zone
"""
METERS = """\
metric:
  - {name: size, event_type: volume, type: gauge, unit: GiB, volume: $.payload.size, resource_id: $.payload.id}
"""
NOTIFICATION = """\
{
  "message_id": "m-1",
  "event_type": "volume.create.end",
  "publisher_id": "volume.host-1",
  "timestamp": "2026-08-01 10:00:00",
  "payload": {"id": "v-1", "size": 4, "zon": "east"},
  "_context_project_id": "p-1"
}
"""


class Client:
    """Asks one server, a connection a question."""

    def __init__(self, server: PlayServer) -> None:
        self.port = server.server_port

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            given = {"Content-Type": "application/json"} if body is not None else {}
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, data, given | (headers or {}))
            response = connection.getresponse()
            return response, response.read()

    def post(self, path: str, body: Any) -> Any:
        response, data = self.ask("POST", path, body)
        assert response.status == 200, data
        return json.loads(data)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    corpus = [str(TOP / "samples" / "cinder")]
    with PlayServer(begin([], corpus)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Client(server)
        server.shutdown()
        thread.join()


def asked(definitions: str = DEFINITIONS, notification: str = NOTIFICATION, meters: str = METERS) -> Evaluate:
    return Evaluate((File("volumes.yaml", definitions), File("meters.yaml", meters)), notification)


def answer_to(*texts: str) -> Any:
    """Return what `evaluate` says, as it arrives at the page."""
    return json.loads(eventdefs.encode.write_json(evaluate(asked(*texts))))


# --- what texts give --------------------------------------------------------------------------------------------------


def test_evaluation_gives_what_run_gives(client: Client) -> None:
    """Event, samples and periods are those of the conversion, in our own form."""
    answer = client.post("/api/evaluate", msgspec.to_builtins(asked()))
    definitions = eventdefs.parse_definitions(DEFINITIONS)
    event = definitions.convert(decode_notification(NOTIFICATION)).event
    assert answer["event"] == json.loads(eventdefs.encode.encode_event(event))
    assert [(one["name"], one["volume"], one["unit"]) for one in answer["samples"]] == [("size", 4, "GiB")]
    assert (answer["periods"], answer["problems"], answer["decode_error"]) == ([], [], None)


def test_evaluation_explains_each_trait() -> None:
    """A trait says its path, place, type and value, or why it is missing and which path was perhaps meant."""
    traits = {trait["name"]: trait for trait in answer_to()["explanation"]["traits"]}
    size, zone, host = traits["size"], traits["zone"], traits["host"]
    assert (size["value"], size["type"], size["outcome"]) == (4, "int", "value")
    assert (size["place"]["file"], size["place"]["line"], size["place"]["column"]) == ("volumes.yaml", 4, 5)
    assert (size["paths"][0]["path"], size["paths"][0]["place"]["line"]) == ("payload.size", 4)
    assert (host["value"], host["used"]) == ("volume.host-1", 1)
    assert (zone["outcome"], zone["paths"][0]["near"]) == ("missing", "payload.zon")
    assert "zone" in zone["paths"][0]["reason"]


def test_findings_have_their_places_and_fixes() -> None:
    """A finding is where lint has it, with the edit that puts it right; what can be read is evaluated nevertheless."""
    answer = answer_to(DEFINITIONS.replace("type: int", "type: integer"))
    (finding,) = (one for one in answer["findings"] if one["code"] == "E104")
    assert (finding["file"], finding["line"], finding["severity"]) == ("volumes.yaml", 4, "error")
    line = DEFINITIONS.replace("type: int", "type: integer").splitlines()[3]
    assert line[finding["column"] - 1 : finding["end_column"] - 1] == "integer"
    assert (finding["fix"]["text"], finding["fix"]["line"], finding["fix"]["column"]) == ("int", 4, finding["column"])
    assert answer["event"]["traits"]["resource_id"] == "v-1"


UNREADABLE = {
    '{"message_id": }': (1, 16),
    '{\n  "message_id": "m",\n  oops\n}': (3, 3),
    "": (0, 0),
    "[1]": (0, 0),
    '{"message_id": "m"}': (0, 0),
    '{"oslo.version": "2.0", "oslo.message": "{]"}': (0, 0),
}


@pytest.mark.parametrize(("text", "place"), UNREADABLE.items(), ids=range(len(UNREADABLE)))
def test_what_is_no_notification_says_where(text: str, place: tuple[int, int]) -> None:
    """JSON that cannot be read has line and column; findings are there all the same."""
    answer = answer_to(DEFINITIONS + "  oops: 1\n", text)
    error = answer["decode_error"]
    assert (error["line"], error["column"]) == place
    assert error["reason"]
    assert (answer["explanation"], answer["event"]) == (None, None)
    assert answer["findings"]


def test_the_corpus_shows_what_finds_nothing(client: Client) -> None:
    """What recorded notifications show of the definitions is asked apart, and has places as well."""
    files = msgspec.to_builtins(asked(DEFINITIONS.replace("payload.zone", "payload.availability_zon"))).pop("files")
    found = client.post("/api/compare", {"files": files})["findings"]
    assert [(one["file"], one["line"], one["code"]) for one in found if one["severity"] == "warning"] == [
        ("volumes.yaml", 3, "W501"),
        ("volumes.yaml", 6, "W501"),
        ("meters.yaml", 2, "W503"),
    ]
    assert all(one["line"] for one in found)


def test_a_finding_of_a_file_that_is_no_yaml() -> None:
    """Of a file with a syntax error what is left is read."""
    answer = answer_to(DEFINITIONS + "- event_type: [a\n  traits: {}\n")
    assert [(one["code"], one["severity"]) for one in answer["findings"]][:1] == [("E001", "error")]
    assert answer["event"]["traits"]["size"] == 4


HOSTILE = [
    ("- &a [*a]\n", "{}"),
    ("- {event_type: '" + "*a" * 400 + "', traits: {}}\n", NOTIFICATION),
    ("- {event_type: volume.*, traits: {x: $..*..*..*..*}}\n", NOTIFICATION),
    (DEFINITIONS, NOTIFICATION.replace('"v-1"', "[" * 150 + "]" * 150)),
    (DEFINITIONS, NOTIFICATION.replace("4", "1e999")),
    (DEFINITIONS, NOTIFICATION.replace('"v-1"', r'"\ud800"')),
    (DEFINITIONS, NOTIFICATION.replace("4", "123456789012345678901234567890")),
    (DEFINITIONS, '{"event_type": "volume.x", "payload": NaN}'),
    ("\x00", "\x00"),
    ("\ud800", "\ud800"),
]


@pytest.mark.parametrize(("definitions", "text"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_answered(client: Client, definitions: str, text: str) -> None:
    """Whatever stands in the texts, there is an answer with findings or a result."""
    answer = client.post("/api/evaluate", msgspec.to_builtins(asked(definitions, text)))
    assert set(answer) >= {"findings", "decode_error", "explanation", "event", "samples", "periods", "spots"}
    assert answer["findings"] or answer["decode_error"] or answer["explanation"]


def test_big_numbers_stay_whole(client: Client) -> None:
    """The answer has numbers as they are, however large."""
    number = "123456789012345678901234567890"
    _, data = client.ask(
        "POST", "/api/evaluate", msgspec.to_builtins(asked(notification=NOTIFICATION.replace("4", number)))
    )
    assert f'"size":{number}'.encode() in data
    text = json.loads(client.ask("POST", "/api/open", {"notification": f'{{"size": {number}}}'})[1])["text"]
    assert text == f'{{\n  "size": {number}\n}}'


# --- where values stand -----------------------------------------------------------------------------------------------


def value_at(document: Any, steps: Steps) -> Any:
    for step in steps:
        document = document[step]
    return document


def recorded() -> Iterator[tuple[Any, Any]]:
    """Yield each sample: the document as it is written, and the body that paths see."""
    for file in find_files([str(TOP / "samples")]):
        for message in read_messages(file):
            document = json.loads(message.data)
            with contextlib.suppress(eventdefs.DecodeError):
                yield document, decode_notification(message.data).body


def test_spots_lead_to_the_values_of_paths() -> None:
    """For every sample and every path of the shipped definitions: what the steps lead to is what the path gives."""
    paths = {path for one in eventdefs.load_definitions().events for trait in one.traits for path in trait.fields.paths}
    compared = envelopes = 0
    for document, body in recorded():
        for path in paths:
            found = [value for _, value in path.matches(body)]
            spots = find_spots(path.text, body)
            if path.names is not None and found:
                assert [value_at(body, steps) for steps in spots] == found, path.text
            for steps in spots if found else ():
                there = in_document(steps, document)
                if there == ("oslo.message",):
                    envelopes += 1
                elif path.names is not None:
                    expected = value_at(body, steps)
                    got = value_at(document, there)
                    assert got == expected or steps == ("priority",), (path.text, there)
                    compared += 1
    assert compared > 5_000
    assert envelopes > 100


SPOTS: dict[str, list[Steps]] = {
    "payload.id": [("payload", "id")],
    "$.payload.id": [("payload", "id")],
    "payload.'a.b'.c": [("payload", "a.b", "c")],
    "payload.list[*].x": [("payload", "list", 0, "x"), ("payload", "list", 2, "x")],
    "payload.list[?k=2].x": [("payload", "list", 2, "x")],
    "payload.list[0].nothing": [("payload", "list", 0)],
    "payload.nothing.more": [("payload",)],
    "publisher_id.`split(., 0, 1)`": [("publisher_id",)],
    "payload.list[9]": [("payload", "list")],
    "nothing": [],
    "[": [],
}


@pytest.mark.parametrize(("path", "steps"), SPOTS.items(), ids=SPOTS)
def test_spots(path: str, steps: list[Steps]) -> None:
    """A value is pointed at where it is; what is not there as far as keys lead."""
    body = {
        "publisher_id": "a.b",
        "payload": {"id": "v", "a.b": {"c": 1}, "list": [{"x": "one", "k": 1}, {"k": 3}, {"x": "two", "k": 2}]},
    }
    assert find_spots(path, body) == steps


FORMS: list[tuple[dict[str, Any], Steps, Steps]] = [
    ({"metadata": {"message_id": "m"}, "event_type": "e"}, ("metadata", "message_id"), ("metadata", "message_id")),
    ({"message_id": "m", "event_type": "e"}, ("metadata", "message_id"), ("message_id",)),
    ({"event_type": "e", "ctxt": {"a": 1}}, ("ctxt", "a"), ("ctxt", "a")),
    ({"event_type": "e", "_context_a": {"b": 1}}, ("ctxt", "a", "b"), ("_context_a", "b")),
    ({"event_type": "e", "_timeout": 3}, ("ctxt", "client_timeout"), ("_timeout",)),
    ({"event_type": "e"}, ("ctxt", "a"), ()),
    ({"specversion": "1.0", "data": {"x": 1}}, ("payload", "x"), ("data", "x")),
    ({"specversion": "1.0", "id": "m"}, ("metadata", "message_id"), ("id",)),
    ({"specversion": "1.0", "tenantid": "t"}, ("ctxt", "project_id"), ("tenantid",)),
    ({"specversion": "1.0", "traceparent": "t"}, ("ctxt", "traceparent"), ("traceparent",)),
]


@pytest.mark.parametrize(("document", "steps", "there"), FORMS, ids=range(len(FORMS)))
def test_spots_in_other_forms(document: dict[str, Any], steps: Steps, there: Steps) -> None:
    """The same place in the form that somebody pasted."""
    assert in_document(steps, document) == there


# --- HTTP -------------------------------------------------------------------------------------------------------------


def test_the_page_and_its_files(client: Client) -> None:
    """Each file of the page is served with its type, and nothing else of the folder's surroundings."""
    kinds = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for path in [*PAGE.iterdir(), PAGE / "index.html"]:
        response, data = client.ask("GET", f"/{path.name}")
        assert response.status == 200
        assert response.headers["Content-Type"].partition(";")[0] == kinds.get(path.suffix, "application/json")
        assert data == path.read_bytes()
    assert client.ask("GET", "/")[1] == (PAGE / "index.html").read_bytes()
    for path in ("/../server.py", "/%2e%2e/server.py", "/page/", "/index", "//[", "/api", "/api/codes/E000"):
        assert client.ask("GET", path)[0].status == 404, path
    response, data = client.ask("HEAD", "/")
    assert (response.status, data) == (200, b"")
    assert int(response.headers["Content-Length"]) == (PAGE / "index.html").stat().st_size


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """No file names a place outside, so that the page works without a network."""
    named = {
        url for path in PAGE.iterdir() for url in re.findall(r"(?:https?:)?//[\w.]+\.\w+[^\s\"']*", path.read_text())
    }
    assert named == {"http://www.w3.org/2000/svg"}


ANSWERS = [
    ("GET", "/", None),
    ("GET", "/nothing", None),
    ("POST", "/", {}),
    ("GET", "/api/session", None),
    ("POST", "/api/evaluate", {}),
    ("DELETE", "/api/session", None),
    ("BREW", "/", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ANSWERS)
def test_every_answer_forbids_what_is_foreign(client: Client, method: str, path: str, body: Any) -> None:
    """Answers of every kind have the headers, refusals too, and refusals are JSON with the reason."""
    response, data = client.ask(method, path, body)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.headers["Access-Control-Allow-Origin"] is None
    if response.status >= 400:
        assert json.loads(data)["error"]


REFUSED: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/", {"Host": "evil.example"}, 403),
    ("GET", "/api/session", {"Host": "evil.example:8765"}, 403),
    ("GET", "/api/session", {"Host": ""}, 403),
    ("GET", "/api/session", {"Host": "127.0.0.1.evil.example"}, 403),
    ("GET", "/api/session", {"Origin": "http://evil.example"}, 403),
    ("GET", "/api/session", {"Sec-Fetch-Site": "cross-site"}, 403),
    ("GET", "/api/session", {"Sec-Fetch-Site": "same-site"}, 403),
    ("POST", "/api/evaluate", {"Origin": "http://evil.example"}, 403),
    ("POST", "/api/evaluate", {"Origin": "null"}, 403),
    ("POST", "/api/evaluate", {"Origin": "http://127.0.0.1:1"}, 403),
    ("POST", "/api/evaluate", {"Content-Type": "text/plain"}, 415),
    ("POST", "/api/evaluate", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ("GET", "/api/evaluate", {}, 405),
    ("PUT", "/api/evaluate", {}, 405),
    ("OPTIONS", "/api/evaluate", {}, 405),
    ("POST", "/style.css", {}, 405),
    ("POST", "/api/nothing", {}, 404),
    ("GET", "/api/notifications/99999", {}, 404),
    ("GET", "/api/notifications/-1", {}, 404),
    ("GET", "/api/notifications/", {}, 404),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), REFUSED)
def test_who_is_refused(client: Client, method: str, path: str, headers: dict[str, str], status: int) -> None:
    """Another name for this machine, another page, another method or kind of body."""
    body = msgspec.to_builtins(asked()) if method == "POST" else None
    response, _ = client.ask(method, path, body, headers)
    assert response.status == status
    assert status != 405 or response.headers["Allow"] in ("POST", "GET, HEAD")


def test_who_is_not_refused(client: Client) -> None:
    """The page itself, under both names and through a forwarded port."""
    for host in (f"127.0.0.1:{client.port}", f"localhost:{client.port}", "localhost:9999", "LOCALHOST"):
        headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        assert client.ask("POST", "/api/evaluate", msgspec.to_builtins(asked()), headers)[0].status == 200, host


BODIES: list[tuple[Any, int]] = [
    (b"{", 400),
    (b"", 400),
    (b"\xff\xfe", 400),
    ([], 422),
    ({}, 422),
    ({"files": "x", "notification": ""}, 422),
    ({"files": [{"name": 1, "text": ""}], "notification": ""}, 422),
    ({"files": [], "notification": "", "more": 1}, 422),
    ({"files": [], "notification": ""}, 200),
]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=range(len(BODIES)))
def test_bodies(client: Client, body: Any, status: int) -> None:
    """What is no JSON, or not what is asked, is said."""
    response, data = client.ask("POST", "/api/evaluate", body)
    assert response.status == status, data


def raw(port: int, *lines: str) -> bytes:
    """Return what is answered to the head of a request, sent as it is."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        with connection.makefile("rb") as stream:
            return stream.read()


def test_the_size_of_a_body_is_bounded(client: Client) -> None:
    """What is too large, or does not say how large it is, is refused before it is read."""
    head = ("POST /api/evaluate HTTP/1.1", f"Host: 127.0.0.1:{client.port}", "Content-Type: application/json")
    for line, status in {
        f"Content-Length: {MAX_BODY + 1}": 413,
        f"Content-Length: {10**30}": 413,
        "Content-Length: -1": 411,
        "Content-Length: ten": 411,
        "Transfer-Encoding: chunked": 411,
        "X: y": 411,
    }.items():
        answer = raw(client.port, *head, line)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (line, answer)
        assert b"Connection: close" in answer
    assert raw(client.port, "nonsense").startswith(b"HTTP/1.1 400 ")


def test_a_slow_question_holds_up_no_other(client: Client) -> None:
    """While one body is still under way, others are answered; then it is answered as well."""
    body = json.dumps(msgspec.to_builtins(asked())).encode()
    head = f"POST /api/evaluate HTTP/1.1\r\nHost: localhost:{client.port}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as slow:
        slow.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body[:50])
        assert client.ask("GET", "/api/session")[0].status == 200
        assert client.post("/api/evaluate", msgspec.to_builtins(asked()))["event"]
        slow.sendall(body[50:])
        with slow.makefile("rb") as stream:
            assert stream.readline() == b"HTTP/1.1 200 OK\r\n"


def test_who_goes_away_leaves_no_trace(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    """A browser that closes its connection is nothing to write about."""
    for sent in (b"", b"GET / HT", b"POST /api/evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
            connection.sendall(sent)
    assert client.ask("GET", "/")[0].status == 200
    assert capfd.readouterr() == ("", "")


# --- sessions, saved files and tests ----------------------------------------------------------------------------------


def test_the_session_lists_the_corpus(client: Client) -> None:
    """Each shape of each event type can be had, its envelope opened."""
    session = json.loads(client.ask("GET", "/api/session")[1])
    assert [file["name"] for file in session["files"]] == ["event_definitions.yaml", "meters.yaml"]
    assert session["version"] == eventdefs.__version__
    named = {example["event_type"] for example in session["examples"]}
    assert "volume.create.end" in named
    for number, example in enumerate(session["examples"]):
        text = json.loads(client.ask("GET", f"/api/notifications/{number}")[1])["text"]
        assert decode_notification(text).event_type == example["event_type"]


def test_credentials_do_not_reach_the_page(tmp_path: Path) -> None:
    """Tokens in a recorded context are taken out, so that they are not in what somebody saves and sends."""
    document = json.loads(NOTIFICATION) | {"_context_auth_token": "s3cret", "_context_service_catalog": [1]}
    (tmp_path / "one.json").write_text(json.dumps(document))
    session = begin([], [str(tmp_path)])
    assert "s3cret" not in session.notification
    assert "s3cret" not in open_text(json.dumps(document))
    assert decode_notification(session.notification) == decode_notification(document)


def test_saved_files_are_read_back(tmp_path: Path) -> None:
    """What the page saves is what it is opened with, texts with errors too."""
    saved = Saved((File("a.yaml", "- [\n"), File("b.yaml", "ä\u2028")), '{"no": ')
    path = tmp_path / "x.eventdefs.json"
    path.write_bytes(msgspec.json.encode(saved))
    assert json.loads(path.read_text())["kind"] == "playground"
    session = begin([], [], read_saved(path))
    assert (session.files, session.notification) == (saved.definitions, saved.notification)


UNSAVED = [
    "",
    "[]",
    "{}",
    '{"kind": "playground", "version": 2, "definitions": [], "notification": ""}',
    '{"kind": "playground", "version": 1, "definitions": [{"name": "a"}], "notification": ""}',
    DEFINITIONS,
    NOTIFICATION,
]


@pytest.mark.parametrize("text", UNSAVED, ids=range(len(UNSAVED)))
def test_what_is_no_saved_file(tmp_path: Path, text: str) -> None:
    """Says so, with the file and what it may be instead."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.json: not a saved playground: .*--definitions"):
        read_saved(path)


def test_the_example_is_worth_looking_at() -> None:
    """It is without findings, gives an event and a sample, and shows one trait that is missing with the path to use."""
    saved = read_saved(EXAMPLE)
    answer = evaluate(Evaluate(saved.definitions, saved.notification))
    assert (answer["findings"], answer["problems"]) == ([], [])
    assert len(answer["samples"]) == 1
    missing = [one for one in answer["explanation"]["traits"] if one["written"] and one["outcome"] == "missing"]
    assert [one["paths"][0]["near"] for one in missing] == ["payload.instance_type"]


def test_definitions_of_equal_names_are_told_apart(tmp_path: Path) -> None:
    """Files are called by their names, or by their paths where two have one name."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_text(DEFINITIONS.replace("\n", "\r\n"))
    one = begin([str(tmp_path / "a")], [])
    assert one.files == (File("x.yaml", DEFINITIONS),)
    both = begin([str(tmp_path / "a"), str(tmp_path / "b")], [])
    assert [file.name for file in both.files] == [str(tmp_path / name / "x.yaml") for name in "ab"]


def test_definitions_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    """Errors in them are what the page is for; a file that is not there is none."""
    (tmp_path / "bad.yaml").write_text("- [")
    assert begin([str(tmp_path / "bad.yaml")], []).files == (File("bad.yaml", "- ["),)
    with pytest.raises(DefinitionErrors, match=r"nothing\.yaml: error\[E002\]"):
        begin([str(tmp_path / "nothing.yaml")], [])


def test_what_is_exported_as_a_test_passes(client: Client, tmp_path: Path) -> None:
    """The test file runs, and fails once the definitions give something else."""
    text = client.post("/api/case", msgspec.to_builtins(asked()))["text"]
    (tmp_path / "volumes.yaml").write_text(DEFINITIONS)
    (tmp_path / "meters.yaml").write_text(METERS)
    (tmp_path / "volumes.test.yaml").write_text(text)
    assert main(["test", str(tmp_path)]) == 0
    (tmp_path / "volumes.yaml").write_text(DEFINITIONS.replace("payload.zone", "payload.zon"))
    assert main(["test", str(tmp_path)]) == 1
    assert client.ask("POST", "/api/case", {"files": [], "notification": "x"})[0].status == 422


def test_meanings_of_codes_are_served(client: Client) -> None:
    """The page shows what the documentation says of a finding."""
    assert "unknown trait type" in json.loads(client.ask("GET", "/api/codes/E104")[1])["text"].lower()


# --- the command ------------------------------------------------------------------------------------------------------


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "play", "--no-browser", *words],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=TOP,
    )


def test_the_command_says_where_and_ends_with_ctrl_c() -> None:
    """It prints the address, answers there, and an interrupt is its proper end."""
    with start("--port", "0", "--corpus", "samples/trove") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/  \(Ctrl-C ends it\)\n", line)
        assert found is not None, line
        assert raw(int(found[1]), "GET / HTTP/1.1", "Host: localhost", "Connection: close").startswith(b"HTTP/1.1 200 ")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_port_that_is_taken_is_said() -> None:
    """Status 2 and what to do; the port of a server that ended is free at once."""
    with start("--port", "0", "--format", "json") as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        port = url.rpartition(":")[2].rstrip("/")
        raw(int(port), "GET / HTTP/1.1", "Host: localhost", "Connection: close")
        with start("--port", port) as second:
            _, err = second.communicate(timeout=30)
        assert second.returncode == 2
        assert err == (
            f"eventdefs: cannot listen on 127.0.0.1:{port}: Address already in use; --port 0 takes a free one\n"
        )
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    with start("--port", port) as third:
        assert third.stdout is not None
        assert third.stdout.readline().startswith(url)
        third.send_signal(signal.SIGINT)
        third.communicate(timeout=30)


WRONG = [
    (["nothing.eventdefs.json"], "nothing.eventdefs.json: No such file or directory"),
    (["meters.yaml"], "meters.yaml: not a saved playground"),
    (["--definitions", "nothing.yaml"], "nothing.yaml: error[E002]"),
    (["--corpus", "nothing.json"], "nothing.json: there is no such file"),
    (["x.eventdefs.json", "--definitions", "meters.yaml"], "leave out --definitions"),
    (["--port", "70000"], "'70000' is no port"),
    (["--port", "x"], "'x' is no port"),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=range(len(WRONG)))
def test_what_the_command_cannot_do(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 2 with the reason, before anything is listened on."""
    monkeypatch.chdir(TOP)
    try:
        status = main(["play", "--no-browser", *words])
    except SystemExit as error:
        status = int(str(error.code))
    assert status == 2
    assert said in capsys.readouterr().err
