"""LedgerSession: handles every reply and error of the ledger for one replica.

A ledger that answers reads may still refuse verbs: if it refuses a circuit's verb, it counts as unreachable for that
circuit until it accepts one again. On a cluster the node that holds a circuit may not answer: then the ledger counts as
unreachable for that circuit until the node answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ha_rag import chance
from ha_rag.circuit.reply import Reply
from ha_rag.clock import Clock
from ha_rag.errors import LedgerError, LedgerRefusedError, ShardUnavailableError
from ha_rag.events import Sink
from ha_rag.ledger.store.refused_values import INVALID
from ha_rag.ledger.sync.denied_permissions import PUBLISHING, DeniedPermissions
from ha_rag.ledger.sync.event_publisher import EventPublisher
from ha_rag.ledger.sync.link import LOST_AFTER, Link
from ha_rag.ledger.sync.pace import Pace
from ha_rag.ledger.view.cached_snapshot import Intact
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

if TYPE_CHECKING:
    from ha_rag.ledger.store.ledger import Ledger

REFUSED_S = 1.0
"""Seconds between two attempts at a verb that the ledger refuses."""


class LedgerSession:
    """One replica's session with its ledger. Used on one event loop.

    `link`, `pace` and `denied_permissions` may be read from any thread. `unpublished`: number of changes whose event or
    message Redis refused to publish. `restore`: called with each circuit that the ledger seems to have lost.
    """

    def __init__(
        self,
        ledger: Ledger,
        incarnation: str,
        clock: Clock,
        *,
        views: Views,
        sinks: Iterable[Sink],
        restore: Callable[[View], object],
    ) -> None:
        self.ledger = ledger
        self.incarnation = incarnation
        self.now_s = clock.monotonic_s
        self.link = Link(clock)
        self.pace = Pace()
        self.publisher = EventPublisher(incarnation, clock, sinks)
        self.denied_permissions = DeniedPermissions(self.publisher.ledger_limited)
        self.unpublished = 0
        self.confirmed_s = -math.inf
        """When all cached snapshots were last known to miss no change (monotonic)."""
        self._views = views
        self._restore = restore
        self.refuted_s = -math.inf
        """When the store last contradicted a message (monotonic)."""
        self._refused_s: dict[str, float] = {}
        self._invalid: set[str] = set()
        """Circuits refused because of what is stored, which a read shows to be mended."""
        self._lost_s: dict[str, float] = {}
        """Circuit for which alone the ledger cannot be used -> since when (monotonic)."""
        self._shard_failures: dict[str, int] = {}
        """Circuit -> how many times in a row its node did not answer."""

    def retry_s(self) -> float:
        """A random retry delay in seconds, which grows with the fleet."""
        return chance.between(*self.pace.retry_s)

    # ---- replies and errors -----------------------------------------------------------------------------------------

    def on_read(self, view: View, reply: Reply, intact: Intact | None = None) -> None:
        """A read was answered. This does not prove that the ledger accepts verbs. `intact`: as of `with_reply`."""
        self.on_available(reply.snapshot.now_ms)
        self._shard_failures.pop(view.name, None)
        if view.name in self._invalid:
            self._invalid.discard(view.name)
            self._refused_s.pop(view.name, None)
        self.on_reconciled(view, view.apply_reply(reply.snapshot, intact))
        view.set_ledger_unreachable(view.name in self._refused_s)
        if self._lost_s and view.name not in self._refused_s:
            self._on_back(view.name)

    def on_reconciled(self, view: View, result: Reconciliation) -> None:
        """A view was updated from the ledger: publishes what changed, and starts a restore if needed."""
        self.publisher.circuit_changed(view.name, result)
        if result.refuted:
            self.refuted_s = self.now_s()
            self.ledger.refused_values.note("message", f"{view.name}: the store says otherwise")
        if result.needs_restore:
            self._restore(view)

    def on_accepted(self, view: View, reply: Reply) -> None:
        """A verb was accepted."""
        if reply.unpublished:
            self.unpublished += 1
            self.denied_permissions.denied(PUBLISHING, "XADD or PUBLISH")
        elif reply.published:
            self.denied_permissions.granted(PUBLISHING)
        self._refused_s.pop(view.name, None)
        self.on_read(view, reply)

    def on_failed(self, view: View, error: LedgerError) -> None:
        """A verb was refused or not answered."""
        if isinstance(error, ShardUnavailableError):
            self.on_shard_unavailable(view, str(error))
            return
        if not isinstance(error, LedgerRefusedError):
            self.on_unavailable(error)
            return
        if view.name not in self._refused_s:
            self._on_lost(view.name, str(error))
        if error.code == INVALID:
            self._invalid.add(view.name)
        self._refused_s[view.name] = self.now_s()
        view.set_ledger_unreachable(True)

    def on_shard_unavailable(self, view: View, reason: str) -> None:
        """The node that holds this circuit did not answer: after LOST_AFTER times in a row it counts as unreachable."""
        failures = self._shard_failures[view.name] = self._shard_failures.get(view.name, 0) + 1
        if failures == LOST_AFTER:
            self._on_lost(view.name, reason)
        if failures >= LOST_AFTER:
            view.set_ledger_unreachable(True)

    def _on_lost(self, circuit: str, reason: str) -> None:
        self._lost_s.setdefault(circuit, self.now_s())
        self.publisher.ledger_lost(reason, circuit=circuit)

    def _on_back(self, circuit: str) -> None:
        since_s = self._lost_s.pop(circuit, None)
        if since_s is not None:
            self.publisher.ledger_back(self.now_s() - since_s, circuit=circuit)

    def on_available(self, ledger_ms: int | None) -> None:
        """The ledger answered. `ledger_ms`: its time, if known."""
        away_s = self.link.answered(ledger_ms)
        if away_s is not None:
            self.publisher.ledger_back(away_s)

    def on_unavailable(self, error: LedgerError) -> None:
        """The ledger did not answer."""
        if not self.link.failed(str(error)):
            return
        self.publisher.ledger_lost(str(error))
        for view in self._views.awake_shared():
            view.set_ledger_unreachable(True)

    # ---- refusals ---------------------------------------------------------------------------------------------------

    def is_refused(self, view: View) -> bool:
        """Whether the ledger refused this circuit's last verb."""
        return view.name in self._refused_s

    def refused(self) -> list[str]:
        """Circuits whose last verb the ledger refused, the one that was tried longest ago first.

        Without those whose stored state is the reason: a read shows that this is mended.
        """
        return sorted(self._refused_s.keys() - self._invalid, key=self._refused_s.__getitem__)

    def may_send(self, view: View, every_s: float = REFUSED_S) -> bool:
        """Whether a verb of this circuit may be sent now: after a refusal, once in this time.

        Never while its node does not answer: the poll notices when it answers again.
        """
        if self._shard_failures.get(view.name, 0) >= LOST_AFTER:
            return False
        since_s, now_s = self._refused_s.get(view.name), self.now_s()
        if since_s is None:
            return True
        if now_s - since_s < every_s:
            return False
        self._refused_s[view.name] = now_s
        return True
