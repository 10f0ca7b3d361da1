"""What the asker wishes of the answer's language and form, for the generators that can follow it.

Generators are asked with a question and passages only; wishes are read where they are needed, as a request's id is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MAX_WISHES_CHARS = 8_000

_wishes: ContextVar[str] = ContextVar("ha_rag_wishes", default="")


def wishes() -> str:
    """The wishes for the answer that is being generated, as the asker wrote them; "" if there are none."""
    return _wishes.get()


@contextmanager
def wishing(text: str) -> Iterator[None]:
    """Generators that are asked within this block, and in tasks started in it, see `text` as the asker's wishes."""
    token = _wishes.set(text)
    try:
        yield
    finally:
        _wishes.reset(token)
