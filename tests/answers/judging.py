"""The questions on the handbook, and the rules by which answers to them are judged."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from ha_rag.components.generators.extractive import NOTHING_FOUND
from ha_rag.components.generators.refusal import is_refusal
from ha_rag.components.generators.scripted import FULL_WITHOUT_CONTEXT, SHORT_WITHOUT_CONTEXT

HERE = Path(__file__).parent
HANDBOOK = HERE / "handbook"
OPERATIONS = HERE / "operations"


@dataclass(frozen=True, slots=True)
class HandbookQuestion:
    """A question. `says`: each must be in the answer, one of alternatives between bars. `wrong`: none may be."""

    number: int
    ask: str
    says: tuple[str, ...]
    wrong: tuple[str, ...]
    refused: bool

    @property
    def tuned(self) -> bool:
        """Whether it is of the half that was looked at while tuning."""
        return self.number % 2 == 1

    def verdict(self, text: str) -> str:
        """ "right", "partial" (something is missing), "refused" or "wrong" (something else is said, or no refusal)."""
        if self.refused:
            return "right" if _says_no(text) else "wrong"
        if _says_no(text):
            return "refused"
        if any(_has(text, wrong) for wrong in self.wrong):
            return "wrong"
        said = self._said(text)
        return "right" if said == len(self.says) else "partial" if said else "wrong"

    def is_dangerous(self, text: str) -> bool:
        """Whether only some steps are told of a procedure, as if they were all."""
        return len(self.says) > 2 and not _says_no(text) and 0 < self._said(text) < len(self.says)

    def _said(self, text: str) -> int:
        return sum(any(_has(text, one) for one in each.split("|")) for each in self.says)


def _says_no(text: str) -> bool:
    """A refusal, or the text for no passages, which is not answered either."""
    nothing = (NOTHING_FOUND, SHORT_WITHOUT_CONTEXT, FULL_WITHOUT_CONTEXT.split("\u201c")[0])
    return is_refusal(text) or text.startswith(nothing)


def _has(text: str, part: str) -> bool:
    return part.lower() in text.lower()


def handbook_questions(file: str = "questions.toml") -> list[HandbookQuestion]:
    """All of them, numbered from 1."""
    listed = tomllib.loads((HERE / file).read_text("utf-8"))["questions"]
    return [
        HandbookQuestion(
            number, one["ask"], tuple(one.get("says", ())), tuple(one.get("not", ())), one.get("refused", False)
        )
        for number, one in enumerate(listed, start=1)
    ]
