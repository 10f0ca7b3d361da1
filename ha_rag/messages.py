"""The values that stages pass on, from the question to the answer: frozen dataclasses.

Vectors are one-dimensional float32 numpy arrays of unit length, or all zeros. Everything here is immutable by
convention and safe across tasks and threads; nobody writes to a numpy array once it is in a message.

numpy is imported for type checking only, so a program that uses nothing but a circuit breaker does not load it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"


class ComponentType(enum.StrEnum):
    """The three stages of the pipeline."""

    EMBEDDER = "embedder"
    RETRIEVER = "retriever"
    GENERATOR = "generator"


class Outcome(enum.StrEnum):
    """How one attempt ended. The first four were answered or should have been; the rest count for nothing."""

    OK = "ok"
    SLOW = "slow"
    FAILED = "failed"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    INVALID = "invalid"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Space:
    """The identity of a vector space. Two vectors may be compared only where all three agree.

    `model`: the embedding model's name. `revision`: its version, or "". `dimension`: the vectors' width.
    Width alone does not tell: two models of 768 dimensions are two spaces.
    """

    model: str
    revision: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.model}{'@' + self.revision if self.revision else ''}/{self.dimension}"


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A vector and the space it lives in. `space` is None for the zero vector, which lives in none."""

    vector: Vector
    space: Space | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that a retriever found.

    `document`: the document's id. `id`: the passage's own, `<document>#<number>`. `heading`: the headings above it,
    joined by " > ", or "". `score`: the retriever's own, higher is better; comparable within one result only.
    """

    document: str
    id: str
    text: str
    score: float = 0.0
    title: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """What a generator wrote. `cited`: numbers, from 1, of the passages that it cites, as they were given."""

    text: str
    cited: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that an answer leans on. `n`: the number it has in the answer's text, from 1."""

    n: int
    document: str
    passage: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One tier tried, or passed over. `circuit`: its circuit's name. `state`: what the circuit said at the time."""

    circuit: str
    outcome: Outcome
    ms: float
    state: str = "closed"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured retrieval quality: of the plan that served this answer, and of the best plan there is."""

    expected: float
    best: float
    metric: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the whole truth about how it came to be. `str(answer)` is its text.

    `served_by`: stage -> tier name; the last resorts are called "zero", "none" and "plain".
    `degraded_stages`: stages that another tier than the first one served. `shared_state`: "fresh", "stale" or "local",
    the worst among the circuits it used. `ms`: how long the whole question took.
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

    @property
    def degraded(self) -> bool:
        """Whether any stage was served by another tier than its first."""
        return bool(self.degraded_stages)

    def __str__(self) -> str:
        return self.text
