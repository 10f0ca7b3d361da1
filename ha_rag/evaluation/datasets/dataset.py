"""Dataset: questions, the documents that answer them, and the words that do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """A question. `relevant`: document id -> how relevant it is, above 0. `gold`: words that an answer should contain.

    `impossible`: that the documents do not answer it is known; to say so is then right.
    """

    id: str
    text: str
    relevant: Mapping[str, int] = field(default_factory=dict)
    gold: tuple[str, ...] = ()
    impossible: bool = False


@dataclass(frozen=True, slots=True)
class DatasetDocument:
    """A document that the data set brings. One without text can be judged, but not be found."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Questions to measure with. `documents`: those that it brings; None if it is about those in the index.

    `digest`: changes with its files. `unjudged`: questions that were left out because no document is judged for them.
    """

    name: str
    questions: tuple[JudgedQuestion, ...]
    documents: Mapping[str, DatasetDocument] | None
    digest: str
    unjudged: int = 0

    @property
    def has_gold(self) -> bool:
        """Whether texts of answers can be measured."""
        return any(question.gold or question.impossible for question in self.questions)

    @property
    def judged(self) -> set[str]:
        """The documents that the questions are judged by, without those that the data set brings empty."""
        named = {document for question in self.questions for document in question.relevant}
        if self.documents is None:
            return named
        return {name for name in named if self.documents[name].title or self.documents[name].text}

    def sample(self, most: int | None) -> Dataset:
        """At most `most` of its questions, taken at even distances; all of them for None."""
        count = len(self.questions)
        if most is None or most >= count:
            return self
        taken = tuple(self.questions[number * count // most] for number in range(most))
        return Dataset(self.name, taken, self.documents, f"{self.digest}-{most}", self.unjudged)
