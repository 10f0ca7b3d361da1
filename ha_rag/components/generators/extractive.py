"""ExtractiveGenerator: answers with what the passages say, quoted with citations. Deterministic, without a model.

What can be quoted is in `extraction/units.py`: sentences, rows of tables with their header, whole lists of steps, the
answers to questions, definitions and code. `scoring.py` says how well each answers, `choosing.py` which are taken
(similar ones once: maximal marginal relevance, Carbonell and Goldstein, 1998), and `evidence.py` whether they answer at
all.
"""

from __future__ import annotations

from collections.abc import Sequence

from ha_rag.components.extraction.asked import asked_words
from ha_rag.components.extraction.candidates import Candidate, candidates_of
from ha_rag.components.extraction.choosing import chosen
from ha_rag.components.extraction.evidence import can_answer
from ha_rag.components.extraction.expected import LONGEST_QUESTION, expected_of, subject_of
from ha_rag.components.extraction.rendering import rendered
from ha_rag.components.extraction.scoring import scores
from ha_rag.components.extraction.similarity import TokenEmbedder, TokenSimilarity
from ha_rag.components.extraction.single_questions import single_questions
from ha_rag.components.generators.refusal import DOES_NOT_SAY
from ha_rag.components.generators.searching import CANNOT_ANSWER, could_search
from ha_rag.errors import ConfigurationError
from ha_rag.messages import Generation, Passage, Quote
from ha_rag.threads import computing

NOTHING_FOUND = "I found no passage about this question."
NO_PROSE = f"{DOES_NOT_SAY} anything that can be quoted; see the passages found."
CLOSEST = f"{DOES_NOT_SAY}. The closest passage says: "
ON_LOOP_CHARS = 6_000
"""How much text may be read for the first time on the event loop: less than a millisecond's work."""


class ExtractiveGenerator:
    """Answers if the passages do, else says that the documents do not say. Safe across tasks.

    `max_sentences`: the most sentences of an answer (default 3). `max_chars`: its longest text (default 900); the best
    sentence, a list of steps and a command are never cut. `embedder`: an embedder inside this process, for similarity;
    None: by words alone. Raises ConfigurationError.
    """

    in_process = True

    def __init__(self, max_sentences: int = 3, max_chars: int = 900, *, embedder: TokenEmbedder | None = None) -> None:
        if max_sentences < 1 or max_chars < 1:
            raise ConfigurationError("max_sentences, max_chars: must be at least 1")
        self._max_sentences = max_sentences
        self._max_chars = max_chars
        self._similarity = None if embedder is None else TokenSimilarity(embedder)

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        if self._is_long(passages):
            return await computing.run(self.answer, question, passages)
        return self.answer(question, passages)

    def answer(self, question: str, passages: Sequence[Passage]) -> Generation:
        """The answer; `generate` without a coroutine."""
        question = question if len(question) <= LONGEST_QUESTION else subject_of(question)
        if not passages:
            return Generation(NOTHING_FOUND if could_search() else CANNOT_ANSWER)
        candidates = candidates_of(passages)
        if not candidates:
            return Generation(NO_PROSE)
        scored, answers = self._judged(question, passages, candidates)
        parts = single_questions(question)
        if answers and 1 < len(parts) <= self._max_sentences:
            best = self._for_each(parts, passages, candidates, scored)
        else:
            best = self._chosen(question, candidates, scored, self._max_sentences if answers else 1)
        return self._said(question, best or candidates[:1], "" if best and answers else CLOSEST)

    def _judged(
        self, question: str, passages: Sequence[Passage], candidates: Sequence[Candidate]
    ) -> tuple[list[float], bool]:
        """The score of each candidate, and whether the passages answer at all."""
        similarity, subject = self._similarity, subject_of(question)
        if similarity is None:
            return scores(question, candidates, None), can_answer(subject, passages, None, None)
        compared = similarity.compared(subject, passages)
        scored = scores(question, candidates, compared.units, similarity.known_share(question))
        return scored, can_answer(subject, passages, compared, similarity.weights)

    def _for_each(
        self, parts: Sequence[str], passages: Sequence[Passage], candidates: Sequence[Candidate], whole: Sequence[float]
    ) -> list[Candidate]:
        """The best of each question in a question. The whole counts as much: a part may say "it"."""
        found: dict[Candidate, None] = {}
        for part in parts:
            own, _ = self._judged(part, passages, candidates)
            both = [one + other for one, other in zip(own, whole, strict=True)]
            found |= dict.fromkeys(self._chosen(part, candidates, both, self._max_sentences // len(parts)))
        return list(found)

    def _chosen(
        self, question: str, candidates: Sequence[Candidate], scored: Sequence[float], most: int
    ) -> list[Candidate]:
        expected = expected_of(question)
        return chosen(candidates, scored, most, self._max_chars, how=expected.how, several=expected.several)

    def _is_long(self, passages: Sequence[Passage]) -> bool:
        if self._similarity is None:
            return sum(len(passage.text) for passage in passages) > 4 * ON_LOOP_CHARS
        return self._similarity.unknown_characters(passages) > ON_LOOP_CHARS

    def _said(self, question: str, best: list[Candidate], before: str) -> Generation:
        """An answer of these units, given best first, in the order of the documents."""
        quotes = tuple(Quote(each.n, each.unit.start, each.unit.end) for each in best)
        ordered = sorted(best, key=lambda each: (each.n, each.at))
        text = rendered(ordered, _terms(question, best[0]))
        return Generation(before + text, tuple(dict.fromkeys(each.n for each in ordered)), quotes=quotes)


def _terms(question: str, each: Candidate) -> frozenset[str]:
    return frozenset(asked_words(question, each.language))
