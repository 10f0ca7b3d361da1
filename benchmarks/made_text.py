"""Made passages and questions: as many as wanted, the same in every run, with words and subjects as real text has them.

Words drawn from one distribution alone would make every passage like every other, which no documents are, and which
approximate search of vectors finds hardest. So each passage has one of `SUBJECTS` subjects, with words of its own.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
SUBJECTS = 2_000
WORDS_OF_A_SUBJECT = 30
ITS_WORDS, COMMON_WORDS = 5, 7
"""In each sentence: words of the subject, and words as frequent as they are in docs/."""
SENTENCES_A_PASSAGE = 9


class MadeText:
    """Passages by their number. A question about one is a sentence of it: the same words in another order, less two."""

    def __init__(self) -> None:
        text = " ".join(path.read_text("utf-8") for path in sorted(DOCS.glob("*.md")))
        self._words = re.findall(r"[a-z]{2,}", text.lower())
        chance, distinct = random.Random(1), sorted(set(self._words))
        self._subjects = [chance.sample(distinct, WORDS_OF_A_SUBJECT) for _ in range(SUBJECTS)]

    def passage(self, number: int) -> str:
        """A passage of 108 words, some 650 characters."""
        return " ".join(f"{' '.join(words).capitalize()}." for words in self._sentences(number))

    def question(self, number: int) -> str:
        """A question about the passage with this number."""
        chance = random.Random(f"question {number}")
        words = chance.choice(self._sentences(number))
        return f"{' '.join(chance.sample(words, len(words) - 2)).capitalize()}?"

    def questions(self, passages: int, number: int) -> list[str]:
        """So many questions about as many of the first `passages`."""
        chance = random.Random(passages)
        return [self.question(chance.randrange(passages)) for _ in range(number)]

    def _sentences(self, number: int) -> list[list[str]]:
        chance = random.Random(number)
        subject = chance.choice(self._subjects)
        return [
            chance.choices(subject, k=ITS_WORDS) + chance.choices(self._words, k=COMMON_WORDS)
            for _ in range(SENTENCES_A_PASSAGE)
        ]
