"""Public names that will be removed. `ha_rag` warns with a DeprecationWarning when one is used."""

from __future__ import annotations

from ha_rag.errors import HaRagError


class DeadlineExceededError(HaRagError, TimeoutError):
    """A question exceeded its time limit of `after_s` seconds.

    It is never raised: after the time limit the last resorts answer the question.
    """

    def __init__(self, after_s: float) -> None:
        super().__init__(f"no answer within {after_s:g} s")
        self.after_s = after_s


REASONS = {"DeadlineExceededError": "it is never raised; after the time limit the last resorts answer the question"}
"""Deprecated name -> the reason, and what to use instead."""
