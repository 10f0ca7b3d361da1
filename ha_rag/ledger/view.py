"""View: one circuit as one replica believes it: the gate that its calls pass, and the side that faces the ledger.

`Sync` brings it what the ledger says, and takes from it what the ledger should be asked and told. Nothing here waits
or does I/O. Plain synchronous code under the gate's lock: safe across threads and tasks.
"""

from __future__ import annotations

from ha_rag.circuit.rules import Batch, Belief
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger import hearing
from ha_rag.ledger.asking import Grant
from ha_rag.ledger.gate import Gate
from ha_rag.ledger.hearing import Heard
from ha_rag.ledger.ledger import Reply


class View(Gate):
    """What one replica believes of one circuit, and what it has counted."""

    # ---- what the ledger says ---------------------------------------------------------------------------------------

    def hear(self, snapshot: Snapshot) -> Heard:
        """Takes an answer of the ledger. A lower epoch than one already heard is never adopted."""
        with self._lock:
            now = self._now()
            heard = hearing.answer(self._stance, self._asking, snapshot, now)
            self._regate(now)
            return heard

    def hear_message(self, snapshot: Snapshot, previous_epoch: int) -> Heard:
        """Takes a pushed message: late ones are dropped; a gap before it, or a contradiction, asks for a read."""
        with self._lock:
            now = self._now()
            heard = hearing.message(self._stance, self._asking, snapshot, previous_epoch, now)
            self._regate(now)
            return heard

    def judged(self, batch: Batch) -> None:
        """The fleet has judged what this replica reported, and stays closed: its own overlay counts from now on."""
        with self._lock:
            self._overlay.judged(batch.number)
            self._regate(self._now())

    def set_away(self, away: bool) -> bool:
        """Whether the ledger takes no verbs for this circuit. Answers whether that is news."""
        with self._lock:
            now = self._now()
            news = self._stance.set_away(now, away)
            self._regate(now)
            return news

    # ---- what the ledger is asked and told --------------------------------------------------------------------------

    def spread(self, over_s: float) -> None:
        """Over how many seconds the replicas spread what they all want to ask at once; grows with the fleet."""
        self._asking.spread_s = over_s

    def begin_asking(self) -> bool:
        """Whether a lease may be asked for although no call wants one; if so, the request counts as under way."""
        with self._lock:
            now = self._now()
            self._asking.want(now)
            return self._asking.begin(now)

    def lease_answered(self, reply: Reply | None, token: str, asked_s: float) -> Grant | None:
        """Takes the answer to a lease request (None: there was none). Answers a grant to be given back, if any."""
        with self._lock:
            return self._asking.answer(reply, token, asked_s, self._now())

    def stale_grant(self) -> Grant | None:
        """A grant that nobody used while a probe could have, to be given back."""
        with self._lock:
            return self._asking.stale(self._now(), self._stance.fleet.epoch)

    def begin_renewal(self) -> bool:
        """Whether to exchange a grant that has grown old for a fresh one; if so, the request counts as under way."""
        with self._lock:
            now = self._now()
            return self._stance.fleet_state(now) is CircuitState.HALF_OPEN and self._asking.begin_renewal(now)

    def drop_grant(self) -> Grant | None:
        """The standing grant, to be given back."""
        with self._lock:
            return self._asking.drop()

    def batch(self, ledger_now_ms: int) -> Batch | None:
        """What should be reported now: the batch that was not acknowledged, or a new one, or nothing."""
        with self._lock:
            return self._counting.batch(ledger_now_ms, self._now())

    def batch_taken(self, batch: Batch) -> None:
        """The ledger has seen this batch."""
        with self._lock:
            self._counting.taken(batch)

    @property
    def has_news(self) -> bool:
        """Whether there is anything to report."""
        return self._counting.has_news

    # ---- what others may see ----------------------------------------------------------------------------------------

    @property
    def away(self) -> bool:
        """Whether the ledger takes no verbs for this circuit, so that the replica goes on alone."""
        return self._stance.away

    @property
    def fleet(self) -> Snapshot:
        """What was last heard of the fleet's circuit."""
        return self._stance.fleet.snapshot

    @property
    def heard_s(self) -> float:
        """When that was confirmed last (monotonic); minus infinity: never."""
        return self._stance.fleet.heard_s

    def belief(self, ledger_now_ms: int) -> Belief:
        """What this replica would teach a ledger that forgot it, whose clock shows `ledger_now_ms`."""
        with self._lock:
            return self._stance.fleet.to_teach(self._now(), ledger_now_ms)

    def overlaid(self) -> bool:
        """Whether the replica refuses by itself what the fleet would let pass."""
        with self._lock:
            return self._stance.overlaid(self._now())
