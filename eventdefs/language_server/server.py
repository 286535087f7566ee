"""The server: the protocol on one side, functions of a text and a position on the other.

Nothing here takes long: what the linter says is worked out beside, and told when it is there. Of several edits that
come meanwhile only the last is looked at.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.uris import from_fs_path, to_fs_path

import eventdefs
from eventdefs.definitions.lint import Report
from eventdefs.definitions.rereading import Rereader
from eventdefs.errors import Finding
from eventdefs.language_server.anchors import Sign, anchor_of, references_of, sign_at
from eventdefs.language_server.completion import complete
from eventdefs.language_server.documents import (
    Document,
    Group,
    group_of,
    lint_group,
    lint_with_corpus,
    still_there,
)
from eventdefs.language_server.explaining import explain_at
from eventdefs.language_server.fixing import Edit, fix_of, silence_of
from eventdefs.language_server.lines import Lines, Span
from eventdefs.language_server.outline import Entry, outline
from eventdefs.language_server.recordings import NONE, Recordings, read_recordings
from eventdefs.language_server.settings import SECTION, Settings, SettingsError
from eventdefs.types import Place

SOURCE = "eventdefs"
IDLE = 0.3
"""Seconds without an edit after which the recorded notifications are asked as well."""
TRIGGERS = [".", ":", " ", "*", "$", "-", "!"]

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
_KINDS = {
    "key": types.CompletionItemKind.Property,
    "word": types.CompletionItemKind.EnumMember,
    "path": types.CompletionItemKind.Field,
    "event": types.CompletionItemKind.Event,
    "anchor": types.CompletionItemKind.Reference,
    "plugin": types.CompletionItemKind.Function,
    "snippet": types.CompletionItemKind.Snippet,
}
_SYMBOLS = {
    "event": types.SymbolKind.Event,
    "sample": types.SymbolKind.Object,
    "trait": types.SymbolKind.Field,
    "attribute": types.SymbolKind.Property,
}


_Position = types.CompletionParams | types.HoverParams | types.DefinitionParams | types.ReferenceParams


class _Said:
    """What was said of a document: of which version, by the linter and by recorded notifications."""

    def __init__(self) -> None:
        self.version = -1
        self.findings: tuple[Finding, ...] = ()
        self.recorded: tuple[Finding, ...] = ()


class Session:
    """One editor's session: its open files, its settings, and what was said."""

    def __init__(self, server: LanguageServer, settings: Settings) -> None:
        self._server = server
        self._command_line = settings
        self._settings = settings
        self._recordings: Recordings = NONE
        self._read_of: tuple[str, ...] = ()
        self._documents: dict[str, Document] = {}
        self._said: dict[str, _Said] = {}
        self._waiting: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._working = False
        self._rereader = Rereader()
        self._looking = asyncio.Lock()  # of the one rereader

    # --- settings and recorded notifications --------------------------------------------------------------------------

    @property
    def _folder(self) -> str | None:
        path: str | None = self._server.workspace.root_path
        return path

    @property
    def _encoding(self) -> str:
        encoding = self._server.workspace.position_encoding
        return str(getattr(encoding, "value", encoding or "utf-16"))

    def apply_settings(self, *given: Any) -> None:
        """Take settings, later ones over earlier ones; what cannot be used is shown and changes nothing."""
        try:
            settings = self._command_line
            for one in given:
                settings = settings.changed(one, self._folder)
        except SettingsError as error:
            self._show(str(error))
            return
        self._settings = settings
        if settings.corpus != self._read_of:
            self._read_of = settings.corpus
            self._start(self._read_recordings(settings.corpus))
        for uri in self._documents:
            self._ask(uri)

    async def _read_recordings(self, paths: tuple[str, ...]) -> None:
        recordings = await asyncio.to_thread(read_recordings, paths)
        if paths != self._read_of:
            return
        self._recordings = recordings
        for problem in recordings.problems[:5]:
            self._show(problem)
        corpus = recordings.corpus
        said = f"{corpus.count:,} recorded notifications of {len(corpus.event_types):,} event types"
        self._server.window_log_message(types.LogMessageParams(types.MessageType.Info, said))
        for uri in self._documents:
            self._ask(uri)

    async def configure(self, options: Any) -> None:
        """Ask the editor for its settings, if it can be asked, and take them over *options*."""
        workspace = self._server.client_capabilities.workspace
        given = None
        if workspace is not None and workspace.configuration:
            items = [types.ConfigurationItem(section=SECTION)]
            given = (await self._server.workspace_configuration_async(types.ConfigurationParams(items)))[0]
        self.apply_settings(_plain(options), _plain(given))

    def _show(self, text: str) -> None:
        self._server.window_show_message(types.ShowMessageParams(types.MessageType.Warning, text))

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- documents ----------------------------------------------------------------------------------------------------

    def put(self, uri: str, version: int) -> None:
        """Take a document that was opened or edited."""
        text = self._server.workspace.get_text_document(uri).source
        self._documents[uri] = Document(uri, to_fs_path(uri) or uri, text, version, self._encoding)
        self._ask(uri)

    def drop(self, uri: str) -> None:
        """Forget a document that was closed, and take back what was said of it."""
        self._documents.pop(uri, None)
        self._said.pop(uri, None)
        self._waiting.pop(uri, None)
        self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    # --- findings -----------------------------------------------------------------------------------------------------

    def _ask(self, uri: str) -> None:
        self._waiting[uri] = None
        if not self._working:
            self._working = True
            self._start(self._work())

    async def _work(self) -> None:
        while self._waiting:
            uri = next(iter(self._waiting))
            del self._waiting[uri]
            document = self._documents.get(uri)
            try:
                if document is not None:
                    await self._look_at(document)
            except Exception:  # The loop goes on with the next edit, and the editor's log has what happened.
                said = f"{document and document.file}: {traceback.format_exc()}"
                self._server.window_log_message(types.LogMessageParams(types.MessageType.Error, said))
        self._working = False

    async def _look_at(self, document: Document) -> None:
        if not document.is_definitions():
            self._publish(document, (), None)
            return
        group = await self._group(document)
        async with self._looking:
            report = await asyncio.to_thread(lint_group, group, self._rereader)
        for file, one in group.documents.items():
            if self._is_current(one):
                self._publish(one, tuple(finding for finding in report.findings if finding.place.file == file), None)
        if self._recordings:
            self._start(self._ask_recordings(group, report))

    async def _group(self, document: Document) -> Group:
        documents = list(self._documents.values())
        if not self._settings.definitions:
            return group_of(document, documents, ())
        return await asyncio.to_thread(group_of, document, documents, self._settings.definitions)

    async def _ask_recordings(self, group: Group, report: Report) -> None:
        await asyncio.sleep(IDLE)
        if not all(self._is_current(document) for document in group.documents.values()):
            return
        found = await asyncio.to_thread(lint_with_corpus, report, self._recordings.corpus)
        for file, one in group.documents.items():
            if self._is_current(one):
                mine = tuple(finding for finding in found if finding.place.file == file)
                self._publish(one, self._said[one.uri].findings, mine)

    def _is_current(self, document: Document) -> bool:
        return self._documents.get(document.uri) is document

    def _publish(self, document: Document, findings: tuple[Finding, ...], recorded: tuple[Finding, ...] | None) -> None:
        """Say what was found.

        *recorded*: what recorded notifications say; None where they were not asked yet, and what they said of lines
        that are as they were stands.
        """
        said = self._said.setdefault(document.uri, _Said())
        said.version = document.version
        said.findings = findings
        if recorded is None:
            rows = document.text.split("\n") if said.recorded else []
            recorded = tuple(finding for finding in said.recorded if still_there(finding, rows))
        said.recorded = recorded
        diagnostics = [self._diagnostic(document, finding) for finding in (*findings, *recorded)]
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(document.uri, diagnostics, document.version)
        )

    def _diagnostic(self, document: Document, finding: Finding) -> types.Diagnostic:
        related = [
            _related(uri, lines, place) for place in finding.related for uri, lines in self._where(document, place)
        ]
        return types.Diagnostic(
            range=_range(document.lines.span(finding.place)),
            message="\n".join(filter(None, (finding.message, finding.hint))),
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            source=SOURCE,
            related_information=related or None,
        )

    def _where(self, document: Document, place: Place) -> Iterable[tuple[str, Lines]]:
        """Yield the URI and the lines of the file of *place*; nothing where it is no file."""
        if place.file == document.file:
            yield document.uri, document.lines
            return
        for other in self._documents.values():
            if other.file == place.file:
                yield other.uri, other.lines
                return
        uri = from_fs_path(place.file)
        if uri is not None:
            yield uri, Lines("\n" * place.line, self._encoding)

    async def actions(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """Return the edits for what was found in a range."""
        document = self._documents.get(params.text_document.uri)
        wanted = params.context.only
        if document is None or (wanted and not any("quickfix".startswith(str(_value(kind))) for kind in wanted)):
            return []
        said = self._said.get(document.uri)
        if said is None or said.version != document.version:
            await self._look_at(document)
            said = self._said.get(document.uri, said)
        actions = []
        for finding in () if said is None else (*said.findings, *said.recorded):
            if _meets(document.lines.span(finding.place), params.range):
                edits = [edit for edit in (fix_of(finding), silence_of(finding, document.text)) if edit is not None]
                actions += [self._action(document, finding, edit) for edit in edits]
        return actions

    def _action(self, document: Document, finding: Finding, edit: Edit) -> types.CodeAction:
        place = edit.place
        begin = document.lines.span(place._replace(end_column=place.column))[0]
        end = document.lines.span(place._replace(column=place.end_column, end_column=place.end_column))[0]
        change = types.TextEdit(_range(Span(begin, end)), edit.text)
        return types.CodeAction(
            title=edit.title,
            kind=types.CodeActionKind.QuickFix,
            diagnostics=[self._diagnostic(document, finding)],
            is_preferred=edit.preferred,
            edit=types.WorkspaceEdit(changes={document.uri: [change]}),
        )

    # --- questions ----------------------------------------------------------------------------------------------------

    def completion(self, params: types.CompletionParams) -> types.CompletionList | None:
        found = self._found(params)
        if found is None:
            return None
        document, line, column = found
        answer = complete(document.lines.rows, line, column, document.signs, self._recordings)
        if answer is None:
            return None
        span = _range(
            Span(document.lines.position(line, answer.begin), document.lines.position(line, max(answer.end, column)))
        )
        quoted = document.lines.rows[line][answer.begin : answer.begin + 1] in ("'", '"')
        items = [
            types.CompletionItem(
                label=proposal.label,
                kind=_KINDS[proposal.kind],
                detail=proposal.detail or None,
                documentation=_markdown(proposal.documentation) if proposal.documentation else None,
                sort_text=f"{number:04}",
                filter_text=proposal.text if quoted else proposal.label,
                text_edit=types.TextEdit(span, proposal.text),
            )
            for number, proposal in enumerate(answer.proposals)
        ]
        return types.CompletionList(is_incomplete=not answer.whole, items=items)

    def hover(self, params: types.HoverParams) -> types.Hover | None:
        found = self._found(params)
        if found is None:
            return None
        document, line, column = found
        said = explain_at(document.lines.rows, line, column, document.signs, self._recordings)
        if said is None:
            return None
        position = partial(document.lines.position, line)
        return types.Hover(_markdown(said.text), _range(Span(position(said.begin), position(said.end))))

    def definition(self, params: types.DefinitionParams) -> types.Location | None:
        found = self._sign(params)
        if found is None:
            return None
        document, sign = found
        anchor = anchor_of(document.signs, sign)
        return None if anchor is None else self._location(document, anchor)

    def references(self, params: types.ReferenceParams) -> list[types.Location] | None:
        found = self._sign(params)
        anchor = None if found is None else anchor_of(found[0].signs, found[1])
        if found is None or anchor is None:
            return None
        document = found[0]
        signs = [anchor] if params.context.include_declaration else []
        return [self._location(document, sign) for sign in (*signs, *references_of(document.signs, anchor))]

    def symbols(self, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | None:
        document = self._documents.get(params.text_document.uri)
        if document is None or not document.is_definitions():
            return None
        return [_symbol(document.lines, entry) for entry in outline(document.lines.rows)]

    def _found(self, params: _Position) -> tuple[Document, int, int] | None:
        """Return the document and the line and column that are asked about; None where there is nothing to say."""
        document = self._documents.get(params.text_document.uri)
        if document is None or not document.may_become_definitions():
            return None
        line = params.position.line
        if line >= len(document.lines.rows):
            return None
        return document, line, document.lines.column(line, params.position.character)

    def _sign(self, params: _Position) -> tuple[Document, Sign] | None:
        found = self._found(params)
        sign = None if found is None else sign_at(found[0].signs, found[1], found[2])
        return None if found is None or sign is None else (found[0], sign)

    def _location(self, document: Document, sign: Sign) -> types.Location:
        position = partial(document.lines.position, sign.line)
        return types.Location(document.uri, _range(Span(position(sign.begin), position(sign.end))))


def _related(uri: str, lines: Lines, place: Place) -> types.DiagnosticRelatedInformation:
    """Return a place that a finding is about too, with its line, or with itself where the file is not open."""
    span = lines.span(place)
    said = lines.rows[span.begin[0]].strip() or str(place)
    return types.DiagnosticRelatedInformation(types.Location(uri, _range(span)), said)


def _value(kind: Any) -> Any:
    return getattr(kind, "value", kind)


def _plain(value: Any) -> Any:
    """Return JSON as Python has it: what is read without a type comes as objects of its own."""
    if hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _markdown(text: str) -> types.MarkupContent:
    return types.MarkupContent(types.MarkupKind.Markdown, text)


def _range(span: Span) -> types.Range:
    return types.Range(types.Position(*span.begin), types.Position(*span.end))


def _meets(span: Span, asked: types.Range) -> bool:
    begin, end = (asked.start.line, asked.start.character), (asked.end.line, asked.end.character)
    return span.begin <= end and begin <= span.end


def _symbol(lines: Lines, entry: Entry) -> types.DocumentSymbol:
    position = partial(lines.position, entry.line)
    return types.DocumentSymbol(
        name=entry.name,
        kind=_SYMBOLS[entry.kind],
        range=_range(lines.whole(entry.line, entry.last)),
        selection_range=_range(Span(position(entry.begin), position(entry.end))),
        detail=entry.detail or None,
        children=[_symbol(lines, child) for child in entry.children],
    )


class _Protocol(LanguageServerProtocol):
    """The protocol of pygls, which leaves a question without an answer where it cannot read its parameters."""

    def structure_message(self, data: Any) -> Any:
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if isinstance(data, dict) and "method" in data and "id" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise


def make_server(settings: Settings) -> LanguageServer:
    """Return a server; *settings* are those of the command line."""
    server = LanguageServer(
        "eventdefs",
        eventdefs.__version__,
        text_document_sync_kind=types.TextDocumentSyncKind.Full,
        protocol_cls=_Protocol,
    )
    session = Session(server, settings)
    options: list[Any] = []

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        options.append(params.initialization_options)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        await session.configure(options[-1])

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        given = _plain(params.settings)
        if isinstance(given, dict) and isinstance(given.get(SECTION), dict):
            session.apply_settings(_plain(options[-1]), given[SECTION])
        else:
            await session.configure(options[-1])

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def did_open(params: types.DidOpenTextDocumentParams) -> None:
        session.put(params.text_document.uri, params.text_document.version)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def did_change(params: types.DidChangeTextDocumentParams) -> None:
        session.put(params.text_document.uri, params.text_document.version)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def did_close(params: types.DidCloseTextDocumentParams) -> None:
        session.drop(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=TRIGGERS))
    def completion(params: types.CompletionParams) -> types.CompletionList | None:
        return session.completion(params)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        return session.hover(params)

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def definition(params: types.DefinitionParams) -> types.Location | None:
        return session.definition(params)

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def references(params: types.ReferenceParams) -> Sequence[types.Location] | None:
        return session.references(params)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def symbols(params: types.DocumentSymbolParams) -> Sequence[types.DocumentSymbol] | None:
        return session.symbols(params)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    async def actions(params: types.CodeActionParams) -> Sequence[types.CodeAction]:
        return await session.actions(params)

    return server


def serve(settings: Settings) -> bool:
    """Speak on standard input and output until the editor ends; tell whether it ended in order."""
    server = make_server(settings)
    streams = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # What somebody's plugin prints is no message.
    server.start_io(*streams)
    return bool(server.protocol._shutdown)
