"""What the simulated provider replies where a question about a passage is wanted: a sentence of it with a gap.

`ha-rag evaluate --questions` asks for two lines, "Question: ..." and "Answer: ...", as any language model can write
them. The gap is a number if the sentence has one, else its longest word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ha_rag.language.sentences import sentence_spans
from ha_rag.messages import Passage

_WANTED = re.compile(r"^Question: .*\nAnswer: ", re.MULTILINE)
_NUMBER = re.compile(r"(?<![A-Za-z\d])\d(?:[\d.,]*\d)?")
_WORD = re.compile(r"[^\W\d_]{4,}")
SHORTEST, LONGEST = 8, 300
"""Letters beside the gap, and characters, of a sentence that can be asked."""


def wants_a_question(prompt: str) -> bool:
    """Whether the reply is to have the two lines."""
    return _WANTED.search(prompt) is not None


def made_question(passages: Sequence[Passage]) -> str:
    """Both lines, about the first passage; "" if no sentence of it can be asked."""
    text = passages[0].text if passages else ""
    sentences = [" ".join(text[start:end].split()) for start, end in sentence_spans(text)]
    for sentence in sorted(sentences, key=lambda each: not _NUMBER.search(each)):
        gap = _gap(sentence) if len(sentence) <= LONGEST else None
        if gap is not None:
            start, end = gap
            asked = f"{sentence[:start]}___{sentence[end:]}".replace('"', "'")
            return f'Question: What is missing in "{asked}"?\nAnswer: {sentence[start:end]}'
    return ""


def _gap(sentence: str) -> tuple[int, int] | None:
    """The part of a sentence that is asked for; None where nothing would be left to ask with."""
    words = _WORD.finditer(sentence)
    found = _NUMBER.search(sentence) or max(words, key=lambda each: len(each[0]), default=None)
    if found is None:
        return None
    left = sentence[: found.start()] + sentence[found.end() :]
    return found.span() if sum(letter.isalpha() for letter in left) >= SHORTEST else None
