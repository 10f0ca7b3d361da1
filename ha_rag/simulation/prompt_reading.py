"""Extracts the question and the numbered passages from a prompt."""

from __future__ import annotations

import re

from ha_rag.messages import Passage

_TAGGED = re.compile(r'<passage n="(\d{1,3})"(?: from="([^"]*)")?>\n(.*?)\n</passage>', re.DOTALL)
_TAGGED_QUESTION = re.compile(r"<question>\s*(.*?)\s*</question>", re.DOTALL)
_BRACKETED = re.compile(
    r"^\[(\d{1,3})\]\s*(.+?)(?=^\[\d{1,3}\]|^\s*question\s*:|\Z)", re.DOTALL | re.MULTILINE | re.IGNORECASE
)
_LABELLED_QUESTION = re.compile(r"^\s*question\s*:\s*(.+)", re.IGNORECASE | re.MULTILINE)


def question_in(prompt: str) -> str:
    """The question: within our tags, after "Question:", or else the last paragraph."""
    for pattern in (_TAGGED_QUESTION, _LABELLED_QUESTION):
        if found := pattern.findall(prompt):
            return str(found[-1]).strip()
    return prompt.strip().rsplit("\n\n", 1)[-1]


def passages_in(prompt: str) -> list[Passage]:
    """The numbered passages: within our tags, or after "[1]" at the start of a line. `id`: the number as a string."""
    tagged = [Passage(origin, number, text) for number, origin, text in _TAGGED.findall(prompt)]
    return tagged or [Passage("", number, text.strip()) for number, text in _BRACKETED.findall(prompt)]
