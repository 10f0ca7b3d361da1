"""Long texts in slices: a method of text or of a pattern keeps every other thread waiting until it returns.

A replica reads uploads in a thread, beside its event loop. What is done here in slices has the same result as in one.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator

SLICE = 1_000_000
"""Characters, or bytes: some milliseconds of work."""


def slices(text: str, size: int = SLICE) -> Iterator[str]:
    """The parts of `text`, in order; none ends between the two characters of a line end."""
    start = 0
    while start < len(text):
        end = start + size
        end += text.startswith("\r", end - 1)
        yield text[start:end]
        start = end


def decoded(data: bytes) -> str:
    """UTF-8 as text; surrogates may be alone."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
    parts = [decoder.decode(data[start : start + SLICE]) for start in range(0, len(data), SLICE)]
    return "".join([*parts, decoder.decode(b"", final=True)])


def add_repr(digest: hashlib._Hash, text: str, size: int = SLICE) -> None:
    """Adds `repr(text).encode()` to the hash."""
    quote = '"' if "'" in text and '"' not in text else "'"
    # Python encloses a text in double quotes if it holds single ones and no double ones.
    others = "'" if quote == '"' else "'\""
    end = len(repr(others)) - 1
    digest.update(quote.encode())
    for part in slices(text, size):
        digest.update(repr(part + others)[1:-end].encode())
    digest.update(quote.encode())
