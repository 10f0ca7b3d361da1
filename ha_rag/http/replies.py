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
    text: str = Field(description="The whole passage.")
    quote: str = Field(description="What of it supports the answer, as it is in `text`; empty if nothing was found.")
    quote_start: int = Field(description="Where the quote starts in `text`, in characters (Unicode code points).")
    quote_end: int = Field(description="Where it ends.")
    score: float
    also_in: list[str] | None = Field(
        default=None, description="Other documents in which the same text was found, if any."
    )


class AttemptReply(BaseModel):
    """One tier that was tried or skipped."""

    circuit: str
    outcome: Literal["ok", "failed", "timeout", "slow", "throttled", "invalid", "rejected", "cancelled", "skipped"]
    state: State | Literal[""] = Field(
        description="State of its circuit; empty for the last fallback and the caches, which have none."
    )
    ms: float
    reason: str | None = Field(default=None, description="Why, if known.")


class AnswerQualityReply(BaseModel):
    """Measured quality of the texts: from the tiers that served, and from the best tiers."""

    expected: float
    best: float
    metric: str = Field(examples=["gold"])


class QualityReply(BaseModel):
    """Measured retrieval quality of the tiers that served, and of the best tiers."""

    expected: float
    best: float
    metric: str = Field(examples=["ndcg@10"])
    measured_on: str = Field(description="The name of the data.")
    source: Literal["given", "profile", "shipped"] = Field(
        description="`profile`: measured on this index by `ha-rag evaluate`. `shipped`: measured on other documents, "
        "with tiers of the same kinds, by the authors of ha_rag."
    )
    answers: AnswerQualityReply | None = Field(description="Null if the texts were not measured.")


class ArmReply(BaseModel):
    """The arm of the running experiment that answered."""

    name: str = Field(description="The experiment.")
    arm: str
    sticky: bool = Field(description="Whether it was drawn by who asks, and not for this question alone.")
    as_assigned: bool = Field(description="Whether this arm's own tiers served, and not a fallback.")
    counted: bool = Field(description="False once an operator has ended the experiment.")


class QueryReply(BaseModel):
    """An answer, and how it was produced."""

    id: str
    question: str
    answer: str
    answered: bool = Field(
        description="False if the text says that the documents do not answer the question, or that there is no answer."
    )
    simulated: bool = Field(description="Whether the simulated provider of `ha-rag up` wrote it, not a language model.")
    age_s: float | None = Field(
        default=None,
        description="Only of an earlier answer to the same question, from the cache, since every service that writes "
        "answers is out: how many seconds ago it was given.",
    )
    truncated: bool = Field(description="Whether the answer is incomplete; `finish_reason` says why.")
    finish_reason: str = Field(
        description="`stop` for a complete answer, `error` for one whose stream broke, else the service's word.",
        examples=["stop", "length"],
    )
    citations: list[CitationReply]
    degraded: bool
    degraded_stages: list[str]
    served_by: dict[str, str] = Field(
        description="Stage -> tier. `reranker` only if there is one and it had something to rank."
    )
    attempts: list[AttemptReply]
    quality: QualityReply | None
    experiment: ArmReply | None = Field(default=None, description="Only while there is an experiment.")
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
    """The state that applies to this replica's calls, if it decides by itself.

    `overlay`: its own calls fail, while those of the fleet do not. `local`: Redis cannot be used for this circuit.
    """

    state: State
    why: Literal["overlay", "local"]
    recovers_in_s: float | None = Field(description="Seconds left of the open duration here; null if not open.")


class DifferingReply(BaseModel):
    """Another replica whose state differs, by its last heartbeat."""

    replica: str
    state: State


class CircuitReply(BaseModel):
    """One circuit.

    Of scope `fleet`: its shared state; while Redis is unreachable, the state that this replica's calls meet. Of scope
    `replica`: what an override says, else this replica's own state.
    """

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
    differing: list[DifferingReply]
    unconfirmed: int | None = Field(
        description="How many other replicas have not confirmed the override, or its end, yet; their next heartbeat "
        "does. Replicas of version 0.1.0 never confirm. Null: there was no override, or it is unknown."
    )


class CircuitsReply(BaseModel):
    """All circuits."""

    circuits: list[CircuitReply]
    shared_state: SharedState
    replica: str


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
    quality: dict[str, object] | None = Field(
        description="Which measured figures answers carry (`source`: `profile` of this index, or `shipped`), what "
        "chooses the tiers (`chosen_by`), and why a profile that is there is not used (`problem`)."
    )
    draining: bool


class AliveReply(BaseModel):
    """Alive or ready."""

    status: str


class MessageReply(BaseModel):
    """The answer's text. `refusal`: always null."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChoiceReply(BaseModel):
    """The only choice of an answer."""

    index: Literal[0]
    message: MessageReply
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls", "function_call"] = Field(
        description="`stop` for a complete answer. A service's other words are given as `length`; "
        "`ha_rag.finish_reason` has its own."
    )


class UsageReply(BaseModel):
    """The tokens that the language model used for the answer, as it counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatFacts(QueryReply):
    """The reply of `/v1/query`, and what was asked in vain."""

    ignored: list[str] = Field(description="Parameters that had no effect on this answer, by name.")


class ChatReply(BaseModel):
    """An answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChoiceReply]
    usage: UsageReply | None = Field(default=None, description="Absent if the service did not say.")
    ha_rag: ChatFacts


class ModelReply(BaseModel):
    """A model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsReply(BaseModel):
    """All models."""

    object: Literal["list"]
    data: list[ModelReply]
