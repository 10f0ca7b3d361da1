"""What an answer's record says of its text: the passages it cites, what of them supports it, and whether it answers."""

from __future__ import annotations

from collections.abc import Sequence

from ha_rag.components.extraction.supporting import supporting_quotes
from ha_rag.components.generators.refusal import is_refusal
from ha_rag.messages import Citation, ComponentType, Generation, Passage, Quote
from ha_rag.strategy.last_resort import NAMES


def citations(passages: Sequence[Passage], generation: Generation) -> tuple[Citation, ...]:
    """The passages that the answer cites by number, each with its supporting sentence; all of them if it cites none."""
    cited = sorted({n for n in generation.cited if 1 <= n <= len(passages)})
    quotes = generation.quotes or supporting_quotes(generation.text, passages, cited)
    first = {quote.n: quote for quote in reversed(quotes)}
    return tuple(_citation(n, passages[n - 1], first.get(n)) for n in cited or range(1, len(passages) + 1))


def _citation(n: int, passage: Passage, quote: Quote | None) -> Citation:
    start, end = (quote.start, quote.end) if quote is not None else (0, 0)
    return Citation(n, passage.document, passage.id, passage.text, passage.score, passage.also_in, start, end)


def is_answered(generator: str, passages: Sequence[Passage], text: str) -> bool:
    """Whether a text answers from the documents.

    Not without passages, not by the last resort, and not if it says that the documents do not say, whoever wrote it.
    """
    return bool(passages) and generator != NAMES[ComponentType.GENERATOR] and not is_refusal(text)
