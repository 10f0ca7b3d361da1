"""Whether the documents could be searched, for generators that get no passages: down is not "nothing found".

Generators are asked with a question and passages only; this is read where it is needed, as a request's id is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

CANNOT_ANSWER = "Without the documents I cannot answer this question."

_could_search: ContextVar[bool] = ContextVar("ha_rag_could_search", default=True)


def could_search() -> bool:
    """False if the search was out, so that there are no passages whatever the documents say."""
    return _could_search.get()


@contextmanager
def without_search() -> Iterator[None]:
    """Generators that are asked within this block, and in tasks started in it, learn that the search was out."""
    token = _could_search.set(False)
    try:
        yield
    finally:
        _could_search.reset(token)
