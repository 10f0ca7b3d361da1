"""What the HTTP room needs from the floors below, as protocols; the assembly hands it over."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ha_rag.breaker.report import CircuitReport, FleetReport
from ha_rag.circuit.state import OverrideMode
from ha_rag.http.access import Access
from ha_rag.messages import Answer
from ha_rag.monitor.watcher import Watcher
from ha_rag.strategy.status import ComponentStatus
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted
from ha_rag.telemetry.metrics import Metrics


class Rag(Protocol):
    """Answers questions."""

    async def query(self, question: str, top_k: int = 3, timeout_s: float | None = None) -> Answer: ...
    def stream(
        self, question: str, top_k: int = 3, timeout_s: float | None = None
    ) -> AsyncGenerator[AnswerStarted | AnswerPiece | AnswerDone | AnswerBroken, None]: ...
    def get_system_health(self) -> Mapping[str, ComponentStatus]: ...


class CircuitControl(Protocol):
    """What a replica knows of the fleet's circuits, and what an operator may do with them."""

    @property
    def replica(self) -> str: ...
    @property
    def shared_state(self) -> str: ...
    @property
    def limits(self) -> Sequence[str]: ...
    async def circuits(self) -> Sequence[CircuitReport]: ...
    async def override(
        self, name: str, mode: OverrideMode, *, reason: str, by: str, for_s: float | None
    ) -> CircuitReport: ...
    async def end_override(self, name: str, *, by: str) -> CircuitReport: ...
    async def fleet(self) -> FleetReport: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A document that was taken in. `missing`: embedder -> why it gave no vectors now; the next ingest fills them."""

    document: str
    passages: int
    replaced: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)


class Documents(Protocol):
    """Changes what can be found. Raises IndexStoreError and UnreadableDocumentError."""

    async def add(self, document: str | None, text: str, title: str, metadata: Mapping[str, Any]) -> Indexed:
        """Takes a document in, in the place of one with the same id (None: an id from its content)."""
        ...

    async def delete(self, document: str) -> bool:
        """Forgets a document. False where there was none."""
        ...

    def loaded(self) -> bool:
        """Whether there is anything to search: an index that was read, be it empty. A memory read."""
        ...

    def status(self) -> Mapping[str, Any]:
        """How many documents and passages there are, in which spaces, and what is wrong, from memory."""
        ...


class RequestSeen(Protocol):
    """One request, as tracing sees it."""

    def replied(self, status: int) -> None:
        """The status of its reply."""
        ...


class RequestTraces(Protocol):
    """What makes spans of requests."""

    def request(self, method: str, route: str, headers: Mapping[str, str]) -> AbstractContextManager[RequestSeen]:
        """A request, for as long as the block lasts. `headers`: what it carries of the caller's trace, and its id."""
        ...

    def close(self) -> None:
        """Hands over what is left, within a few seconds. Waits: not for an event loop."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What one request may take. Seconds, and requests at a time."""

    request_timeout_s: float = 30.0
    max_concurrent: int = 256


@dataclass(slots=True, kw_only=True)
class DashboardService:
    """A fleet as the street sees it from one process. `draining`: on its way out; takes nothing new."""

    circuits: CircuitControl
    watcher: Watcher
    access: Access = field(default_factory=Access)
    draining: bool = False

    def drain(self) -> None:
        """Begins to leave."""
        self.draining = True


@dataclass(slots=True, kw_only=True)
class Service(DashboardService):
    """One replica as the street sees it.

    `at_work`: how many requests it works on now; `arriving`: how many more are still being sent. `shares_state`:
    whether a shared Redis is configured at all, without which "local" is no shortcoming. `traces`: makes spans of
    requests; None: nobody does.
    """

    rag: Rag
    documents: Documents
    metrics: Metrics
    limits: RequestLimits = field(default_factory=RequestLimits)
    shares_state: bool = False
    traces: RequestTraces | None = None
    at_work: Callable[[], int] = lambda: 0
    arriving: Callable[[], int] = lambda: 0
