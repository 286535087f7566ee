"""The language server in a session: a process, messages over its pipes, and what an editor does with the answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventdefs.definitions.lint import lint_texts
from eventdefs.language_server.lines import UNITS

from .editor import JSON, SECONDS, TOP, Editor, editor

FOLDER = Path(__file__).resolve().parent
DOTTED = "- event_type: compute.*\n  traits: {host: payload.nova_object.data.host}\n"


@pytest.fixture(scope="module")
def session() -> Iterator[Editor]:
    """A session that tests share; each has documents of its own."""
    with editor() as one:
        one.initialize(TOP)
        yield one


@pytest.fixture
def uri(request: pytest.FixtureRequest) -> str:
    """The name of a document of the test's own."""
    return (FOLDER / f"{request.node.name}.yaml").as_uri()


def said(diagnostics: list[JSON]) -> list[tuple[Any, ...]]:
    """Return (code, severity, line, begin, end) of each."""
    return [
        (
            one["code"],
            one["severity"],
            one["range"]["start"]["line"],
            one["range"]["start"]["character"],
            one["range"]["end"]["character"],
        )
        for one in diagnostics
    ]


def applied(text: str, edits: list[JSON], encoding: str = "utf-16") -> str:
    """Return *text* after *edits*, as an editor applies them."""
    rows = text.split("\n")
    for edit in sorted(edits, key=lambda one: json.dumps(one["range"]), reverse=True):
        (first, begin), (last, end) = (
            (edit["range"][key]["line"], edit["range"][key]["character"]) for key in ("start", "end")
        )
        before, after = cut(rows[first], begin, encoding)[0], cut(rows[last], end, encoding)[1]
        rows[first : last + 1] = (before + edit["newText"] + after).split("\n")
    return "\n".join(rows)


def cut(row: str, units: int, encoding: str) -> tuple[str, str]:
    """Cut *row* after so many code units."""
    for column in range(len(row) + 1):
        if UNITS[encoding](row[:column]) == units:
            return row[:column], row[column:]
    raise AssertionError(f"{units} is within a character of {row!r}")


# --- a session --------------------------------------------------------------------------------------------------------


def test_a_session_from_beginning_to_end() -> None:
    """The server says what it can do, and ends when it is told to, with status 0."""
    with editor() as one:
        one.initialize(TOP)
        assert one.capabilities["positionEncoding"] == "utf-16"
        for name in ("hoverProvider", "definitionProvider", "referencesProvider", "documentSymbolProvider"):
            assert one.capabilities[name] in (True, {})
        assert one.capabilities["codeActionProvider"]["codeActionKinds"] == ["quickfix"]
        assert "completionProvider" in one.capabilities
        assert "documentFormattingProvider" not in one.capabilities
        assert one.end() == 0


def test_an_end_without_shutdown_is_said() -> None:
    """`exit` without `shutdown` before it is status 1, as the protocol has it."""
    with editor() as one:
        one.initialize(TOP)
        one.notify("exit")
        assert one.process.wait(SECONDS) == 1


def test_an_editor_that_is_gone() -> None:
    """Where nobody speaks any more, the server ends."""
    with editor("--stdio") as one:
        one.initialize(TOP)
        assert one.process.stdin is not None
        one.process.stdin.close()
        assert one.process.wait(SECONDS) == 1


# --- findings ---------------------------------------------------------------------------------------------------------


def test_findings_are_those_of_lint(session: Editor, uri: str) -> None:
    """With code, severity, place, hint and what they are related to; an edit puts them right."""
    text = "- event_type: a.b\n  traits: {x: {fields: payload.x, tpe: int}}\n- event_type: a.*\n  traits: {}\n"
    found = session.open(uri, text)
    expected = lint_texts([("f", text)]).findings
    assert [(one["code"], one["message"]) for one in found] == [
        (finding.code, f"{finding.message}\n{finding.hint}".replace("f:", f"{FOLDER}/{uri.rpartition('/')[2]}:"))
        for finding in expected
    ]
    assert said(found) == [("W302", 2, 0, 2, 3), ("W101", 2, 1, 34, 37)]
    assert {one["source"] for one in found} == {"eventdefs"}
    assert found[0]["relatedInformation"] == [
        {
            "location": {
                "uri": uri,
                "range": {"start": {"line": 2, "character": 2}, "end": {"line": 2, "character": 3}},
            },
            "message": "- event_type: a.*",
        }
    ]
    assert session.change(uri, "- event_type: a.b\n  traits: {x: {fields: payload.x, type: int}}\n") == []


def test_a_file_that_is_no_yaml(session: Editor, uri: str) -> None:
    """While somebody types, the error is said, and what else is found in the rest."""
    text = "- event_type: a\n  traits: {x: {fields: payload.x, typ\n"
    text += "- event_type: b\n  traits: {x: {fields: payload.x, type: integer}}\n"
    found = said(session.open(uri, text))
    assert {code for code, *_ in found} == {"E001", "E104"}
    assert ("E104", 1, 3, 40, 47) in found


@pytest.mark.parametrize(
    "text",
    ["apiVersion: v1\nkind: Pod\n", "", "- name: play\n  hosts: all\n", "cases:\n  - name: x\n    event_type: a\n"],
    ids=["kubernetes", "empty", "ansible", "cases"],
)
def test_other_files_are_left_alone(session: Editor, text: str) -> None:
    """An editor hands over every YAML file; of those that are no definitions nothing is said."""
    uri = (FOLDER / f"other.{'test.' if 'cases' in text else ''}yaml").as_uri()
    assert session.open(uri, text) == []
    assert session.ask("textDocument/hover", session.at(uri, 0, 1)) is None
    session.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def test_two_documents(session: Editor, uri: str) -> None:
    """Each has findings of its own; closing one takes back what was said of it."""
    other = uri.replace(".yaml", "-2.yaml")
    assert said(session.open(uri, DOTTED)) == [("W201", 2, 1, 25, 41)]
    assert session.open(other, "- {event_type: a, traits: {}}\n") == []
    assert said(session.change(other, "- {event_type: a}\n")) == [("E102", 1, 0, 2, 3)]
    session.notify("textDocument/didClose", {"textDocument": {"uri": other}})
    closed = session.wait(
        lambda message: (
            message.get("method") == "textDocument/publishDiagnostics"
            and message["params"]["uri"] == other
            and message["params"].get("version") is None
        )
    )
    assert closed["params"] == {"uri": other, "diagnostics": []}
    assert said(session.change(uri, DOTTED + "\n")) == [("W201", 2, 1, 25, 41)]
    assert session.ask("textDocument/hover", session.at(other, 0, 3)) is None


def test_of_many_quick_edits_the_last_counts(session: Editor, uri: str) -> None:
    """Edits that come faster than they are looked at are passed over, but never the last."""
    session.open(uri, DOTTED)
    for number in range(50):
        session.start_change(uri, f"- event_type: a{number}\n  traits: {{x: {{fields: payload.x, type: t{number}}}}}\n")
    (found,) = session.diagnostics(uri)
    assert found["message"].startswith("unknown trait type 't49'")


ENCODINGS = {"utf-8": 42, "utf-16": 34, "utf-32": 30}


@pytest.mark.parametrize(("encoding", "begin"), ENCODINGS.items(), ids=ENCODINGS)
def test_columns_of_an_encoding(encoding: str, begin: int, uri: str) -> None:
    """The server counts columns as the editor wants them, in findings, in questions and in edits."""
    text = "- event_type: a\n  traits: {'😀😀😀😀': {fields: payload.a, tpe: int}, y: payload.nova_object.data.z}\n"
    with editor() as one:
        one.initialize(TOP, encodings=["utf-7", encoding])
        assert one.capabilities["positionEncoding"] == encoding
        found = one.open(uri, text)
        wide = UNITS[encoding]("  traits: {'😀😀😀😀': {fields: payload.a, ")
        assert said(found)[0] == ("W101", 2, 1, wide, wide + 3)
        hover = one.ask("textDocument/hover", one.at(uri, 1, UNITS[encoding]("  traits: {'😀😀😀😀': {fie")))
        assert hover["range"]["start"]["character"] == UNITS[encoding]("  traits: {'😀😀😀😀': {")
        actions = one.ask("textDocument/codeAction", asked(uri, found[1]))
        fixed = applied(text, actions[0]["edit"]["changes"][uri], encoding)
        assert fixed == text.replace("nova_object.data", "'nova_object.data'")
        assert [code for code, *_ in said(one.change(uri, fixed))] == ["W101"]
        items = one.ask("textDocument/completion", one.at(uri, 1, wide))["items"]
        typed = next(item for item in items if item["label"] == "type")
        assert applied(fixed, [typed["textEdit"]], encoding) == fixed.replace("tpe", "type")


def test_columns_need_no_agreement(session: Editor, uri: str) -> None:
    """An editor that names no encoding counts in UTF-16."""
    found = session.open(uri, "- event_type: a\n  traits: {'😀': {fields: payload.a, tpe: int}}\n")
    assert said(found) == [("W101", 2, 1, 37, 40)]


# --- questions --------------------------------------------------------------------------------------------------------


def test_completion_in_a_file_that_is_no_yaml(session: Editor, uri: str) -> None:
    """What is proposed can be written at once, and then the file is one."""
    text = "- event_type: a\n  traits:\n    x: {fields: payload.x, t"
    assert [code for code, *_ in said(session.open(uri, text))] == ["E001"]
    answer = session.ask("textDocument/completion", session.at(uri, 2, 28))
    assert answer["isIncomplete"] is False
    assert [item["label"] for item in answer["items"]] == ["type", "plugin", "description", "required", "on_error"]
    assert sorted(answer["items"], key=lambda item: item["sortText"]) == answer["items"]
    text = applied(text, [answer["items"][0]["textEdit"]])
    assert text.endswith("{fields: payload.x, type: ")
    session.change(uri, text)
    answer = session.ask("textDocument/completion", session.at(uri, 2, len(text.split("\n")[2])))
    text = applied(text, [answer["items"][1]["textEdit"]]) + "}\n"
    assert session.change(uri, text) == []
    assert text == "- event_type: a\n  traits:\n    x: {fields: payload.x, type: int}\n"


def test_hover(session: Editor, uri: str) -> None:
    """A key says what it means, in Markdown."""
    session.open(uri, DOTTED)
    hover = session.ask("textDocument/hover", session.at(uri, 0, 5))
    assert hover["contents"]["kind"] == "markdown"
    assert hover["contents"]["value"].startswith("**event_type** (a glob or a list of globs, required)")
    assert hover["range"] == {"start": {"line": 0, "character": 2}, "end": {"line": 0, "character": 12}}
    assert session.ask("textDocument/hover", session.at(uri, 999, 0)) is None


def test_anchors(session: Editor, uri: str) -> None:
    """From an alias to its anchor, and from the anchor to its aliases."""
    session.open(
        uri, "- event_type: a\n  traits: &t {}\n- {event_type: b, traits: *t}\n- {event_type: c, traits: *t}\n"
    )

    def place(line: int, begin: int) -> JSON:
        span = {"start": {"line": line, "character": begin}, "end": {"line": line, "character": begin + 2}}
        return {"uri": uri, "range": span}

    assert session.ask("textDocument/definition", session.at(uri, 3, 27)) == place(1, 10)
    asked_for = {**session.at(uri, 1, 11), "context": {"includeDeclaration": True}}
    assert session.ask("textDocument/references", asked_for) == [place(1, 10), place(2, 26), place(3, 26)]
    asked_for["context"]["includeDeclaration"] = False
    assert session.ask("textDocument/references", asked_for) == [place(2, 26), place(3, 26)]
    assert session.ask("textDocument/definition", session.at(uri, 0, 3)) is None
    assert session.ask("textDocument/references", {**session.at(uri, 0, 3), "context": asked_for["context"]}) is None


def test_outline(session: Editor, uri: str) -> None:
    """Definitions with their traits; ranges hold those of what is in them."""
    session.open(
        uri, "- event_type: [a, b]\n  traits:\n    x: payload.x\n    y: payload.y\n- {event_type: c, traits: {}}\n"
    )
    first, second = session.ask("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    assert (first["name"], second["name"]) == ("a, b", "c")
    assert [child["name"] for child in first["children"]] == ["x", "y"]
    for inner, outer in ((first["selectionRange"], first["range"]), (first["children"][1]["range"], first["range"])):
        assert outer["start"]["line"] <= inner["start"]["line"] <= inner["end"]["line"] <= outer["end"]["line"]


# --- edits ------------------------------------------------------------------------------------------------------------


def asked(uri: str, diagnostic: JSON, **context: Any) -> JSON:
    return {
        "textDocument": {"uri": uri},
        "range": diagnostic["range"],
        "context": {"diagnostics": [diagnostic], **context},
    }


@pytest.mark.parametrize("number", [0, 1], ids=["fix", "silence"])
def test_an_action_puts_a_finding_right(session: Editor, number: int) -> None:
    """Both the fix and the comment, applied to the text, and the finding is gone."""
    uri = (FOLDER / f"action-{number}.yaml").as_uri()
    (found,) = session.open(uri, DOTTED)
    actions = session.ask("textDocument/codeAction", asked(uri, found))
    assert [(action["kind"], action["isPreferred"]) for action in actions] == [("quickfix", True), ("quickfix", False)]
    assert actions[1]["title"] == "Silence W201 on this line"
    assert actions[number]["diagnostics"] == [found]
    text = applied(DOTTED, actions[number]["edit"]["changes"][uri])
    assert text != DOTTED
    assert session.change(uri, text) == []


def test_actions_are_of_the_text_as_it_is(session: Editor, uri: str) -> None:
    """Asked right after an edit, the actions are those of the new text."""
    (found,) = session.open(uri, DOTTED)
    text = f"# A comment.\n{DOTTED}"
    session.start_change(uri, text)
    found["range"]["start"]["line"] = found["range"]["end"]["line"] = 2
    (fix, _) = session.ask("textDocument/codeAction", asked(uri, found))
    assert "'nova_object.data'" in applied(text, fix["edit"]["changes"][uri])


def test_actions_that_are_asked_for(session: Editor, uri: str) -> None:
    """An editor that wants other kinds of actions, or those of another place, gets none."""
    (found,) = session.open(uri, DOTTED)
    assert session.ask("textDocument/codeAction", asked(uri, found, only=["refactor"])) == []
    assert len(session.ask("textDocument/codeAction", asked(uri, found, only=["quickfix"]))) == 2
    elsewhere = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}}
    assert session.ask("textDocument/codeAction", asked(uri, {**found, **elsewhere})) == []


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with definitions that belong together, and recorded notifications."""
    shutil.copytree(TOP / "samples" / "cinder", tmp_path / "recorded", ignore=shutil.ignore_patterns("*.yaml"))
    (tmp_path / "a.yaml").write_text("- {event_type: volume.create.end, traits: {size: payload.size}}\n")
    (tmp_path / "b.yaml").write_text("- {event_type: volume.*, traits: {size: payload.size}}\n")
    return tmp_path


def test_files_that_belong_together(workspace: Path) -> None:
    """A set of definitions is looked at as one; a file that is not of it stands alone. Open ones count as they are."""
    with editor() as one:
        one.initialize(workspace, {"definitions": ["a.yaml", "b.yaml"]})
        first, second, alone = ((workspace / name).as_uri() for name in ("a.yaml", "b.yaml", "c.yaml"))
        found = one.open(first, (workspace / "a.yaml").read_text())
        assert [code for code, *_ in said(found)] == ["W302"]
        assert found[0]["relatedInformation"][0]["location"]["uri"] == second
        assert one.open(alone, "- {event_type: volume.create.end, traits: {}}\n") == []
        one.open(second, (workspace / "b.yaml").read_text())
        one.diagnostics(first)
        assert one.change(second, "- {event_type: volume.delete.*, traits: {}}\n") == []
        assert one.diagnostics(first) == []


def test_recorded_notifications(workspace: Path) -> None:
    """Values in hovers, paths in proposals, and findings once nobody types."""
    with editor("--corpus", str(workspace / "recorded")) as one:
        one.initialize(workspace)
        assert "recorded notifications of" in one.said("window/logMessage")["message"]
        uri = (workspace / "d.yaml").as_uri()
        text = "- event_type: volume.create.*\n  traits: {size: payload.size, gone: payload.sizes}\n"
        one.open(uri, text)
        hover = one.ask("textDocument/hover", one.at(uri, 1, 24))
        assert hover["contents"]["value"].startswith("`payload.size` finds\n\n- `50` in `volume.create.end`")
        items = one.ask("textDocument/completion", one.at(uri, 1, 24))["items"]
        assert {"payload.size", "payload.volume_id"} <= {item["label"] for item in items}
        assert said(one.diagnostics(uri)) == [("W501", 2, 1, 45, 50)]
        # It stands while another line is edited, and goes with its own.
        assert said(one.change(uri, f"{text}- {{event_type: x, traits: {{}}}}\n")) == [("W501", 2, 1, 45, 50)]
        assert one.change(uri, text.replace("sizes", "volume_id")) == []


def test_settings_are_asked_for_and_changed(workspace: Path) -> None:
    """An editor that can be asked for settings is; a change counts at once; what is wrong is shown."""
    with editor() as one:
        one.initialize(workspace, configuration={"corpus": "recorded"})
        assert "recorded notifications of" in one.said("window/logMessage")["message"]
        uri = (workspace / "a.yaml").as_uri()
        assert one.open(uri, (workspace / "a.yaml").read_text()) == []
        one.configuration = {"corpsu": "recorded"}
        one.notify("workspace/didChangeConfiguration", {"settings": None})
        assert one.said("window/showMessage")["message"].startswith("unknown setting eventdefs.corpsu")
        one.notify("workspace/didChangeConfiguration", {"settings": {"eventdefs": {"definitions": "."}}})
        assert [code for code, *_ in said(one.diagnostics(uri))] == ["W302"]


def test_a_corpus_that_cannot_be_read_is_said(workspace: Path) -> None:
    """The rest works without it."""
    with editor() as one:
        one.initialize(workspace, {"corpus": "nowhere"})
        assert one.said("window/showMessage")["message"] == f"{workspace}/nowhere: there is no such file"
        uri = (workspace / "a.yaml").as_uri()
        assert one.open(uri, "- {event_type: a}\n")[0]["code"] == "E102"


# --- what no editor should send ---------------------------------------------------------------------------------------


def test_garbage_does_no_harm(uri: str) -> None:
    """What is no message is passed over or answered with an error, and the session goes on."""
    with editor() as one:
        one.initialize(TOP)
        one.send_bytes(b"hello\r\n\r\n")
        one.send_bytes(b"Content-Length: 9\r\n\r\n{not json")
        one.send_bytes(b'Content-Length: 4\r\n\r\n"hi"')
        one.send({"method": "no/such/notification", "params": {}})
        one.send({"method": "textDocument/didOpen", "params": {"textDocument": 5}})
        assert one.answer(one.start_asking("no/such/question", {}))["error"]["code"] == -32601
        assert "error" in one.answer(one.start_asking("textDocument/hover", {"textDocument": {}}))
        assert one.ask("textDocument/hover", one.at("file:///nowhere.yaml", 0, 0)) is None
        assert [code for code, *_ in said(one.open(uri, DOTTED))] == ["W201"]
        assert one.end() == 0


def test_cancelling(session: Editor, uri: str) -> None:
    """A question that is cancelled has an answer or an error, and the next one is answered."""
    (found,) = session.open(uri, DOTTED)
    session.start_change(uri, DOTTED + "\n")
    number = session.start_asking("textDocument/codeAction", asked(uri, found))
    session.notify("$/cancelRequest", {"id": number})
    session.notify("$/cancelRequest", {"id": 99_999})
    answer = session.answer(number)
    assert answer.get("error", {"code": -32800})["code"] == -32800
    assert session.ask("textDocument/hover", session.at(uri, 0, 5)) is not None


def test_a_large_file_does_not_hold_up_questions(session: Editor, uri: str) -> None:
    """While a file of 20,000 lines is looked at, a question about another one is answered first."""
    small = uri.replace(".yaml", "-small.yaml")
    session.open(small, DOTTED)
    text = "".join(f"- event_type: a{number}.*\n  traits: {{x: payload.x{number}}}\n" for number in range(10_000))
    session.notify(
        "textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}}
    )
    number = session.start_asking("textDocument/hover", session.at(small, 0, 5))
    first = session.wait(lambda message: message.get("id") == number or message.get("params", {}).get("uri") == uri)
    assert first.get("id") == number
    session.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


# --- the command ------------------------------------------------------------------------------------------------------


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_without_pygls_it_is_said_how_to_install_it() -> None:
    """The extra is not needed for anything else."""
    ran = python(
        "import sys; sys.modules['pygls'] = None\nfrom eventdefs.cli import main\nsys.exit(main(['language-server']))"
    )
    message = "eventdefs: pygls is not installed: pip install 'eventdefs[language-server]'\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", message)


def test_pygls_is_loaded_by_this_command_only() -> None:
    """No other command waits for it."""
    ran = python(
        "import sys\nfrom eventdefs.cli import main\nmain(['lint', 'event_definitions.yaml'])\n"
        "print(sorted({'pygls', 'lsprotocol', 'asyncio', 'jsonschema'} & set(sys.modules)))"
    )
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


def test_settings_of_the_command_line_that_are_none() -> None:
    """A path that is not there is said in the session; an option that is not known before it."""
    ran = subprocess.run(
        [sys.executable, "-m", "eventdefs", "language-server", "--corpsu", "x"],
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 2
    assert "unrecognized arguments: --corpsu x" in ran.stderr
