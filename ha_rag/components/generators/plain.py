"""PlainGenerator: the last resort, which cannot fail. Says that there is no answer and lists the passages."""

from __future__ import annotations

from collections.abc import Sequence

from ha_rag.components.generators.sentences import prose_of
from ha_rag.messages import Generation, Passage

NO_ANSWER = "No answer could be generated at the moment"
NOTHING_FOUND = f"{NO_ANSWER}, and no passages were found for this question. Please try again later."
LONGEST_LINE = 160


class PlainGenerator:
    """Generates no answer, only a list of the passages found. Never raises. Safe across tasks."""

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        return plain_answer(passages)


def plain_answer(passages: Sequence[Passage], why: str = NO_ANSWER) -> Generation:
    """A sentence that says `why` there is no answer, and the passages found."""
    if not passages:
        return Generation(f"{why}, and no passages were found for this question. Please try again later.")
    found = "this passage was" if len(passages) == 1 else f"these {len(passages)} passages were"
    lines = [f"{why}, but {found} found for this question:"]
    lines += [f"[{n}] {_line(passage)}" for n, passage in enumerate(passages, start=1)]
    return Generation("\n".join(lines), tuple(range(1, len(passages) + 1)))


def _line(passage: Passage) -> str:
    where = " > ".join(part for part in (passage.title or passage.document, passage.heading) if part)
    start = " ".join(prose_of(passage.text).split()) or " ".join(passage.text.split())
    shown = start if len(start) <= LONGEST_LINE else start[:LONGEST_LINE].rsplit(" ", 1)[0] + " ..."
    return f"{where}: {shown}" if shown else where
