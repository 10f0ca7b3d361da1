"""Reply schemas, for the OpenAPI document only: `wire` builds the replies, without validation against these."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

SharedState = Literal["fresh", "stale", "local"]
State = Literal["closed", "open", "half_open"]


class ErrorFacts(BaseModel):
    """An error."""

    type: str = Field(examples=["invalid_request"])
    message: str = Field(examples=["top_k: must be at most 50"])
    param: str | None = Field(examples=["top_k"])


class ErrorReply(BaseModel):
    """The form of every error."""

    error: ErrorFacts


class CitationReply(BaseModel):
    """A passage cited by the answer; `n`: its number in the answer's text."""

    n: int
    document: str
    passage: str
    text: str
    score: float


class AttemptReply(BaseModel):
    """One tier that was tried or skipped."""

    circuit: str
    outcome: Literal["ok", "failed", "timeout", "slow", "throttled", "invalid", "rejected", "cancelled", "skipped"]
    state: State | Literal[""] = Field(description="State of its circuit; empty for the last fallback, which has none.")
    ms: float
    reason: str | None = Field(default=None, description="Why, if known.")


class QualityReply(BaseModel):
    """Measured retrieval quality of the tiers that served, and of the best tiers."""

    expected: float
    best: float
    metric: str


class QueryReply(BaseModel):
    """An answer, and how it was produced."""

    id: str
    question: str
    answer: str
    citations: list[CitationReply]
    degraded: bool
    degraded_stages: list[str]
    served_by: dict[str, str]
    attempts: list[AttemptReply]
    quality: QualityReply | None
    shared_state: SharedState
    replica: str
    ms: float


class OverrideReply(BaseModel):
    """An operator's override of a circuit."""

    mode: Literal["open", "closed", "disabled", "shadow"]
    reason: str
    by: str
    ends_in_s: float | None


class HereReply(BaseModel):
    """The state that applies to this replica's calls, if it differs from the shared state."""

    state: State
    why: Literal["overlay", "local"]


class CircuitReply(BaseModel):
    """One circuit, in its shared state."""

    name: str
    state: State
    override: OverrideReply | None
    epoch: int
    failure_rate: float
    slow_rate: float
    samples: int
    recovers_in_s: float | None
    reason: str
    opened_by: str
    voters: list[str]
    open_count: int
    changed_at: float | None = Field(description="Unix time in seconds, by the clock of Redis.")
    scope: Literal["fleet", "replica"]
    here: HereReply | None


class CircuitsReply(BaseModel):
    """All circuits."""

    circuits: list[CircuitReply]
    shared_state: SharedState
    replica: str


class DocumentReply(BaseModel):
    """A document that was added."""

    document: str
    passages: int
    replaced: bool = Field(description="Whether a document with this id existed before.")
    missing: dict[str, str] = Field(description="Embedder -> why it returned no vectors; the next ingest adds them.")


class DeletedReply(BaseModel):
    """A document that was deleted."""

    document: str
    deleted: bool


class ComponentReply(BaseModel):
    """One component, as seen by this replica since it started."""

    circuit: str
    type: str
    name: str
    state: State
    calls: int
    failures: int
    failure_rate: float = Field(description="Share of calls that failed, from 0 to 1.")
    rejected: int = Field(description="Calls refused by the circuit; they were not sent.")
    mean_ms: float
    p99_ms: float
    last_error: str | None = Field(description="Kind of the last failure; its text is in the log.")
    shared_state: SharedState = Field(description="Freshness of the shared state of this circuit.")


class HealthReply(BaseModel):
    """Health of a replica."""

    status: Literal["ok", "degraded"]
    reasons: list[str]
    components: list[ComponentReply]
    shared_state: SharedState
    replica: str
    version: str
    index: dict[str, object]
    draining: bool


class AliveReply(BaseModel):
    """Alive or ready."""

    status: str


class MessageReply(BaseModel):
    """The answer's text."""

    role: Literal["assistant"]
    content: str


class ChoiceReply(BaseModel):
    """The only choice of an answer."""

    index: Literal[0]
    message: MessageReply
    finish_reason: Literal["stop"]


class ChatReply(BaseModel):
    """An answer; `ha_rag`: the reply of `/v1/query`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChoiceReply]
    ha_rag: QueryReply


class ModelReply(BaseModel):
    """A model."""

    id: str
    object: Literal["model"]
    owned_by: str


class ModelsReply(BaseModel):
    """All models."""

    object: Literal["list"]
    data: list[ModelReply]
