"""The rolling time window: counts in buckets, whose width is part of their name.

A bucket (width, number) holds the outcomes stamped in [number * width, (number + 1) * width). It is live while its
start lies within the window, so the window covers between nine and ten tenths of its length. Because the width is
in the name, replicas whose policies differ (a rolling deploy) add to one window without spoiling each other's buckets.
"""

from __future__ import annotations

from collections.abc import Mapping

from ha_rag.circuit.state import Counts
from ha_rag.circuit.terms import Terms

Bucket = tuple[int, int]
Window = Mapping[Bucket, Counts]


def bucket_of(at_ms: int, width_ms: int) -> Bucket:
    """The bucket of that width which an outcome stamped `at_ms` belongs to."""
    return width_ms, at_ms // width_ms


def live(bucket: Bucket, now_ms: int, window_ms: int) -> bool:
    """Whether a bucket lies within the window that ends now."""
    width, number = bucket
    return number * width > now_ms - window_ms


def total(window: Window, now_ms: int, terms: Terms) -> Counts:
    """Everything in the window that ends now, whatever the width of its buckets."""
    return sum((c for b, c in window.items() if live(b, now_ms, terms.window_ms)), Counts())


def pruned(window: Window, now_ms: int, terms: Terms) -> dict[Bucket, Counts]:
    """The window without what is too old: own buckets past the window, foreign ones past twice its length."""
    return {b: c for b, c in window.items() if live(b, now_ms, terms.window_ms * (1 if b[0] == terms.bucket_ms else 2))}


def added(window: Window, at_ms: int, counts: Counts, now_ms: int, terms: Terms) -> dict[Bucket, Counts] | None:
    """The window with outcomes stamped `at_ms` in it, or None where they are older than the window.

    A stamp from the future (a clock that was set back) is taken as now.
    """
    bucket = bucket_of(min(at_ms, now_ms), terms.bucket_ms)
    if not live(bucket, now_ms, terms.window_ms):
        return None
    return {**window, bucket: window.get(bucket, Counts()) + counts}
