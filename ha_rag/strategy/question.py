"""Validation of questions and their parameters."""

from __future__ import annotations

import math
import unicodedata

from ha_rag.errors import ConfigurationError

MAX_QUESTION_CHARS = 8_000
MAX_TOP_K = 50
DEFAULT_TOP_K = 3

_KEPT = frozenset("\t\n\r")


def checked_question(question: object) -> str:
    """The question, stripped, with control characters replaced by spaces.

    Raises ConfigurationError if it is not a string, empty, longer than 8,000 characters, or not valid Unicode. HTML is
    not escaped: escape it where it is displayed.
    """
    if not isinstance(question, str):
        raise ConfigurationError(f"question: must be a string, not {type(question).__name__}")
    if len(question) > MAX_QUESTION_CHARS:
        raise ConfigurationError(
            f"question: has {len(question):,} characters; at most {MAX_QUESTION_CHARS:,} are allowed"
        )
    if not question.isprintable():
        question = "".join(_clean(character) for character in question)
    question = question.strip()
    if not question:
        raise ConfigurationError("question: must not be empty")
    return question


def checked_top_k(top_k: object) -> int:
    """The number of passages, 1 to 50. Raises ConfigurationError."""
    if isinstance(top_k, bool) or not isinstance(top_k, int) or not 1 <= top_k <= MAX_TOP_K:
        raise ConfigurationError(f"top_k = {top_k!r}: must be a whole number from 1 to {MAX_TOP_K}")
    return top_k


def checked_timeout_s(timeout_s: object) -> float:
    """Seconds allowed, above 0. Raises ConfigurationError."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s < math.inf:
        raise ConfigurationError(f"timeout_s = {timeout_s!r}: must be a number of seconds above 0")
    return float(timeout_s)


def _clean(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        raise ConfigurationError("question: is not valid Unicode text (it contains an unpaired surrogate)")
    return " " if category == "Cc" and character not in _KEPT else character
