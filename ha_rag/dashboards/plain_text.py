"""Sanitizes untrusted text for a terminal."""

from __future__ import annotations

import unicodedata

MAX_LENGTH = 300


def sanitized(text: object) -> str:
    """`text` on one line, without control and bidirectional characters, truncated to `MAX_LENGTH`."""
    shown = "".join(c if unicodedata.category(c)[0] != "C" else " " if c.isspace() else "" for c in str(text))
    return shown if len(shown) <= MAX_LENGTH else shown[: MAX_LENGTH - 1] + "…"
