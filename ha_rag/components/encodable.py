"""Text that UTF-8 can carry."""

from __future__ import annotations


def encodable(text: str) -> str:
    """`text` with a question mark in place of each lone surrogate, which JSON and tokenizers refuse."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
