"""Makes text encodable as UTF-8."""

from __future__ import annotations

HIGH_SURROGATES = ("\ud800", "\udbff")


def encodable(text: str) -> str:
    """`text` with each lone surrogate, which JSON and tokenizers reject, replaced by a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def unicode_text(text: str) -> str:
    """`text` with surrogate pairs joined to characters, and each lone surrogate replaced by U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def ends_within_a_pair(text: str) -> bool:
    """Whether `text` ends with the first half of a surrogate pair, whose second half may follow."""
    return HIGH_SURROGATES[0] <= text[-1:] <= HIGH_SURROGATES[1]
