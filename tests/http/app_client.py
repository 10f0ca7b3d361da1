"""A client that calls the ASGI application without a socket, and stubs for the packages below HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message

from ha_rag.breaker.report import CircuitReport, FleetReport, OverrideReport, ReplicaReport
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.errors import UnknownCircuitError
from ha_rag.events import Sink
from ha_rag.http.app import build_app
from ha_rag.http.service import Service
from ha_rag.index.listed import DocumentDetails, DocumentFilter, ListedDocument, ListedPassage, ListPage
from ha_rag.index.single_document import AddedDocument, MediaType
from ha_rag.index.uploading import AddedFile, UploadedFile
from ha_rag.messages import Answer, Attempt, Citation, ComponentType, Space
from ha_rag.monitor.watcher import Watcher
from ha_rag.outcomes import Outcome
from ha_rag.strategy.status import ComponentStatus
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted
from ha_rag.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[str, str, str | None]:
        """Type, message and param of an error; asserts its form."""
        assert set(self.json) == {"error"}
        assert set(self.json["error"]) == {"type", "message", "param"}
        return self.json["error"]["type"], self.json["error"]["message"], self.json["error"]["param"]


class AppClient:
    """Calls `app` as a client at the address `peer`."""

    def __init__(self, app: ASGIApp, peer: str = "127.0.0.1") -> None:
        self.app = app
        self.peer = peer

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        chunks: Sequence[bytes] | None = None,
        query: Mapping[str, str] | None = None,
        pairs: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """`body`: bytes as they are, anything else as JSON. `chunks`: a chunked body, without a Content-Length.

        `pairs`: headers that may be repeated; they replace the default ones of that name.
        """
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"host": "127.0.0.1:8000", "content-type": "application/json", **(headers or {})}
        if chunks is None:
            sent.setdefault("content-length", str(len(content)))
        pieces = list(chunks) if chunks is not None else [content]
        parts: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": n < len(pieces) - 1} for n, piece in enumerate(pieces)
        ]
        out: list[Message] = []

        async def receive() -> Message:
            return parts.pop(0) if parts else await asyncio.Event().wait()  # type: ignore[return-value]  # never

        async def send(message: Message) -> None:
            out.append(message)

        scope = self._scope(method, path, sent) | {"query_string": urlencode(query or {}).encode()}
        once = [(name, value) for name, value in scope["headers"] if name.decode() not in dict(pairs)]
        scope["headers"] = [*once, *((name.encode(), value.encode("latin-1")) for name, value in pairs)]
        await self.app(scope, receive, send)
        out = [message for message in out if message["type"].startswith("http.response")]
        started = {name.decode(): value.decode() for name, value in out[0]["headers"]}
        return Reply(out[0]["status"], started, b"".join(message.get("body", b"") for message in out[1:]))

    def _scope(self, method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        return {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items() if value],
            "client": (self.peer, 50_000), "server": ("127.0.0.1", 8000),
        }  # fmt: skip


ANSWER = Answer(
    id="a1",
    question="?",
    text="By a probe [1].",
    citations=(Citation(1, "breaker.md", "breaker.md#3", "A probe closes it.", 0.83),),
    served_by={ComponentType.EMBEDDER: "secondary", ComponentType.RETRIEVER: "primary"},
    degraded_stages=("embedder",),
    attempts=(
        Attempt("embedder.primary", Outcome.REJECTED, 0.0, "open"),
        Attempt("embedder.secondary", Outcome.OK, 1.9),
    ),
    shared_state="fresh",
    replica="rag-1",
    ms=41.7,
)


@dataclass
class StubRag:
    """Answers with `answer`, after running `action`. `breaks`: streams end with an error."""

    action: Callable[[], Any] | None = None
    breaks: bool = False
    answer: Answer = ANSWER
    queries: list[tuple[str, int, float | None]] = field(default_factory=list)
    wishes: list[str] = field(default_factory=list)
    askers: list[str] = field(default_factory=list)
    health: dict[str, ComponentStatus] = field(default_factory=dict)

    async def query(
        self, question: str, top_k: int = 3, timeout_s: float | None = None, wishes: str = "", asker: str = ""
    ) -> Answer:
        self.queries.append((question, top_k, timeout_s))
        self.askers.append(asker)
        self.wishes.append(wishes)
        if self.action is not None:
            await self.action()
        return replace(self.answer, question=question)

    async def stream(
        self, question: str, top_k: int = 3, timeout_s: float | None = None, wishes: str = "", asker: str = ""
    ) -> AsyncGenerator[AnswerStarted | AnswerPiece | AnswerDone | AnswerBroken, None]:
        self.wishes.append(wishes)
        self.askers.append(asker)
        if self.action is not None:
            await self.action()
        yield AnswerStarted("a1", ANSWER.served_by, ())
        for piece in ("By a ", "probe [1]."):
            yield AnswerPiece(piece)
        yield AnswerBroken("the service failed", self.answer) if self.breaks else AnswerDone(self.answer)

    def get_system_health(self) -> dict[str, ComponentStatus]:
        return self.health


def report(name: str, **fields: Any) -> CircuitReport:
    calm = CircuitReport(name, CircuitState.CLOSED, None, 0, 0.0, 0.0, 0, None, "", "", (), 0, None, "fleet")
    return replace(calm, **fields)


class StubCircuits:
    """Two circuits; keeps overrides."""

    replica = "rag-1"
    ledger = None

    def __init__(self) -> None:
        self.shared_state = "fresh"
        self.limits: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.reports = {name: report(name) for name in ("embedder.primary", "generator.primary")}
        self.beats: tuple[ReplicaReport, ...] = (ReplicaReport("rag-1~ab", "rag-1", 1000, {"version": "1"}),)

    async def circuits(self) -> list[CircuitReport]:
        return list(self.reports.values())

    async def override(
        self, name: str, mode: OverrideMode, *, reason: str, by: str, for_s: float | None
    ) -> CircuitReport:
        return self._set(name, OverrideReport(str(mode), reason, by, for_s))

    async def end_override(self, name: str, *, by: str) -> CircuitReport:
        return self._set(name, None)

    def _set(self, name: str, override: OverrideReport | None) -> CircuitReport:
        if name not in self.reports:
            raise UnknownCircuitError(name, tuple(self.reports))
        self.reports[name] = replace(self.reports[name], override=override)
        return self.reports[name]

    def add_sink(self, sink: Sink) -> None:
        """Ignores the sink: no events happen here."""

    async def fleet(self) -> FleetReport:
        return FleetReport(self.beats, self.shared_state)


def listed(name: str) -> ListedDocument:
    return ListedDocument(
        id=name, title="", origin="http", source="", state="searchable", reason="", passages=1,
        vectors={Space("m", "", 8): 1}, indexed_ms=1_500,
    )  # fmt: skip


@dataclass
class StubDocuments:
    """Keeps texts in a dict; every change raises `error` if set."""

    texts: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    problem: str | None = None
    readable: bool = True
    metadata: dict[str, Any] = field(default_factory=dict)
    media_types: list[MediaType | None] = field(default_factory=list)
    files: list[list[tuple[str, bytes]]] = field(default_factory=list)
    folders: set[Path] = field(default_factory=set)
    asked: list[tuple[DocumentFilter, int, bytes]] = field(default_factory=list)

    async def add(
        self,
        document: str | None,
        text: str,
        title: str,
        metadata: Mapping[str, Any],
        media_type: MediaType | None = None,
    ) -> AddedDocument:
        if self.error:
            raise self.error
        name = document or "text-1"
        replaced = name in self.texts
        self.texts[name] = text
        self.media_types.append(media_type)
        return AddedDocument(id=name, passages=1, replaced=replaced)

    async def add_files(self, files: Sequence[UploadedFile]) -> list[AddedFile]:
        if self.error:
            raise self.error
        self.files.append([(file.name, file.path.read_bytes()) for file in files])
        self.folders.update(file.path.parent for file in files)
        return [self._added(file) for file in files]

    def _added(self, file: UploadedFile) -> AddedFile:
        if file.name.startswith("bad"):
            return AddedFile(name=file.name, error="contains no text")
        self.texts[file.name] = "uploaded"
        return AddedFile(name=file.name, documents=(AddedDocument(id=file.name, passages=1),), unread=(("p", "why"),))

    async def page(self, wanted: DocumentFilter, limit: int, after: bytes) -> ListPage:
        if self.error:
            raise self.error
        self.asked.append((wanted, limit, after))
        following = sorted(name for name in self.texts if name.encode() > after)
        more = following[limit - 1].encode() if len(following) > limit else None
        return ListPage(documents=tuple(map(listed, following[:limit])), after=more, total=len(self.texts))

    async def details(self, document: str, limit: int, after: int) -> DocumentDetails | None:
        if self.error:
            raise self.error
        if document not in self.texts:
            return None
        passage = ListedPassage(id=f"{document}#0", number=0, text=self.texts[document])
        return DocumentDetails(listed=listed(document), metadata=self.metadata, passages=(passage,)[:limit])

    async def delete(self, document: str) -> bool:
        if self.error:
            raise self.error
        return self.texts.pop(document, None) is not None

    def loaded(self) -> bool:
        return self.readable

    def status(self) -> dict[str, Any]:
        return {"documents": len(self.texts), "passages": 0, "spaces": {}, "problem": self.problem}


@dataclass
class StubReplica:
    """A replica's application over stubs, and the stubs."""

    rag: StubRag = field(default_factory=StubRag)
    circuits: StubCircuits = field(default_factory=StubCircuits)
    documents: StubDocuments = field(default_factory=StubDocuments)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.service = Service(
            rag=self.rag,
            circuits=self.circuits,
            documents=self.documents,
            watcher=Watcher(self.circuits),
            metrics=Metrics(),
            **self.options,
        )
        self.app = build_app(self.service)

    def client(self, peer: str = "127.0.0.1") -> AppClient:
        return AppClient(self.app, peer)
