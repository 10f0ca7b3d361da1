"""Contact: whether the ledger is there, what it refuses, and how often it may be asked.

Each answer to what a replica asks or tells passes here, and each silence. A ledger that answers reads need not take
verbs: one that refuses a circuit's verbs is away for that circuit until a verb is taken again. Of a cluster, the part
that holds a circuit may be silent: then it is away for that circuit until the part answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from ha_rag.circuit.reply import Reply
from ha_rag.clock import Clock
from ha_rag.errors import LedgerError, LedgerRefusedError, ShardUnavailableError
from ha_rag.events import Sink
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.sync.denied_permissions import TELLING, DeniedPermissions
from ha_rag.ledger.sync.event_publisher import EventPublisher
from ha_rag.ledger.sync.link import LOST_AFTER, Link
from ha_rag.ledger.sync.pace import Pace
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views

REFUSED_S = 1.0
"""How often a verb is tried on a ledger that answers with errors."""


class Contact:
    """One replica's contact with its ledger. Used on one event loop; `link`, `pace` and `limits` are read anywhere.

    `unpublished`: steps whose event or message the ledger refused to pass on. `forgot`: hears of each circuit that the
    ledger has forgotten, or seems to have.
    """

    def __init__(
        self,
        ledger: Ledger,
        incarnation: str,
        clock: Clock,
        *,
        views: Views,
        sinks: Iterable[Sink],
        forgot: Callable[[View], object],
    ) -> None:
        self.ledger = ledger
        self.incarnation = incarnation
        self.now_s = clock.monotonic_s
        self.link = Link(clock)
        self.pace = Pace()
        self.publisher = EventPublisher(incarnation, clock, sinks)
        self.limits = DeniedPermissions(self.publisher.limited)
        self.unpublished = 0
        self._views = views
        self._forgot = forgot
        self._refused_s: dict[str, float] = {}
        self._silences: dict[str, int] = {}
        """Circuit -> how often in a row its part of the ledger did not answer."""

    def retry_s(self) -> float:
        """Seconds until what went wrong is tried again: by chance, and the longer the larger the fleet was last."""
        return random.uniform(*self.pace.retry_s)

    # ---- answers ----------------------------------------------------------------------------------------------------

    def read(self, view: View, reply: Reply) -> None:
        """A read was answered: the ledger is there, but it need not take verbs."""
        self.answered(reply.snapshot.now_ms)
        self._silences.pop(view.name, None)
        self.heard(view, view.apply_reply(reply.snapshot))
        view.set_ledger_unreachable(view.name in self._refused_s)

    def heard(self, view: View, heard: Reconciliation) -> None:
        """The ledger's word on a circuit has reached its view."""
        self.publisher.heard(view.name, heard)
        if heard.needs_restore:
            self._forgot(view)

    def taken(self, view: View, reply: Reply) -> None:
        """A verb was taken."""
        if reply.unpublished:
            self.unpublished += 1
            self.limits.refused(TELLING, "XADD or PUBLISH")
        elif reply.published:
            self.limits.taken(TELLING)
        self._refused_s.pop(view.name, None)
        self.read(view, reply)

    def not_taken(self, view: View, error: LedgerError) -> None:
        """A verb was refused, or nothing was heard of it."""
        if isinstance(error, ShardUnavailableError):
            self.silent(view, str(error))
            return
        if not isinstance(error, LedgerRefusedError):
            self.lost(error)
            return
        if view.name not in self._refused_s:
            self.publisher.lost(str(error), circuit=view.name)
        self._refused_s[view.name] = self.now_s()
        view.set_ledger_unreachable(True)

    def silent(self, view: View, reason: str) -> None:
        """The part of the ledger that holds this circuit did not answer: twice in a row loses it, as with the whole."""
        times = self._silences[view.name] = self._silences.get(view.name, 0) + 1
        if times == LOST_AFTER:
            self.publisher.lost(reason, circuit=view.name)
        if times >= LOST_AFTER:
            view.set_ledger_unreachable(True)

    def answered(self, ledger_ms: int | None) -> None:
        """The ledger is there; what its clock showed, if it told."""
        away_s = self.link.answered(ledger_ms)
        if away_s is not None:
            self.publisher.back(away_s)

    def lost(self, error: LedgerError) -> None:
        """The ledger did not answer."""
        if not self.link.failed(str(error)):
            return
        self.publisher.lost(str(error))
        for view in self._views.shared():
            view.set_ledger_unreachable(True)

    # ---- refusals ---------------------------------------------------------------------------------------------------

    def is_refused(self, view: View) -> bool:
        """Whether the ledger answers this circuit's verbs with errors."""
        return view.name in self._refused_s

    def may_try(self, view: View) -> bool:
        """Whether a verb of this circuit may be sent: where the last was refused, once a second.

        Where its part of the ledger is silent, none: the poll finds out when it answers again.
        """
        if self._silences.get(view.name, 0) >= LOST_AFTER:
            return False
        since_s, now_s = self._refused_s.get(view.name), self.now_s()
        if since_s is None:
            return True
        if now_s - since_s < REFUSED_S:
            return False
        self._refused_s[view.name] = now_s
        return True
