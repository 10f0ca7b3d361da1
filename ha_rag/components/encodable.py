"""Makes text encodable as UTF-8."""

from __future__ import annotations


def encodable(text: str) -> str:
    """`text` with each lone surrogate, which JSON and tokenizers reject, replaced by a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
