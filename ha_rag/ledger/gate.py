"""Gate: how calls pass one circuit of one replica, and what they end in. A memory read; nothing here waits.

It is one lock around parts that know no lock:

    Stance     what a call meets: the fleet's belief and the replica's own, and which of them binds
    Ration     which calls pass while a closed circuit lets not all of them pass
    Counting   what calls ended in, judged by the replica's own law and gathered for the fleet's
    Asking     probes that the ledger is asked for

Most calls need no more than its two open attributes, which are worked out anew with every change. Plain synchronous
code: safe across threads and tasks.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Ruling
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock
from ha_rag.ledger.asking import Asking, Grant
from ha_rag.ledger.counting import Counting
from ha_rag.ledger.ration import Ration
from ha_rag.ledger.solo import Solo
from ha_rag.ledger.stance import Stance
from ha_rag.ledger.tallies import Term
from ha_rag.messages import Outcome

OK = Outcome.OK
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
Scope = Literal["fleet", "replica"]


@dataclass(frozen=True, slots=True)
class Refused:
    """No. `retry_after_s`: when to ask again, None where nobody can know. `ask`: a lease should be asked for now."""

    state: CircuitState
    retry_after_s: float | None
    ask: bool = False


class Gate:
    """One circuit, as calls meet it.

    `passing`: the term under which calls pass without further thought, or None: then `consider` decides.
    `refusing_until_s`: before this moment every call is refused without further thought.
    `scope`: "fleet" for a circuit that the replicas share, "replica" for one that belongs to this replica alone.
    `draw`: a random number in [0, 1).
    """

    def __init__(
        self,
        name: str,
        policy: CircuitPolicy,
        *,
        replica: str,
        clock: Clock,
        scope: Scope = "fleet",
        timeout_s: float | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.policy = policy
        self.scope: Scope = scope
        self.timeout_s = timeout_s
        self.terms = Terms.of(policy, timeout_s)
        own = scope == "replica"
        solo = Solo(self.terms, by=replica, probes=policy.probes if own else 1, draw=draw)
        self._stance = Stance(solo, own=own)
        self._overlay = self._stance.overlay
        self._ration = Ration(policy, self._stance, draw)
        self._asking = Asking(self.terms.lease_ms / 1000, timeout_s, draw)
        self._counting = Counting(self._stance, policy, replica)
        self._now = clock.monotonic_s
        self._lock = threading.Lock()
        # What every guarded call touches is one lookup away.
        self._slow_s = policy.slow_call_s
        self._tallies = self._counting.tallies
        self._short = False
        self.passing: Term | None = self._counting.term
        self.refusing_until_s = -math.inf

    # ---- what a call asks -------------------------------------------------------------------------------------------

    def consider(self) -> Term | Grant | Refused:
        """What becomes of a call that comes now, worked out in full. Hands out a standing grant."""
        with self._lock:
            now = self._now()
            if self._short or self.policy.shed:
                self._judge(now)
            state, until_s = self._stance.meets(now)
            if state is HALF_OPEN:
                return self._probe(now)
            self._regate(now)
            if state is OPEN:
                return Refused(OPEN, _after_s(until_s, now))
            return Refused(CLOSED, None) if self._ration.refuses(now) else self._counting.term

    def _probe(self, now: float) -> Grant | Refused:
        stance = self._stance
        if stance.fleet_state(now) is HALF_OPEN:
            return self._asking.take(now, stance.fleet.epoch) or self._wanted(now)
        grant = self._overlay.probe(now)
        if grant is not None:
            return grant
        return Refused(HALF_OPEN, _after_s(self._overlay.until_s(now), now))

    def _wanted(self, now: float) -> Refused:
        """No probe is at hand; one is asked for now, or later."""
        ask = self._asking.begin(now)
        return Refused(HALF_OPEN, max(0.0, self._asking.after_s - now), ask=ask)

    def state(self) -> CircuitState:
        """What a call would meet now."""
        with self._lock:
            return self._stance.meets(self._now())[0]

    def wait_for_answer(self, timeout_s: float) -> bool:
        """Blocks the calling thread while a lease request is under way, for synchronous programs; whether none is."""
        return self._asking.answered.wait(timeout_s)

    # ---- how a call ended -------------------------------------------------------------------------------------------

    def succeeded(self, term: Term, started_s: float) -> Outcome:
        """Counts a call that was answered."""
        now = self._now()
        slow_s = self._slow_s
        if not slow_s or now - started_s <= slow_s:
            # Acquired by hand this costs less, and a signal whose handler raises leaves the lock held for ever.
            with self._lock:
                cell = self._tallies.cell
                if cell is not None and cell.term is term and now < cell.end_s:
                    cell.ok += 1
                    return OK
            return self._succeeded_first(term, now)
        return self._succeeded_slowly(term, now)

    def _succeeded_first(self, term: Term, now: float) -> Outcome:
        """Counts the first call of a term or a stretch of time."""
        with self._lock:
            cell = self._counting.cell(term, now)
            if cell is not None:
                cell.ok += 1
        return OK

    def _succeeded_slowly(self, term: Term, now: float) -> Outcome:
        with self._lock:
            cell = self._counting.cell(term, now)
            if cell is not None:
                cell.ok += 1
                cell.slow += 1
                self._judge(now)
        return Outcome.SLOW

    def failed(self, term: Term, started_s: float) -> bool:
        """Counts a call that failed, and judges. Answers whether it counted, and so should be reported at once."""
        now = self._now()
        with self._lock:
            cell = self._counting.cell(term, now)
            if cell is None:
                return False
            cell.failed += 1
            if self._slow_s and now - started_s > self._slow_s:
                cell.slow += 1
            self._judge(now)
            return True

    def throttled(self, term: Term, asked_s: float) -> bool:
        """Notes that the service asked for a rest of so many seconds. Answers whether it counted."""
        with self._lock:
            now = self._now()
            counted = self._counting.asked_to_rest(term, asked_s, now)
            self._regate(now)
            return counted

    # ---- a circuit, or a probe, of the replica's own ----------------------------------------------------------------

    def settle_alone(self, grant: Grant, outcome: Outcome, throttled_ms: int = 0) -> None:
        """Ends a probe that the replica gave itself."""
        with self._lock:
            now = self._now()
            self._stance.settle_alone(now, grant.token, outcome, throttled_ms)
            self._regate(now)

    def override_alone(self, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None) -> None:
        """An operator's word on a circuit that belongs to this replica."""
        with self._lock:
            now = self._now()
            self._stance.override_alone(now, mode, reason, by, for_ms)
            self._regate(now)

    @property
    def has_untold(self) -> bool:
        """Whether there are rulings of this replica's own circuit that nobody has been told of yet."""
        return bool(self._stance.untold)

    def untold(self) -> list[Ruling]:
        """Those rulings; each is answered once."""
        with self._lock:
            rulings, self._stance.untold = self._stance.untold, []
            return rulings

    # ---- what time and counts change ---------------------------------------------------------------------------------

    def tidy(self) -> None:
        """What time alone changes: a rest, a ramp or an override that ended. Called now and then, for speed only."""
        with self._lock:
            self._regate(self._now())

    def local(self) -> Snapshot:
        """The replica's own circuit as it reads now, in ms of its own clock, with all that was counted so far."""
        with self._lock:
            now = self._now()
            self._judge(now)
            return self._overlay.read(now)

    def _judge(self, now: float) -> None:
        self._counting.judge(now)
        self._regate(now)

    def _regate(self, now: float) -> None:
        """Works out anew which calls need no further thought."""
        self._counting.keep_up()
        state, until_s = self._stance.meets(now)
        self._short = self._overlay.is_short(now)
        thought = self._short or self._overlay.awaits_verdict(now) or self._ration.applies(now)
        self.passing = self._counting.term if state is CLOSED and not thought else None
        self.refusing_until_s = until_s if state is OPEN else -math.inf


def _after_s(until_s: float, now_s: float) -> float | None:
    """How long until that moment; None where nobody can know it."""
    return None if until_s == math.inf else max(0.0, until_s - now_s)
