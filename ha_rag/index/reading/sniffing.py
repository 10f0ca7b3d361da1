"""Whether a file with an unknown ending is text, judged by its first bytes as `git diff` and `grep` do."""

from __future__ import annotations

import codecs
from pathlib import Path

SNIFFED_BYTES = 8000
FEWEST_WIDE_BYTES = 16
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROL = bytes(set(range(32)) - {8, 9, 10, 12, 13, 27})


def is_text(file: Path) -> bool:
    """Whether a file begins like text and is not empty. Raises OSError."""
    with file.open("rb") as opened:
        return looks_like_text(opened.read(SNIFFED_BYTES))


def looks_like_text(start: bytes) -> bool:
    """Whether these first bytes of a file are text: no zero bytes and hardly any control characters, or UTF-16."""
    if start.startswith(_UTF_16):
        return True
    if start.startswith(b"%PDF-"):
        return False
    if b"\0" in start:
        return _is_wide_text(start)
    return bool(start.strip()) and len(start) - len(start.translate(None, _CONTROL)) <= len(start) // 100


def _is_wide_text(start: bytes) -> bool:
    """Whether these bytes are UTF-16 without a mark: of most characters one byte is zero, always the same one."""
    if len(start) < FEWEST_WIDE_BYTES:
        return False
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if min(even, odd) or max(even, odd) * 5 < len(start) * 2:
        return False
    text = start[: len(start) // 2 * 2].decode("utf-16-be" if even > odd else "utf-16-le", errors="replace")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text[:-1])
