"""Reads a question and numbered passages out of a prompt, as a language model would have to."""

from __future__ import annotations

import re

from ha_rag.messages import Passage

_MARKED = re.compile(r'<passage n="(\d{1,3})"(?: from="([^"]*)")?>\n(.*?)\n</passage>', re.DOTALL)
_MARKED_QUESTION = re.compile(r"<question>\s*(.*?)\s*</question>", re.DOTALL)
_BRACKETED = re.compile(
    r"^\[(\d{1,3})\]\s*(.+?)(?=^\[\d{1,3}\]|^\s*question\s*:|\Z)", re.DOTALL | re.MULTILINE | re.IGNORECASE
)
_LABELLED_QUESTION = re.compile(r"^\s*question\s*:\s*(.+)", re.IGNORECASE | re.MULTILINE)


def question_in(prompt: str) -> str:
    """The question: between our marks, after "Question:", or else the last paragraph."""
    for pattern in (_MARKED_QUESTION, _LABELLED_QUESTION):
        if found := pattern.findall(prompt):
            return str(found[-1]).strip()
    return prompt.strip().rsplit("\n\n", 1)[-1]


def passages_in(prompt: str) -> list[Passage]:
    """The numbered passages, between our marks or after "[1]" at a line's start; `id` is the number, as text."""
    marked = [Passage(origin, number, text) for number, origin, text in _MARKED.findall(prompt)]
    return marked or [Passage("", number, text.strip()) for number, text in _BRACKETED.findall(prompt)]
