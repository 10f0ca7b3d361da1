"""What the HTTP package needs from the packages below it, as protocols; `assembly` provides it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ha_rag.breaker.report import CircuitReport, FleetReport
from ha_rag.circuit.state import OverrideMode
from ha_rag.http.access import Access
from ha_rag.index.listed import DocumentDetails, DocumentFilter, ListPage
from ha_rag.index.single_document import AddedDocument, MediaType
from ha_rag.index.uploading import AddedFile, UploadedFile
from ha_rag.messages import Answer
from ha_rag.monitor.watcher import Watcher
from ha_rag.redaction import NOTHING_KNOWN, Redactor
from ha_rag.strategy.status import ComponentStatus
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted
from ha_rag.telemetry.experiment import ExperimentCounter
from ha_rag.telemetry.feedback import Feedback
from ha_rag.telemetry.metrics import Metrics


class Rag(Protocol):
    """Answers questions."""

    async def query(
        self, question: str, top_k: int = 3, timeout_s: float | None = None, wishes: str = "", asker: str = ""
    ) -> Answer: ...
    def stream(
        self, question: str, top_k: int = 3, timeout_s: float | None = None, wishes: str = "", asker: str = ""
    ) -> AsyncGenerator[AnswerStarted | AnswerPiece | AnswerDone | AnswerBroken, None]: ...
    def get_system_health(self) -> Mapping[str, ComponentStatus]: ...


class CircuitControl(Protocol):
    """The circuits of the fleet, and operator actions on them."""

    @property
    def replica(self) -> str: ...
    @property
    def shared_state(self) -> str: ...
    @property
    def limits(self) -> Sequence[str]: ...
    @property
    def warnings(self) -> Sequence[str]: ...
    async def circuits(self) -> Sequence[CircuitReport]: ...
    async def override(
        self, name: str, mode: OverrideMode, *, reason: str, by: str, for_s: float | None
    ) -> CircuitReport: ...
    async def end_override(self, name: str, *, by: str) -> CircuitReport: ...
    async def fleet(self) -> FleetReport: ...


class Documents(Protocol):
    """Reads and changes the index. Raises IndexStoreError and UnreadableDocumentError."""

    async def page(self, wanted: DocumentFilter, limit: int, after: bytes) -> ListPage:
        """At most `limit` documents that fit, from the one that follows the id `after`."""
        ...

    async def details(self, document: str, limit: int, after: int) -> DocumentDetails | None:
        """A document with at most `limit` of its passages, from the one that follows the number `after`, if there is
        one with this id.
        """
        ...

    async def add(
        self,
        document: str | None,
        text: str,
        title: str,
        metadata: Mapping[str, Any],
        media_type: MediaType | None = None,
    ) -> AddedDocument:
        """Adds a document, replacing one with the same id. `document` None: the id is derived from the content."""
        ...

    async def add_files(self, files: Sequence[UploadedFile]) -> Sequence[AddedFile]:
        """Reads files and adds what could be read of them, in one step. A result for each file."""
        ...

    async def delete(self, document: str) -> bool:
        """Deletes a document. False if there was none."""
        ...

    def loaded(self) -> bool:
        """Whether an index is loaded, even an empty one. A memory read."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Number of documents and passages, vector spaces, and the current problem. A memory read."""
        ...


class HttpSpan(Protocol):
    """The span of one request."""

    def replied(self, status: int) -> None:
        """Records the status of the reply."""
        ...


class RequestTraces(Protocol):
    """Creates spans of requests."""

    def request(self, method: str, route: str, headers: Mapping[str, str]) -> AbstractContextManager[HttpSpan]:
        """A span that lasts as long as the block. `headers`: the caller's trace context, and the request id."""
        ...

    def close(self) -> None:
        """Exports what is left, within a few seconds. Blocks: not for use on an event loop."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Limits on requests: time in seconds, and number in flight."""

    request_timeout_s: float = 30.0
    max_concurrent: int = 256


@dataclass(slots=True, kw_only=True)
class DashboardService:
    """What the dashboard's endpoints need. `draining`: the process is shutting down.

    `redactor`: strikes this process's secrets out of what others have written to Redis.
    """

    circuits: CircuitControl
    watcher: Watcher
    access: Access = field(default_factory=Access)
    draining: bool = False
    redactor: Redactor = NOTHING_KNOWN

    def drain(self) -> None:
        """Marks the process as shutting down."""
        self.draining = True


@dataclass(slots=True, kw_only=True)
class Service(DashboardService):
    """What a replica's endpoints need.

    `in_flight`: number of admitted requests; `receiving`: number of requests whose body has not arrived yet.
    `strict_parameters`: refuse OpenAI's parameters that have no effect, unless a request says otherwise.
    `shares_state`: whether a Redis is configured; without one, "local" state does not degrade health. `traces`: None if
    tracing is off. `feedback`: None where none is taken. `quality`: which measured figures are used, and why; None if
    that is not known. `experiment`: the running one, if any; `asker_header`: names who asks, where the request does
    not.
    """

    rag: Rag
    documents: Documents
    metrics: Metrics
    limits: RequestLimits = field(default_factory=RequestLimits)
    strict_parameters: bool = False
    shares_state: bool = False
    traces: RequestTraces | None = None
    feedback: Feedback | None = None
    experiment: ExperimentCounter | None = None
    asker_header: str = ""
    in_flight: Callable[[], int] = lambda: 0
    receiving: Callable[[], int] = lambda: 0
    quality: Callable[[], Mapping[str, Any] | None] = lambda: None
