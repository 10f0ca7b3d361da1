"""The values that pipeline stages exchange, from the question to the answer: frozen dataclasses.

Vectors are one-dimensional float32 numpy arrays of unit length, or all zeros. Everything here is immutable by
convention and safe across tasks and threads; numpy arrays in a message are never modified.

numpy is imported for type checking only, so a program that uses only the circuit breaker does not load it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ha_rag.outcomes import Outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"


class ComponentType(enum.StrEnum):
    """The three stages of the pipeline."""

    EMBEDDER = "embedder"
    RETRIEVER = "retriever"
    GENERATOR = "generator"


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


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A vector and its space. `space` is None for the zero vector."""

    vector: Vector
    space: Space | None


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of a document that a retriever found.

    `document`: the document's id. `id`: the passage's id, `<document>#<number>`. `heading`: the headings above it,
    joined by " > ", or "". `score`: higher is better; comparable only within one result of one retriever.
    """

    document: str
    id: str
    text: str
    score: float = 0.0
    title: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """A generator's answer. `cited`: the numbers, from 1, of the given passages that it cites."""

    text: str
    cited: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that an answer cites. `n`: its number in the answer's text, from 1."""

    n: int
    document: str
    passage: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One tier that was tried or skipped. `circuit`: its circuit's name. `state`: the circuit's state at the time."""

    circuit: str
    outcome: Outcome
    ms: float
    state: str = "closed"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured retrieval quality: of the tiers that served this answer, and of the best possible ones."""

    expected: float
    best: float
    metric: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, with a record of how it was produced. `str(answer)` is its text.

    `served_by`: stage -> tier name; the last resorts are called "zero", "none" and "plain". `degraded_stages`: stages
    that were not served by their first tier. `shared_state`: "fresh", "stale" or "local", the worst of the circuits
    used. `ms`: how long the question took.
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
        """Whether any stage was not served by its first tier."""
        return bool(self.degraded_stages)

    def __str__(self) -> str:
        return self.text
