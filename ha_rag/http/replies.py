"""The replies' forms, for the OpenAPI description only: what is sent is built in `wire`, without a second check."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

SharedState = Literal["fresh", "stale", "local"]
State = Literal["closed", "open", "half_open"]


class ErrorFacts(BaseModel):
    """What went wrong."""

    type: str = Field(examples=["invalid_request"])
    message: str = Field(examples=["top_k: must be at most 50"])
    param: str | None = Field(examples=["top_k"])


class ErrorReply(BaseModel):
    """Every error has this form."""

    error: ErrorFacts


class CitationReply(BaseModel):
    """A passage that the answer leans on; `n` is its number in the answer's text."""

    n: int
    document: str
    passage: str
    text: str
    score: float


class AttemptReply(BaseModel):
    """One tier tried, or passed over."""

    circuit: str
    outcome: Literal["ok", "failed", "timeout", "slow", "throttled", "invalid", "rejected", "cancelled", "skipped"]
    state: State | Literal[""] = Field(description="Its circuit's; empty for a last resort, which has none.")
    ms: float
    reason: str | None = Field(default=None, description="Why, where there is something to say.")


class QualityReply(BaseModel):
    """Measured retrieval quality of what served, and of the best plan there is."""

    expected: float
    best: float
    metric: str


class QueryReply(BaseModel):
    """An answer, and the whole truth about how it came to be."""

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
    """An operator's word over a circuit."""

    mode: Literal["open", "closed", "disabled", "shadow"]
    reason: str
    by: str
    ends_in_s: float | None


class HereReply(BaseModel):
    """Where this replica's calls meet another state than the fleet's."""

    state: State
    why: Literal["overlay", "local"]


class CircuitReply(BaseModel):
    """One circuit, as the fleet believes it."""

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
    changed_at: float | None = Field(description="Unix time in seconds, by Redis's clock.")
    scope: Literal["fleet", "replica"]
    here: HereReply | None


class CircuitsReply(BaseModel):
    """All circuits."""

    circuits: list[CircuitReply]
    shared_state: SharedState
    replica: str


class DocumentReply(BaseModel):
    """A document that was taken in."""

    document: str
    passages: int
    replaced: bool = Field(description="There was one of this id before.")
    missing: dict[str, str] = Field(description="Embedder -> why it gave no vectors now; the next ingest fills them.")


class DeletedReply(BaseModel):
    """A document that is gone."""

    document: str
    deleted: bool


class ComponentReply(BaseModel):
    """One component, as this replica has seen it since it started."""

    circuit: str
    type: str
    name: str
    state: State
    calls: int
    failures: int
    failure_rate: float = Field(description="Share of the calls that failed, from 0 to 1.")
    rejected: int = Field(description="Calls that the circuit refused; they were not sent.")
    mean_ms: float
    p99_ms: float
    last_error: str | None = Field(description="The last failure's kind; its text stays in the log.")
    shared_state: SharedState = Field(description="How well the fleet's belief of this circuit is known.")


class HealthReply(BaseModel):
    """How this replica is."""

    status: Literal["ok", "degraded"]
    reasons: list[str]
    components: list[ComponentReply]
    shared_state: SharedState
    replica: str
    version: str
    index: dict[str, object]
    draining: bool


class AliveReply(BaseModel):
    """It is there, or ready."""

    status: str


class MessageReply(BaseModel):
    """The answer's text."""

    role: Literal["assistant"]
    content: str


class ChoiceReply(BaseModel):
    """The one answer there is."""

    index: Literal[0]
    message: MessageReply
    finish_reason: Literal["stop"]


class ChatReply(BaseModel):
    """A whole answer; `ha_rag`: what `/v1/query` replies."""

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
