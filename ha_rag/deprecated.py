"""Public names that will be removed. `ha_rag` warns with a DeprecationWarning when one is used."""

from __future__ import annotations

from ha_rag.errors import HaRagError


class DeadlineExceededError(HaRagError, TimeoutError):
    """The time allowed for a whole question is up. `after_s`: the seconds that were allowed.

    Nothing raises it: a question whose time is up is answered by the last resorts.
    """

    def __init__(self, after_s: float) -> None:
        super().__init__(f"no answer within {after_s:g} s")
        self.after_s = after_s


REASONS = {"DeadlineExceededError": "nothing raises it; a question whose time is up is answered by the last resorts"}
"""Deprecated name -> why, and what to use instead."""
