"""Text of others, made harmless for a terminal: it obeys control characters, and some turn the line around."""

from __future__ import annotations

import unicodedata

LONGEST = 300


def harmless(text: object) -> str:
    """`text` on one line, without control and direction characters, and of limited length."""
    shown = "".join(c if unicodedata.category(c)[0] != "C" else " " if c.isspace() else "" for c in str(text))
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
