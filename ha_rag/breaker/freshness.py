"""How current a replica's cached state is: "fresh", "stale" or "local". Memory reads."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ha_rag.ledger.view.view import View
from ha_rag.sharing import Freshness

if TYPE_CHECKING:
    from ha_rag.ledger.sync import Sync

FRESH_POLLS = 2.5
"""Cached state is fresh if it was confirmed within this many poll intervals."""

_WORST = list(Freshness)


def freshness(view: View, sync: Sync | None, now_s: float) -> Freshness:
    """Freshness of one circuit. A circuit local to this process is as fresh as the link to the ledger."""
    if sync is None:
        return Freshness.LOCAL
    if view.scope == "replica":
        return _of_link(sync)
    if view.ledger_unreachable:
        return Freshness.LOCAL
    return Freshness.FRESH if now_s - confirmed_s(view, sync) <= FRESH_POLLS * sync.pace.poll_s else Freshness.STALE


def confirmed_s(view: View, sync: Sync) -> float:
    """When the circuit's cached state was last confirmed (monotonic): by itself, or with all the others."""
    return max(view.confirmed_s, sync.confirmed_s) if view.confirmed_s > -math.inf else -math.inf


def worst(shared: Iterable[View], sync: Sync | None, now_s: float) -> Freshness:
    """The worst freshness of the shared circuits; that of the link if nothing is shared."""
    if sync is None:
        return Freshness.LOCAL
    return max((freshness(view, sync, now_s) for view in shared), key=_WORST.index, default=_of_link(sync))


def _of_link(sync: Sync) -> Freshness:
    return Freshness.FRESH if sync.link.up else Freshness.LOCAL
