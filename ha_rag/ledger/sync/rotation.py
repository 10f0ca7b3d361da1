"""Rotation: takes a part of a list at a time, so that repeated steps cover all of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Rotation:
    """Covers a list in about `steps` steps. The list may change between steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._at = 0

    def next_of(self, items: Sequence[T], at_least: int = 1) -> Sequence[T]:
        """The next part of `items`, of `at_least` this length."""
        start = self._at if self._at < len(items) else 0
        self._at = start + max(at_least, math.ceil(len(items) / self._steps))
        return items[start : self._at]
