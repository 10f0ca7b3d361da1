"""The rolling time window: counts in buckets, identified by width and number.

A bucket (width, number) holds the outcomes stamped in [number * width, (number + 1) * width). It is live while its
start lies within the window, so the window covers 90 to 100 % of its length. Because the width identifies a bucket,
replicas with different policies (during a rolling deploy) can share a window.
"""

from __future__ import annotations

from collections.abc import Mapping

from ha_rag.circuit.state import Counts
from ha_rag.circuit.terms import Terms

Bucket = tuple[int, int]
Window = Mapping[Bucket, Counts]


def bucket_of(at_ms: int, width_ms: int) -> Bucket:
    """The bucket for an outcome stamped `at_ms`."""
    return width_ms, at_ms // width_ms


def live(bucket: Bucket, now_ms: int, window_ms: int) -> bool:
    """Whether the bucket lies within the window that ends now."""
    width, number = bucket
    return number * width > now_ms - window_ms


def total(window: Window, now_ms: int, terms: Terms) -> Counts:
    """The sum over all live buckets, of any width."""
    return sum((c for b, c in window.items() if live(b, now_ms, terms.window_ms)), Counts())


def pruned(window: Window, now_ms: int, terms: Terms) -> dict[Bucket, Counts]:
    """The window without old buckets: those of another width are kept for twice as long."""
    return {b: c for b, c in window.items() if live(b, now_ms, terms.window_ms * (1 if b[0] == terms.bucket_ms else 2))}


def added(window: Window, at_ms: int, counts: Counts, now_ms: int, terms: Terms) -> dict[Bucket, Counts] | None:
    """The window plus outcomes stamped `at_ms`, or None if they are older than the window.

    A timestamp in the future (the clock was set back) is taken as now.
    """
    bucket = bucket_of(min(at_ms, now_ms), terms.bucket_ms)
    if not live(bucket, now_ms, terms.window_ms):
        return None
    return {**window, bucket: window.get(bucket, Counts()) + counts}
