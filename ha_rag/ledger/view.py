"""View: one circuit as one replica believes it. Asking it is a memory read; nothing here waits or does I/O.

Two beliefs meet in it. The *fleet's* comes from the ledger: pushed, polled, or in the answer to a verb. The replica's
*own* comes from the same law over its own counts (`Solo`). A call is refused while either is open and resting; the
fleet's half-open wants a lease from the ledger, the replica's own a probe of its own. What the replica decides for
itself is an overlay, never an epoch, so no isolated replica overrules the fleet.

Plain synchronous code under one lock: safe across threads and tasks.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from ha_rag.circuit.admission import ramp_share, shed_share
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Batch, Belief, Ruling
from ha_rag.circuit.snapshot import UNKNOWN, Snapshot
from ha_rag.circuit.state import CircuitState, Override, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock
from ha_rag.ledger.ledger import Reply
from ha_rag.ledger.solo import Solo
from ha_rag.ledger.tallies import Tallies, Term
from ha_rag.messages import Outcome

OK = Outcome.OK
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
Scope = Literal["fleet", "replica"]

NOT_THROTTLED = (0, 0, 0.0)

VERDICT_S = 0.1
"""How long a replica whose own window trips waits for the fleet's word before it refuses by itself."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to one probe until `until_s` (monotonic). `alone`: given by the replica to itself."""

    token: str
    until_s: float
    epoch: int
    alone: bool
    half_life_s: float


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
    """

    def __init__(
        self, name: str, policy: CircuitPolicy, *, replica: str, clock: Clock, scope: Scope = "fleet",
        timeout_s: float | None = None, draw: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.policy = policy
        self.scope: Scope = scope
        self.timeout_s = timeout_s
        self.terms = Terms.of(policy, timeout_s)
        self.solo = Solo(self.terms, by=replica)
        self.fleet = Snapshot(now_ms=0)
        self.heard_s = -math.inf
        self.away = scope == "fleet"
        """Whether the ledger takes no verbs for this circuit, so that the replica goes on alone."""
        self.spread_s = 0.0
        """Over how many seconds the replicas spread what they all want to ask at once; grows with the fleet."""
        self._replica = replica
        self._now = clock.monotonic_s
        self._draw = draw
        self._lock = threading.Lock()
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._slow_s = policy.slow_call_s
        self._tallies = Tallies(policy.bucket_ms / 1000, policy.window_s)
        self._rest_until_s = 0.0
        self._override_until_s = math.inf
        self._closed_at_s = -math.inf
        self._overlay_from_s = -math.inf
        self._taken_over: int | None = None
        self._grant: Grant | None = None
        self._asking = False
        self._answered = threading.Event()
        self._ask_after_s = -math.inf
        self._number = 0
        self._sent: Batch | None = None
        self._throttled: tuple[int, int, float] = NOT_THROTTLED
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
            if self._short:
                self._judge(now)
                self._regate(now)
            state, until = self._meets(now)
            if state is CLOSED:
                return self._held_back(now) or self._term
            if state is OPEN:
                return Refused(OPEN, None if until == math.inf else until - now)
            return self._probe(now)

    def state(self) -> CircuitState:
        """What a call would meet now."""
        with self._lock:
            return self._meets(self._now())[0]

    def _meets(self, now: float) -> tuple[CircuitState, float]:
        """The state that a call meets, and until when, as far as that is known."""
        word = self._mode(now)
        if word is not None:
            return (OPEN, self._override_until_s) if word is OverrideMode.OPEN else (CLOSED, math.inf)
        fleet = self._fleet_state(now)
        if fleet is OPEN:
            return OPEN, self._rest_until_s
        solo = self._solo_state(now)
        if solo is OPEN:
            return OPEN, now + self._solo_wait_s(now)
        return (HALF_OPEN, now) if HALF_OPEN in (fleet, solo) else (CLOSED, math.inf)

    def _fleet_state(self, now: float) -> CircuitState:
        """The fleet's, as far as it binds: what it rested from is the replica's own to probe while it is alone."""
        state = self.fleet.state
        if state is OPEN and now < self._rest_until_s:
            return OPEN
        return CLOSED if state is CLOSED or self._alone(now) else HALF_OPEN

    def _alone(self, now: float) -> bool:
        """Whether probing is up to this replica. What the fleet believed open then becomes its own overlay, once."""
        if self.away and self._taken_over != self.fleet.epoch:
            self._taken_over = self.fleet.epoch
            self._overlay_from_s = -math.inf
            if self.solo.circuit.state is CLOSED:
                self.solo.take_over(_ms(now), self.fleet.open_count, self.fleet.reason)
        return self.away

    def _solo_state(self, now: float) -> CircuitState:
        return CLOSED if now < self._overlay_from_s else self.solo.read(_ms(now)).state

    def _solo_wait_s(self, now: float) -> float:
        wait = self.solo.wait_ms(_ms(now))
        return math.inf if wait == UNKNOWN else wait / 1000

    def _mode(self, now: float) -> OverrideMode | None:
        word = self.fleet.override
        return word.mode if word is not None and now < self._override_until_s else None

    def _held_back(self, now: float) -> Refused | None:
        share = ramp_share(self.policy, now - self._closed_at_s)
        if self.policy.shed:
            share *= shed_share(self.policy, self.solo.read(_ms(now)).counts if self.away else self.fleet.counts)
        return Refused(CLOSED, None) if share < 1.0 and self._draw() >= share else None

    def _probe(self, now: float) -> Grant | Refused:
        if self._fleet_state(now) is not HALF_OPEN:
            own = self.solo.lease(_ms(now))
            if own is not None:
                return Grant(own.token, own.until_ms / 1000, self.solo.circuit.epoch, True, math.inf)
            wait = self._solo_wait_s(now)
            return Refused(HALF_OPEN, None if wait == math.inf else wait)
        grant, self._grant = self._grant, None
        if grant is not None and now < grant.until_s and grant.epoch == self.fleet.epoch:
            return grant
        wants = not self._asking and now >= self._ask_after_s
        if wants:
            self._asking = True
            self._answered.clear()
        return Refused(HALF_OPEN, max(0.0, self._ask_after_s - now), ask=wants)

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
            return self._succeeded_first(term, now, False)
        return self._succeeded_first(term, now, True)

    def _succeeded_first(self, term: Term, now: float, slow: bool) -> Outcome:
        """Counts a slow call, or the first one of a term or a stretch of time."""
        with self._lock:
            if self._counts(term):
                cell = self._tallies.cell_for(term, now)
                cell.ok += 1
                cell.slow += slow
        return Outcome.SLOW if slow else OK

    def failed(self, term: Term, started_s: float) -> bool:
        """Counts a call that failed, and judges. Answers whether it counted, and so should be reported at once."""
        now = self._now()
        slow_s = self._slow_s
        with self._lock:
            if not self._counts(term):
                return False
            cell = self._tallies.cell_for(term, now)
            cell.failed += 1
            if slow_s and now - started_s > slow_s:
                cell.slow += 1
            self._judge(now)
            return True

    def throttled(self, term: Term, asked_s: float) -> bool:
        """Notes that the service asked for a rest. Answers whether it counted."""
        now = self._now()
        with self._lock:
            if not self._counts(term):
                return False
            asked_ms = max(1, round(min(asked_s, self.policy.throttle_max_s) * 1000))
            self._throttled = (max(asked_ms, self._throttled[0]), term.fleet_epoch, now)
            self._judge(now, asked_ms)
            return True

    def _counts(self, term: Term) -> bool:
        """Whether a call admitted under that term still counts: it does in the epoch that admitted it only."""
        if self._mode(self._now()) is OverrideMode.DISABLED:
            return False
        return term.fleet_epoch == self._term.fleet_epoch or term.solo_epoch == self._term.solo_epoch

    def _judge(self, now: float, throttled_ms: int = 0) -> None:
        """Lets the replica's own law see what was counted since it last looked."""
        tallies = self._tallies.take_for_solo(self.solo.circuit.epoch)
        overruled = self._mode(now) is not None and not self._is_own()
        if overruled or not (tallies or throttled_ms) or self.solo.circuit.state is not CLOSED:
            return
        ruling = self.solo.record(_ms(now), tallies, throttled_ms)
        if not ruling.events:
            self._regate(now)
            return
        # The fleet's own word is better than this replica's alone: it gets a moment to say it.
        at_once = self._is_own() or self.away
        self._overlay_from_s = -math.inf if at_once else now + VERDICT_S
        self._regate(now)
        if at_once:
            self._untold.append(ruling)

    def _is_own(self) -> bool:
        return self.scope == "replica"

    def settle_alone(self, grant: Grant, outcome: Outcome, throttled_ms: int = 0) -> None:
        """Ends a probe that the replica gave itself."""
        with self._lock:
            now = self._now()
            ruling = self.solo.settle(_ms(now), grant.token, outcome, throttled_ms)
            if ruling.events and ruling.circuit.state is CLOSED:
                self._closed_at_s = now
            self._regate(now)
            self._untold.append(ruling)

    def untold(self) -> list[Ruling]:
        """The replica's own rulings that nobody has been told of yet; each is answered once."""
        with self._lock:
            rulings, self._untold = self._untold, []
            return rulings

    def override_alone(self, mode: OverrideMode | None, reason: str, by: str, for_s: float | None) -> None:
        """An operator's word on a circuit that belongs to this replica."""
        with self._lock:
            now = self._now()
            for_ms = None if for_s is None else round(for_s * 1000)
            ruling = self.solo.override(_ms(now), mode, reason, by, for_ms)
            self._hear_own(now)
            self._untold.append(ruling)

    def _hear_own(self, now: float) -> None:
        """A replica-scoped circuit's word is kept where every circuit's is."""
        own = self.solo.read(_ms(now))
        self.fleet = replace(self.fleet, override=own.override)
        until = own.override.until_ms if own.override else None
        self._override_until_s = math.inf if until is None else until / 1000
        self._regate(now)

    # ---- what the ledger says ---------------------------------------------------------------------------------------

    def hear(self, snapshot: Snapshot) -> Heard:
        """Takes an answer of the ledger. A lower epoch than one already heard is never adopted."""
        with self._lock:
            if snapshot.epoch < self.fleet.epoch:
                return Heard(forgot=True)
            now = self._now()
            self.heard_s = now
            before = self.fleet
            if snapshot.epoch == before.epoch and snapshot.now_ms < before.now_ms:
                return Heard()
            self._adopt(snapshot, now)
            return Heard(before, snapshot) if snapshot.epoch > before.epoch else Heard()

    def hear_message(self, snapshot: Snapshot, previous_epoch: int) -> Heard:
        """Takes a pushed message: late ones are dropped, a gap before it asks for a read."""
        with self._lock:
            now = self._now()
            if snapshot.epoch == self.fleet.epoch:
                self._ask_after_s = now + self._spread()
                return Heard()
            if snapshot.epoch < self.fleet.epoch:
                return Heard()
            before, self.heard_s = self.fleet, now
            self._adopt(snapshot, now)
            return Heard(before, snapshot, gap=previous_epoch != before.epoch)

    def _adopt(self, snapshot: Snapshot, now: float) -> None:
        new = snapshot.epoch > self.fleet.epoch
        self.fleet = snapshot
        self._rest_until_s = math.inf if snapshot.left_ms == UNKNOWN else now + snapshot.left_ms / 1000
        word = snapshot.override
        ends_ms = word.until_ms if word is not None else None
        self._override_until_s = math.inf if ends_ms is None else now + (ends_ms - snapshot.now_ms) / 1000
        if new:
            self._ask_after_s = now + max(snapshot.left_ms, snapshot.standing_ms) / 1000 + self._spread()
            if snapshot.state is not CLOSED or word is not None:
                self._forget_overlay()
            else:
                self._closed_at_s = now
        self._regate(now)

    def _forget_overlay(self) -> None:
        self.solo.reset()
        self._overlay_from_s = -math.inf

    def verdict(self) -> None:
        """The fleet has judged what this replica reported, and stays closed: its own overlay counts from now on."""
        with self._lock:
            self._overlay_from_s = -math.inf
            self._regate(self._now())

    def set_away(self, away: bool) -> bool:
        """Whether the ledger takes verbs for this circuit. Answers whether that is news."""
        with self._lock:
            if self.scope == "replica" or away == self.away:
                return False
            now = self._now()
            self.away = away
            if away:
                self._overlay_from_s = -math.inf
            elif self._taken_over is not None and self.solo.read(_ms(now)).state is not OPEN:
                self._forget_overlay()
            self._taken_over = None
            self._regate(now)
            return True

    # ---- leases -----------------------------------------------------------------------------------------------------

    def lease_answered(self, reply: Reply | None, token: str, asked_s: float) -> Grant | None:
        """Takes the answer to a lease request (None: there was none). Answers a grant that cannot be used."""
        with self._lock:
            self._asking = False
            self._answered.set()
            now = self._now()
            if reply is None or not reply.granted:
                wait_ms = 0 if reply is None else reply.wait_ms
                self._ask_after_s = now + (1.0 if wait_ms == UNKNOWN else wait_ms / 1000) + self._spread()
                return None
            # Counted from before it was asked for: no clock of another machine is compared with this one.
            lease_s = self.terms.lease_ms / 1000
            grant = Grant(token, asked_s + lease_s, reply.snapshot.epoch, False, lease_s / 2)
            if now - asked_s >= grant.half_life_s or grant.epoch != self.fleet.epoch:
                return grant
            self._grant = grant
            return None

    def wait_for_answer(self, timeout_s: float) -> None:
        """Blocks the calling thread until a lease request is answered; for synchronous programs only."""
        self._answered.wait(timeout_s)

    def _spread(self) -> float:
        """A little chance, so that a large fleet does not ask as one."""
        return self._draw() * self.spread_s

    def stale_grant(self) -> Grant | None:
        """A grant that nobody used for half its life, to be given back."""
        with self._lock:
            grant = self._grant
            now = self._now()
            if grant is None or (now < grant.until_s - grant.half_life_s and grant.epoch == self.fleet.epoch):
                return None
            self._grant = None
            return grant

    def drop_grant(self) -> Grant | None:
        """The standing grant, to be given back."""
        with self._lock:
            grant, self._grant = self._grant, None
            return grant

    # ---- reports ----------------------------------------------------------------------------------------------------

    def batch(self, ledger_now_ms: int) -> Batch | None:
        """What should be reported now: the batch that was not acknowledged, or a new one, or nothing."""
        with self._lock:
            if self._sent is not None:
                return self._sent
            now, epoch = self._now(), self.fleet.epoch
            tallies = self._tallies.take_for_fleet(epoch, now, ledger_now_ms)
            throttled_ms, throttled_epoch, throttled_s = self._throttled
            self._throttled = NOT_THROTTLED
            if not tallies and not throttled_ms:
                return None
            self._number += 1
            self._sent = Batch(
                self._replica, self._number, tallies, self.solo.failing(_ms(now)), throttled_ms, throttled_epoch,
                ledger_now_ms - _ms(now - throttled_s) if throttled_ms else 0,
            )
            return self._sent

    def batch_taken(self, batch: Batch) -> None:
        """The ledger has seen this batch."""
        with self._lock:
            if self._sent is batch:
                self._sent = None

    @property
    def has_news(self) -> bool:
        """Whether there is anything to report."""
        return self._sent is not None or bool(self._throttled[0]) or self._tallies.waiting

    def tidy(self) -> None:
        """What time alone changes: overrides that ended, counts grown too old. Called now and then."""
        with self._lock:
            now = self._now()
            self._tallies.trim(now)
            self._regate(now)

    # ---- what others may see ----------------------------------------------------------------------------------------

    def belief(self, ledger_now_ms: int) -> Belief:
        """What this replica would teach a ledger that forgot it, whose clock shows `ledger_now_ms`."""
        with self._lock:
            now = self._now()
            known = self.fleet
            left_ms = max(0, _ms(self._rest_until_s) - _ms(now)) if known.state is OPEN and not known.override else 0
            return replace(known.belief(), left_ms=left_ms, override=self._word(now, ledger_now_ms))

    def _word(self, now: float, ledger_now_ms: int) -> Override | None:
        """The operator's word that is still in force, by the ledger's clock."""
        if self._mode(now) is None or self.fleet.override is None:
            return None
        left_s = self._override_until_s - now
        return replace(self.fleet.override, until_ms=None if left_s == math.inf else ledger_now_ms + _ms(left_s))

    def local(self) -> Snapshot:
        """The replica's own circuit as it reads now, in ms of its own clock."""
        with self._lock:
            now = self._now()
            return self.solo.read(_ms(now))

    def overlaid(self) -> bool:
        """Whether the replica refuses by itself what the fleet would let pass."""
        with self._lock:
            now = self._now()
            if self._is_own() or self._mode(now) is not None:
                return False
            return self._fleet_state(now) is CLOSED and self._solo_state(now) is not CLOSED

    def rest_left_s(self) -> float | None:
        """Seconds until calls may pass or probe again; None where nobody can know, or where there is no rest."""
        with self._lock:
            now = self._now()
            state, until = self._meets(now)
            return max(0.0, until - now) if state is OPEN and until != math.inf else None

    def _regate(self, now: float) -> None:
        """Works out anew which calls need no further thought."""
        if self._term.fleet_epoch != self.fleet.epoch or self._term.solo_epoch != self.solo.circuit.epoch:
            self._tallies.shelve()
            self._term = Term(self.fleet.epoch, self.solo.circuit.epoch)
        state, until = self._meets(now)
        ramping = self.policy.ramp_s > 0 and now - self._closed_at_s < self.policy.ramp_s
        self._short = self._is_short(now)
        thinking = self.policy.shed or ramping or self._short or now < self._overlay_from_s
        self.passing = self._term if state is CLOSED and not thinking else None
        self.refusing_until_s = until if state is OPEN else -math.inf

    def _is_short(self, now: float) -> bool:
        """Whether nothing but the number of samples keeps the circuit closed: then a success may open it too."""
        if self.solo.circuit.state is not CLOSED:
            return False
        counts = self.solo.read(_ms(now)).counts
        few = 0 < counts.samples < self.terms.min_samples
        return few and self.terms.reached(counts.failure_rate, counts.slow_rate)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
