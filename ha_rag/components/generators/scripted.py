"""PrimaryGenerator and FallbackGenerator: generators for lessons and tests that need no setup and fail on a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ha_rag.components.generators.extractive import ExtractiveGenerator
from ha_rag.components.generators.refusal import is_refusal
from ha_rag.components.generators.searching import CANNOT_ANSWER, could_search
from ha_rag.components.script import Script
from ha_rag.messages import Generation, Passage

FULL = "From the documents on \u201c{question}\u201d: "
SHORT = "In short: "
FULL_WITHOUT_CONTEXT = (
    "I found nothing about \u201c{question}\u201d in the documents, and I answer only from them. "
    "Different wording may find more."
)
SHORT_WITHOUT_CONTEXT = "I cannot answer this at the moment."
LONGEST_ECHO = 200


class PrimaryGenerator:
    """The first tier of a lesson: up to three cited sentences, or a statement that nothing was found."""

    def __init__(self, *, script: Script | None = None) -> None:
        self._script = script or Script()
        self._extractive = ExtractiveGenerator(max_sentences=3)

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        self._script.play()
        echo = " ".join(question.split())[:LONGEST_ECHO]
        if not passages:
            return Generation(FULL_WITHOUT_CONTEXT.format(question=echo) if could_search() else CANNOT_ANSWER)
        answer = self._extractive.answer(question, passages)
        return answer if is_refusal(answer.text) else replace(answer, text=FULL.format(question=echo) + answer.text)


class FallbackGenerator:
    """The second tier, with shorter answers: one cited sentence, or a statement that there is no answer."""

    def __init__(self, *, script: Script | None = None) -> None:
        self._script = script or Script()
        self._extractive = ExtractiveGenerator(max_sentences=1)

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        self._script.play()
        if not passages:
            return Generation(SHORT_WITHOUT_CONTEXT)
        answer = self._extractive.answer(question, passages)
        return answer if is_refusal(answer.text) else replace(answer, text=SHORT + answer.text)
