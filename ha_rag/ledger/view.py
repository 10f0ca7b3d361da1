"""View: one circuit as one replica believes it. Asking it is a memory read; nothing here waits or does I/O.

Two beliefs meet in it. The *fleet's* (`FleetBelief`) comes from the ledger: pushed, polled, or in the answer to a
verb. The replica's *own* (`Overlay`) comes from the same law over its own counts. A call is refused while either is
open and resting; the fleet's half-open wants a lease from the ledger (`Asking`), the replica's own a probe of its own.
What calls end in is counted (`Tallies`), judged here, and reported (`Outbox`).

Plain synchronous code under one lock: safe across threads and tasks.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ha_rag.circuit.admission import ramp_share, shed_share
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Batch, Belief, Ruling
from ha_rag.circuit.snapshot import UNKNOWN, Snapshot
from ha_rag.circuit.state import CircuitState, Counts, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock
from ha_rag.ledger.asking import Asking, Grant
from ha_rag.ledger.belief import FleetBelief
from ha_rag.ledger.ledger import Reply
from ha_rag.ledger.outbox import Outbox, Rest
from ha_rag.ledger.overlay import Overlay, ms
from ha_rag.ledger.solo import Solo
from ha_rag.ledger.tallies import Tallies, Term
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


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reply or message meant. `forgot`: the ledger is behind what it told earlier, and should be taught."""

    before: Snapshot | None = None
    after: Snapshot | None = None
    forgot: bool = False
    gap: bool = False


class View:
    """What one replica believes of one circuit, and what it has counted.

    `passing`: the term under which calls pass without further thought, or None: then `consider` decides.
    `refusing_until_s`: before this moment every call is refused without further thought.
    `away`: whether the ledger takes no verbs for this circuit, so that the replica goes on alone.
    `spread_s`: over how many seconds the replicas spread what they all want to ask at once; grows with the fleet.
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
        self.away = scope == "fleet"
        self.spread_s = 0.0
        self._own = scope == "replica"
        self._now = clock.monotonic_s
        self._draw = draw
        self._lock = threading.Lock()
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._slow_s = policy.slow_call_s
        self._fleet = FleetBelief()
        self._overlay = Overlay(Solo(self.terms, by=replica, probes=policy.probes if self._own else 1, draw=draw))
        self._asking = Asking()
        self._tallies = Tallies(policy.bucket_ms / 1000, policy.window_s, reported=not self._own)
        self._outbox = Outbox(replica, policy.window_s)
        self._untold: list[Ruling] = []
        self._short = False
        self._term = Term(0, 0)
        self.passing: Term | None = self._term
        self.refusing_until_s = -math.inf

    # ---- what a call asks -------------------------------------------------------------------------------------------

    def consider(self) -> Term | Grant | Refused:
        """What becomes of a call that comes now, worked out in full. Hands out a standing grant."""
        with self._lock:
            now = self._now()
            if self._short or self.policy.shed:
                self._judge(now)
            state, until_s = self._meets(now)
            if state is HALF_OPEN:
                return self._probe(now)
            self._regate(now)
            if state is OPEN:
                return Refused(OPEN, None if until_s == math.inf else until_s - now)
            return self._held_back(now) or self._term

    def state(self) -> CircuitState:
        """What a call would meet now."""
        with self._lock:
            return self._meets(self._now())[0]

    def _meets(self, now: float) -> tuple[CircuitState, float]:
        """The state that a call meets, and until when, as far as that is known."""
        mode = self._fleet.mode(now)
        if mode is not None:
            return (OPEN, self._fleet.override_until_s) if mode is OverrideMode.OPEN else (CLOSED, math.inf)
        fleet = self._fleet_state(now)
        if fleet is OPEN:
            return OPEN, self._fleet.rest_until_s
        own = self._overlay.state(now)
        if own is OPEN:
            return OPEN, self._overlay.until_s(now)
        return (HALF_OPEN, now) if HALF_OPEN in (fleet, own) else (CLOSED, math.inf)

    def _fleet_state(self, now: float) -> CircuitState:
        """The fleet's, as far as it binds: what it rested from is the replica's own to probe while it is alone."""
        state = self._fleet.state(now)
        if state is HALF_OPEN and self.away:
            self._overlay.take_over(now, self._fleet.snapshot)
            return CLOSED
        return state

    def _probe(self, now: float) -> Grant | Refused:
        if self._fleet_state(now) is not HALF_OPEN:
            return self._probe_alone(now)
        grant = self._asking.take(now, self._fleet.epoch)
        if grant is not None:
            return grant
        wants = self._asking.begin(now)
        return Refused(HALF_OPEN, max(0.0, self._asking.after_s - now), ask=wants)

    def _probe_alone(self, now: float) -> Grant | Refused:
        solo = self._overlay.solo
        own = solo.lease(ms(now))
        if own is not None:
            return Grant(own.token, own.until_ms / 1000, solo.circuit.epoch, True, math.inf)
        until_s = self._overlay.until_s(now)
        return Refused(HALF_OPEN, None if until_s == math.inf else max(0.0, until_s - now))

    # ---- the optional stages ----------------------------------------------------------------------------------------

    def _held_back(self, now: float) -> Refused | None:
        """Refuses a share of the calls after closing, and in a brownout; never against an operator's word."""
        if self._fleet.mode(now) is not None:
            return None
        share = ramp_share(self.policy, self._closed_for_s(now))
        if self.policy.shed:
            share *= shed_share(self.policy, self._shared_counts(now))
        return Refused(CLOSED, None) if share < 1.0 and self._draw() >= share else None

    def _closed_for_s(self, now: float) -> float:
        return now - max(self._fleet.closed_at_s, self._overlay.closed_at_s)

    def _shared_counts(self, now: float) -> Counts:
        return self._overlay.read(now).counts if self.away or self._own else self._fleet.snapshot.counts

    # ---- how a call ended -------------------------------------------------------------------------------------------

    def succeeded(self, term: Term, started_s: float) -> Outcome:
        """Counts a call that was answered."""
        now = self._now()
        slow_s = self._slow_s
        if not slow_s or now - started_s <= slow_s:
            # The price of every guarded call: acquire and release by hand cost a third of a with block.
            self._acquire()
            cell = self._tallies.cell
            if cell is not None and cell.term is term and now < cell.end_s:
                cell.ok += 1
                self._release()
                return OK
            self._release()
            return self._succeeded_first(term, now)
        return self._succeeded_slowly(term, now)

    def _succeeded_first(self, term: Term, now: float) -> Outcome:
        """Counts the first call of a term or a stretch of time."""
        with self._lock:
            if self._counts(term, now):
                self._tallies.cell_for(term, now).ok += 1
        return OK

    def _succeeded_slowly(self, term: Term, now: float) -> Outcome:
        with self._lock:
            if self._counts(term, now):
                cell = self._tallies.cell_for(term, now)
                cell.ok += 1
                cell.slow += 1
                self._judge(now)
        return Outcome.SLOW

    def failed(self, term: Term, started_s: float) -> bool:
        """Counts a call that failed, and judges. Answers whether it counted, and so should be reported at once."""
        now = self._now()
        slow_s = self._slow_s
        with self._lock:
            if not self._counts(term, now):
                return False
            cell = self._tallies.cell_for(term, now)
            cell.failed += 1
            if slow_s and now - started_s > slow_s:
                cell.slow += 1
            self._judge(now)
            return True

    def throttled(self, term: Term, asked_s: float) -> bool:
        """Notes that the service asked for a rest of so many seconds. Answers whether it counted."""
        now = self._now()
        asked_ms = max(1, round(min(asked_s, self.policy.throttle_max_s) * 1000))
        with self._lock:
            if not self._counts(term, now):
                return False
            if not self._own and term.fleet_epoch == self._fleet.epoch:
                self._outbox.asked_to_rest(Rest(asked_ms, term.fleet_epoch, now))
            if term.solo_epoch == self._overlay.epoch:
                self._judge(now, asked_ms)
            return True

    def _counts(self, term: Term, now: float) -> bool:
        """Whether a call admitted under that term still counts: it does in the epoch that admitted it only."""
        if self._fleet.mode(now) is OverrideMode.DISABLED:
            return False
        return term.fleet_epoch == self._fleet.epoch or term.solo_epoch == self._overlay.epoch

    def _judge(self, now: float, throttled_ms: int = 0) -> None:
        """Lets the replica's own law see what was counted since it last looked."""
        tallies = self._tallies.take_for_solo(self._overlay.epoch, now)
        if self._own or self._fleet.mode(now) is None:
            ruling = self._overlay.judge(now, tallies, throttled_ms)
            if ruling is not None:
                self._tripped(now, ruling)
        self._regate(now)

    def _tripped(self, now: float, ruling: Ruling) -> None:
        if self._own:
            self._untold.append(ruling)
        elif not self.away:
            # The fleet's own word is better than this replica's alone: it gets a moment to say it.
            self._overlay.await_verdict(now, self._outbox.next_number)

    # ---- a circuit, or a probe, of the replica's own ----------------------------------------------------------------

    def settle_alone(self, grant: Grant, outcome: Outcome, throttled_ms: int = 0) -> None:
        """Ends a probe that the replica gave itself."""
        with self._lock:
            now = self._now()
            ruling = self._overlay.solo.settle(ms(now), grant.token, outcome, throttled_ms)
            if ruling.events and ruling.circuit.state is CLOSED:
                self._overlay.closed_at_s = now
            self._regate(now)
            if self._own:
                self._untold.append(ruling)

    def override_alone(self, mode: OverrideMode | None, reason: str, by: str, for_s: float | None) -> None:
        """An operator's word on a circuit that belongs to this replica."""
        with self._lock:
            now = self._now()
            for_ms = None if for_s is None else round(for_s * 1000)
            self._untold.append(self._overlay.solo.override(ms(now), mode, reason, by, for_ms))
            self._fleet.hold(self._overlay.read(now).override)
            self._regate(now)

    @property
    def has_untold(self) -> bool:
        """Whether there are rulings of this replica's own circuit that nobody has been told of yet."""
        return bool(self._untold)

    def untold(self) -> list[Ruling]:
        """Those rulings; each is answered once."""
        with self._lock:
            rulings, self._untold = self._untold, []
            return rulings

    # ---- what the ledger says ---------------------------------------------------------------------------------------

    def hear(self, snapshot: Snapshot) -> Heard:
        """Takes an answer of the ledger. A lower epoch than one already heard is never adopted."""
        with self._lock:
            before = self._fleet.snapshot
            if snapshot.epoch < before.epoch:
                return Heard(forgot=True)
            now = self._now()
            self._fleet.heard_s = now
            if self._fleet.is_late(snapshot):
                return Heard()
            self._adopt(snapshot, now)
            return Heard(before, snapshot) if snapshot.epoch > before.epoch else Heard()

    def hear_message(self, snapshot: Snapshot, previous_epoch: int) -> Heard:
        """Takes a pushed message: late ones are dropped, a gap before it asks for a read."""
        with self._lock:
            now, before = self._now(), self._fleet.snapshot
            if snapshot.epoch <= before.epoch:
                if snapshot.epoch == before.epoch == previous_epoch:
                    self._asking.after_s = now + _wait_s(snapshot) + self._spread()
                return Heard()
            self._fleet.heard_s = now
            self._adopt(snapshot, now)
            return Heard(before, snapshot, gap=previous_epoch != before.epoch)

    def _adopt(self, snapshot: Snapshot, now: float) -> None:
        new = snapshot.epoch > self._fleet.epoch
        self._fleet.adopt(snapshot, now)
        ask_after_s = now + _wait_s(snapshot) + self._spread()
        if new:
            self._asking.after_s = ask_after_s
            # A transition empties every window; only what the replica itself rests from outlasts a fleet that closes.
            if snapshot.state is not CLOSED or snapshot.override is not None or self._overlay.calm:
                self._overlay.forget()
        elif snapshot.state is HALF_OPEN:
            # A settled probe is pushed to all; whom the message did not reach learns it here.
            self._asking.after_s = min(self._asking.after_s, ask_after_s)
        self._regate(now)

    def judged(self, batch: Batch) -> None:
        """The fleet has judged what this replica reported, and stays closed: its own overlay counts from now on."""
        with self._lock:
            self._overlay.judged(batch.number)
            self._regate(self._now())

    def set_away(self, away: bool) -> bool:
        """Whether the ledger takes no verbs for this circuit. Answers whether that is news."""
        with self._lock:
            if self._own or away == self.away:
                return False
            now = self._now()
            self.away = away
            if away:
                self._overlay.bind()
            else:
                self._overlay.hand_back(now)
            self._regate(now)
            return True

    # ---- leases -----------------------------------------------------------------------------------------------------

    def begin_asking(self) -> bool:
        """Whether a lease may be asked for although no call wants one; if so, the request counts as under way."""
        with self._lock:
            return self._asking.begin(math.inf)

    def lease_answered(self, reply: Reply | None, token: str, asked_s: float) -> Grant | None:
        """Takes the answer to a lease request (None: there was none). Answers a grant to be given back, if any."""
        with self._lock:
            now = self._now()
            if reply is None or not reply.granted:
                wait_ms = 0 if reply is None else reply.wait_ms
                self._asking.refused(now, None if wait_ms == UNKNOWN else wait_ms / 1000, self._spread())
                return None
            # Counted from before it was asked for: no clock of another machine is compared with this one.
            lease_s = self.terms.lease_ms / 1000
            return self._asking.granted(Grant(token, asked_s + lease_s, reply.snapshot.epoch, False, lease_s / 2))

    def wait_for_answer(self, timeout_s: float) -> None:
        """Blocks the calling thread while a lease request is under way; for synchronous programs only."""
        self._asking.answered.wait(timeout_s)

    def _spread(self) -> float:
        """A little chance, so that a large fleet does not ask as one."""
        return self._draw() * self.spread_s

    def stale_grant(self) -> Grant | None:
        """A grant that nobody used for half its life, to be given back."""
        with self._lock:
            return self._asking.stale(self._now(), self._fleet.epoch)

    def drop_grant(self) -> Grant | None:
        """The standing grant, to be given back."""
        with self._lock:
            return self._asking.drop()

    # ---- reports ----------------------------------------------------------------------------------------------------

    def batch(self, ledger_now_ms: int) -> Batch | None:
        """What should be reported now: the batch that was not acknowledged, or a new one, or nothing."""
        with self._lock:
            now = self._now()
            again = self._outbox.unacknowledged(now)
            if again is not None:
                return again
            tallies = self._tallies.take_for_fleet(self._fleet.epoch, now, ledger_now_ms)
            return self._outbox.batch(tallies, self._overlay.solo.failing(ms(now)), now, ledger_now_ms)

    def batch_taken(self, batch: Batch) -> None:
        """The ledger has seen this batch."""
        with self._lock:
            self._outbox.taken(batch)

    @property
    def has_news(self) -> bool:
        """Whether there is anything to report."""
        return self._outbox.waiting or self._tallies.waiting

    def tidy(self) -> None:
        """What time alone changes: a rest, a ramp or an override that ended. Called now and then, for speed only."""
        with self._lock:
            self._regate(self._now())

    # ---- what others may see ----------------------------------------------------------------------------------------

    @property
    def fleet(self) -> Snapshot:
        """What was last heard of the fleet's circuit."""
        return self._fleet.snapshot

    @property
    def heard_s(self) -> float:
        """When that was confirmed last (monotonic); minus infinity: never."""
        return self._fleet.heard_s

    def belief(self, ledger_now_ms: int) -> Belief:
        """What this replica would teach a ledger that forgot it, whose clock shows `ledger_now_ms`."""
        with self._lock:
            return self._fleet.to_teach(self._now(), ledger_now_ms)

    def local(self) -> Snapshot:
        """The replica's own circuit as it reads now, in ms of its own clock, with all that was counted so far."""
        with self._lock:
            now = self._now()
            self._judge(now)
            return self._overlay.read(now)

    def overlaid(self) -> bool:
        """Whether the replica refuses by itself what the fleet would let pass."""
        with self._lock:
            now = self._now()
            if self._own or self._fleet.mode(now) is not None:
                return False
            return self._fleet_state(now) is CLOSED and self._overlay.state(now) is not CLOSED

    # ---- the gate ---------------------------------------------------------------------------------------------------

    def _regate(self, now: float) -> None:
        """Works out anew which calls need no further thought."""
        if self._term.fleet_epoch != self._fleet.epoch or self._term.solo_epoch != self._overlay.epoch:
            self._tallies.shelve()
            self._term = Term(self._fleet.epoch, self._overlay.epoch)
        state, until_s = self._meets(now)
        self._short = self._is_short(now)
        self.passing = self._term if state is CLOSED and not self._needs_thought(now) else None
        self.refusing_until_s = until_s if state is OPEN else -math.inf

    def _needs_thought(self, now: float) -> bool:
        if self._short or self._overlay.awaits_verdict(now):
            return True
        return self.policy.shed or self._closed_for_s(now) < self.policy.ramp_s

    def _is_short(self, now: float) -> bool:
        """Whether nothing but the number of samples keeps the circuit closed: then a success may open it too."""
        if not self._overlay.calm:
            return False
        counts = self._overlay.solo.counts(ms(now))
        few = 0 < counts.samples < self.terms.min_samples
        return few and self.terms.reached(counts.failure_rate, counts.slow_rate)


def _wait_s(snapshot: Snapshot) -> float:
    """Until a probe could be had, as far as a snapshot tells."""
    return max(snapshot.left_ms, snapshot.standing_ms, 0) / 1000
