"""The values that pipeline stages exchange, from the question to the answer: frozen dataclasses.

Vectors are one-dimensional float32 numpy arrays of unit length, or all zeros. Everything here is immutable by
convention and safe across tasks and threads; numpy arrays in a message are never modified.

numpy is imported for type checking only, so a program that uses only the circuit breaker does not load it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ha_rag.outcomes import Outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"


class ComponentType(enum.StrEnum):
    """The stages of the pipeline, in order. Rerankers are optional."""

    EMBEDDER = "embedder"
    RETRIEVER = "retriever"
    RERANKER = "reranker"
    GENERATOR = "generator"


LAST_RESORTS = {
    ComponentType.EMBEDDER: "zero",
    ComponentType.RETRIEVER: "none",
    ComponentType.RERANKER: "none",
    ComponentType.GENERATOR: "plain",
}
"""What serves a stage when every tier of it failed, by the names that answers carry (`strategy/last_resort.py`)."""


@dataclass(frozen=True, slots=True)
class Space:
    """Identifies a vector space. Two vectors may be compared only if all three fields are equal.

    `model`: the embedding model's name. `revision`: its version, or "". `dimension`: the width of its vectors.
    The dimension alone does not identify a space: two models may both have 768 dimensions.
    """

    model: str
    revision: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.model}{'@' + self.revision if self.revision else ''}/{self.dimension}"


EVEN_WEIGHT = 0.5
"""Vectors count as much as words."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A vector and its space. `space` is None for the zero vector.

    `weight`: how much of a hybrid search's score the vectors decide, from 0 (words alone) to 1 (vectors alone). A
    strong embedder deserves the default, half of it; a weak one less, or the search finds less than by words alone.
    """

    vector: Vector
    space: Space | None
    weight: float = EVEN_WEIGHT


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of a document that a retriever found.

    `document`: the document's id. `id`: the passage's id, `<document>#<number>`. `heading`: the headings above it,
    joined by " > ", or "". `score`: higher is better; comparable only within one result of one retriever or reranker.
    `also_in`: other documents in which the same text was found.

    A retriever may join passages that follow one another; the result has the id, score and heading of the best of them.
    """

    document: str
    id: str
    text: str
    score: float = 0.0
    title: str = ""
    heading: str = ""
    also_in: tuple[str, ...] = ()


WHOLE = "stop"
"""The `finish_reason` of a complete answer, in OpenAI's words."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """The tokens that a language model read and wrote for one answer, as its service counted them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Quote:
    """Where a cited passage supports the answer. `n`: the passage's number. `start`, `end`: positions in its text."""

    n: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Generation:
    """A generator's answer. `cited`: the numbers, from 1, of the given passages that it cites.

    `finish_reason`: why the answer ended: "stop" if it is complete, else the service's word, such as "length".
    `usage`: the tokens it took; None if unknown. `quotes`: what it quotes, the best of each passage first; where a
    generator does not say, the pipeline looks for the sentence that supports the answer.
    """

    text: str
    cited: tuple[int, ...] = ()
    finish_reason: str = WHOLE
    usage: TokenUsage | None = None
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamEnding:
    """The last item of a streamed answer that is not complete, or of which more is known. Fields: see `Generation`."""

    finish_reason: str = WHOLE
    usage: TokenUsage | None = None
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that an answer cites. `n`: its number in the answer's text, from 1. `text`: the whole passage.

    `quote`: the sentence of it that supports the answer, `text[quote_start:quote_end]`; "" if none was found.
    `also_in`: other documents in which the same text was found.
    """

    n: int
    document: str
    passage: str
    text: str
    score: float
    also_in: tuple[str, ...] = ()
    quote_start: int = 0
    quote_end: int = 0

    @property
    def quote(self) -> str:
        """The sentence that supports the answer, as it is in the passage; "" if none was found."""
        return self.text[self.quote_start : self.quote_end]


@dataclass(frozen=True, slots=True)
class EarlierAnswer(Generation):
    """An answer given earlier to the same question, from a cache. `age_s`: how many seconds ago.

    `citations`: of that answer, whose numbers its text names. `simulated`: as in `Answer`.
    """

    age_s: float = 0.0
    citations: tuple[Citation, ...] = ()
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One tier that was tried or skipped. `circuit`: its circuit's name. `state`: the circuit's state at the time."""

    circuit: str
    outcome: Outcome
    ms: float
    state: str = "closed"
    reason: str = ""


QualitySource = Literal["given", "profile", "shipped"]


@dataclass(frozen=True, slots=True)
class AnswerQuality:
    """Measured quality of answers' texts: from the tiers that served this one, and from the best possible ones."""

    expected: float
    best: float
    metric: str


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured retrieval quality: of the tiers that served this answer, and of the best possible ones.

    `measured_on`: the name of the data. `source`: "profile" if it was measured on this index (`ha-rag evaluate`),
    "shipped" if ha_rag's authors measured it with tiers of the same kinds on other documents, "given" by a program.
    `answers`: the same of the texts; None if that was not measured.
    """

    expected: float
    best: float
    metric: str
    measured_on: str = ""
    source: QualitySource = "given"
    answers: AnswerQuality | None = None


@dataclass(frozen=True, slots=True)
class AssignedArm:
    """The arm of a running experiment that a question was assigned.

    `experiment`, `arm`: their names. `sticky`: whether it was drawn by who asks, and not for this question alone.
    `as_assigned`: whether the stages that the arms differ in were served by this arm's own tiers, not by a fallback.
    `counted`: False once an operator has ended the experiment: all are then given the same arm. `unit`: a mark of who
    asks, from 0 to 2**32 - 1; it is counted with, and shown nowhere.
    """

    experiment: str
    arm: str
    sticky: bool
    as_assigned: bool = True
    counted: bool = True
    unit: int = field(default=0, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, with a record of how it was produced. `str(answer)` is its text.

    `served_by`: stage -> tier name; the last resorts are called "zero", "none" (nothing was retrieved, or nothing
    reranked) and "plain". A stage that did not run is absent. `degraded_stages`: stages that were not served by their
    first tier. `shared_state`: "fresh", "stale" or "local", the worst of the circuits
    used. `ms`: how long the question took. `finish_reason`: why the text ended: "stop" if it is complete, "error" if
    its stream broke, else the service's word, such as "length". `usage`: the tokens it took, as the generator's service
    counted them; None if unknown. `answered`: False if the text says that the documents do not answer the question, or
    that no answer could be made. `simulated`: whether the simulated provider wrote it. `age_s`: of an earlier answer to
    the same question, served from the cache because the generators are out: how many seconds ago it was given; None for
    one that was made now. `experiment`: the arm of the running experiment, if there is one.
    """

    id: str
    question: str
    text: str
    citations: tuple[Citation, ...] = ()
    served_by: dict[str, str] = field(default_factory=dict)
    degraded_stages: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    quality: Quality | None = None
    shared_state: str = "local"
    replica: str = ""
    ms: float = 0.0
    finish_reason: str = WHOLE
    usage: TokenUsage | None = None
    answered: bool = True
    simulated: bool = False
    age_s: float | None = None
    experiment: AssignedArm | None = None

    @property
    def truncated(self) -> bool:
        """Whether the text is incomplete: the service ended it early, or the stream broke."""
        return self.finish_reason != WHOLE

    @property
    def degraded(self) -> bool:
        """Whether any stage was not served by its first tier."""
        return bool(self.degraded_stages)

    def __str__(self) -> str:
        return self.text
