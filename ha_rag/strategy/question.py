"""What may be asked. Everything behind this file may rely on it."""

from __future__ import annotations

import math
import unicodedata

from ha_rag.errors import ConfigurationError

LONGEST_QUESTION = 8_000
MOST_PASSAGES = 50
DEFAULT_TOP_K = 3

_KEPT = frozenset("\t\n\r")


def checked_question(question: object) -> str:
    """The question, its control characters replaced by spaces, and stripped.

    Raises ConfigurationError where it is no text, empty, longer than 8,000 characters, or not valid Unicode. HTML is
    text like any other here: whoever shows it must escape it.
    """
    if not isinstance(question, str):
        raise ConfigurationError(f"question: must be a text, not {type(question).__name__}")
    if len(question) > LONGEST_QUESTION:
        raise ConfigurationError(
            f"question: has {len(question):,} characters, at most {LONGEST_QUESTION:,} are allowed"
        )
    if not question.isprintable():
        question = "".join(_tame(character) for character in question)
    question = question.strip()
    if not question:
        raise ConfigurationError("question: must not be empty")
    return question


def checked_top_k(top_k: object) -> int:
    """The number of passages, 1 to 50. Raises ConfigurationError."""
    if isinstance(top_k, bool) or not isinstance(top_k, int) or not 1 <= top_k <= MOST_PASSAGES:
        raise ConfigurationError(f"top_k = {top_k!r}: must be a whole number from 1 to {MOST_PASSAGES}")
    return top_k


def checked_timeout_s(timeout_s: object) -> float:
    """Seconds allowed, above 0. Raises ConfigurationError."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s < math.inf:
        raise ConfigurationError(f"timeout_s = {timeout_s!r}: must be a number of seconds above 0")
    return float(timeout_s)


def _tame(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        raise ConfigurationError("question: is not valid Unicode text (it holds half a surrogate pair)")
    return " " if category == "Cc" and character not in _KEPT else character
