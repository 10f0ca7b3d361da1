"""LastKnown: keeps what is known of circuits while a Redis that lost its data tells less, until replicas restore it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.clock import Clock

HOLD_S = 5.0
"""Replicas restore a circuit at their next poll, and list it again with their next heartbeat."""


class LastKnown:
    """The last snapshots of circuits that this process does not use itself. Used on one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._snapshots: dict[str, Snapshot] = {}
        self._lost_s = -math.inf

    def after(self, told: Mapping[str, Snapshot], listed: Iterable[str]) -> dict[str, Snapshot]:
        """The circuits after Redis told these. `listed`: those it lists, of which a cluster may tell some only.

        If Redis lists nothing any more, or is behind for a circuit, it has lost its data. What was known then stays
        for `HOLD_S`.
        """
        known, now_s = self._snapshots, self._clock.monotonic_s()
        behind = {name for name, snapshot in told.items() if name in known and snapshot.epoch < known[name].epoch}
        if (behind or (known and not told)) and now_s - self._lost_s > 2 * HOLD_S:
            self._lost_s = now_s
        if now_s - self._lost_s > HOLD_S:
            silent = {name: known[name] for name in listed if name in known and name not in told}
            self._snapshots = silent | dict(told)
        else:
            self._snapshots = known | {name: snapshot for name, snapshot in told.items() if name not in behind}
        return dict(self._snapshots)
