"""View: one circuit in one replica: the gate for its calls, and the interface to the ledger.

`Sync` passes it what the ledger sends, and takes requests and reports from it. It never blocks and does no I/O.
Synchronous code under the gate's lock: safe across threads and tasks.
"""

from __future__ import annotations

from collections.abc import Callable

from ha_rag import chance
from ha_rag.circuit.latency import RecentLatency
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.probe_time import ProbeTime
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, Decision, RestorePoint
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, OperatorOverride, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock
from ha_rag.ledger.view import reconcile
from ha_rag.ledger.view.cached_snapshot import Intact
from ha_rag.ledger.view.call_counter import CallCounter
from ha_rag.ledger.view.effective_state import EffectiveState
from ha_rag.ledger.view.gate import Gate, never_stalled
from ha_rag.ledger.view.load_shedding import LoadShedding
from ha_rag.ledger.view.local_breaker import LocalBreaker
from ha_rag.ledger.view.probe_lease import Grant, LeaseWanted, ProbeLease
from ha_rag.ledger.view.reconcile import Reconciliation
from ha_rag.ledger.view.sleep import Sleep
from ha_rag.native_threads import new_lock
from ha_rag.outcomes import Outcome
from ha_rag.sharing import Scope


class View:
    """One circuit's cached state and counts in one replica.

    `gate`: what calls use. `probe_time`: how long a probe may last. `scope`: "fleet" for a circuit that the replicas
    share, "replica" for one of this process alone. `timeout_s`: the guarded calls' timeout, None if they have none.
    `draw`: a random number in [0, 1). `stalled`: whether this process was stalled since a given time (monotonic).
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
        draw: Callable[[], float] = chance.draw,
        stalled: Callable[[float], bool] = never_stalled,
    ) -> None:
        self.name = name
        self.policy = policy
        self.scope: Scope = scope
        self.timeout_s = timeout_s
        self.terms = Terms.of(policy, timeout_s)
        replica_only = scope == "replica"
        local = LocalBreaker(self.terms, by=replica, probes=self._local_probes(policy), draw=draw)
        self._effective = EffectiveState(local, replica_only=replica_only)
        self._local_trip = self._effective.local_trip
        self._leases = ProbeLease(self.terms.lease_ms / 1000, timeout_s, draw)
        latency = RecentLatency(timeout_s)
        self.probe_time = ProbeTime(policy, self.terms, timeout_s, latency)
        self._counter = CallCounter(self._effective, policy, replica)
        self.gate = Gate(
            policy, clock, self._effective, LoadShedding(policy, self._effective, draw), self._counter, self._leases,
            latency, self.probe_time, stalled,
        )  # fmt: skip
        self._lock = self.gate.lock
        self._now = clock.monotonic_s
        self.sleep = Sleep(self.gate, self._effective, self._leases, self._counter, self._now)

    def leave_to_parent(self) -> None:
        """In a forked child that has made this circuit anew: a thread that is gone may hold the lock."""
        self._lock = self.gate.lock = new_lock()

    def set_policy(self, policy: CircuitPolicy) -> None:
        """Applies another policy. What was counted, the state and an open duration that has begun stay."""
        terms = Terms.of(policy, self.timeout_s)
        with self._lock:
            self.policy, self.terms = policy, terms
            self._local_trip.set_terms(terms, self._local_probes(policy))
            self._leases.set_lease(terms.lease_ms / 1000)
            self.probe_time.set_policy(policy, terms)
            self.gate.set_policy(policy, self._now())

    def _local_probes(self, policy: CircuitPolicy) -> int:
        return policy.probes if self.scope == "replica" else 1

    # ---- from the ledger --------------------------------------------------------------------------------------------

    def apply_reply(self, snapshot: Snapshot, intact: Intact | None = None) -> Reconciliation:
        """Applies a reply's snapshot. `intact`: see `reconcile.with_reply`."""
        with self._lock:
            now = self._now()
            result = reconcile.with_reply(self._effective, self._leases, snapshot, now, intact)
            self.gate.refresh(now)
            return result

    def apply_message(self, snapshot: Snapshot, previous_epoch: int) -> Reconciliation:
        """Applies a pushed message. A late one is dropped; a gap before it or a contradiction requires a read."""
        with self._lock:
            now = self._now()
            result = reconcile.with_message(self._effective, self._leases, snapshot, previous_epoch, now)
            self.gate.refresh(now)
            return result

    def batch_evaluated(self, batch: Batch) -> None:
        """The fleet has evaluated the batch and stays closed: a local trip applies from now on."""
        with self._lock:
            self._local_trip.batch_evaluated(batch.number)
            self.gate.refresh(self._now())

    def set_ledger_unreachable(self, ledger_unreachable: bool) -> bool:
        """Sets whether the ledger takes no verbs for this circuit. Returns whether that is a change."""
        with self._lock:
            now = self._now()
            changed = self._effective.set_ledger_unreachable(now, ledger_unreachable)
            self.gate.refresh(now)
            return changed

    # ---- probe leases -----------------------------------------------------------------------------------------------

    def set_spread(self, over_s: float) -> None:
        """Sets the maximum jitter of lease requests, in seconds; it grows with the fleet."""
        self._leases.spread_s = over_s

    def lease_wanted(self) -> LeaseWanted:
        """For how long the next lease should be requested."""
        with self._lock:
            lease_ms = self.probe_time.lease_ms(self._effective.fleet.snapshot.open_count)
            return LeaseWanted(lease_ms, round(1000 * self._leases.spare_s()))

    def lease_answered(
        self, reply: Reply | None, token: str, asked_s: float, wanted: LeaseWanted | None = None
    ) -> Grant | None:
        """Takes the reply to a lease request (None: there was none). Returns a grant to be given back, if any.

        `wanted`: what was requested; None: what the terms say.
        """
        lease_ms, spare_ms = (self.terms.lease_ms, 0) if wanted is None else (wanted.lease_ms, wanted.spare_ms)
        with self._lock:
            return self._leases.answer(reply, token, asked_s, self._now(), lease_ms / 1000, spare_ms / 1000)

    def stale_grant(self) -> Grant | None:
        """A grant that was not used in time, to be given back."""
        with self._lock:
            return self._leases.stale(self._now(), self._effective.fleet.epoch)

    def begin_renewal(self, *, is_alone: bool = True) -> bool:
        """Whether to request a new grant in exchange for an old one; if so, the request counts as pending."""
        with self._lock:
            now = self._now()
            return self._is_half_open(now) and self._leases.begin_renewal(now, is_alone=is_alone)

    def begin_request_ahead(self) -> bool:
        """Whether to request a lease for the next of sparse calls; if so, the request counts as pending."""
        if not self._leases.is_sparse:
            return False
        with self._lock:
            now = self._now()
            if self._effective.fleet.mode(now) is not None:
                return False
            return self._is_half_open(now) and self._leases.begin_ahead(now)

    def _is_half_open(self, now_s: float) -> bool:
        return self._effective.fleet_state(now_s) is CircuitState.HALF_OPEN

    def drop_grant(self) -> Grant | None:
        """The waiting grant, to be given back."""
        with self._lock:
            return self._leases.drop()

    # ---- reports ----------------------------------------------------------------------------------------------------

    def batch(self, ledger_now_ms: int) -> Batch | None:
        """What to report now: the unacknowledged batch, else a new one, or None."""
        with self._lock:
            return self._counter.batch(ledger_now_ms, self._now())

    def batch_acknowledged(self, batch: Batch) -> None:
        """The ledger has acknowledged this batch."""
        with self._lock:
            self._counter.acknowledged(batch)

    @property
    def has_report(self) -> bool:
        """Whether there is anything to report."""
        return self._counter.has_report

    def restore_point(self, ledger_now_ms: int) -> RestorePoint:
        """What to restore a ledger from that lost this circuit. `ledger_now_ms`: the time on the ledger's clock."""
        with self._lock:
            return self._effective.received.restore_point(self._now(), ledger_now_ms, self.terms.longest_open_ms)

    # ---- local decisions --------------------------------------------------------------------------------------------

    def settle_locally(self, grant: Grant, outcome: Outcome, throttled_ms: int = 0, took_ms: int = 0) -> None:
        """Ends a probe that the local breaker granted."""
        with self._lock:
            now = self._now()
            self._effective.settle_locally(now, grant.token, outcome, throttled_ms, took_ms)
            self.gate.refresh(now)

    def override_locally(self, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None) -> None:
        """Sets an operator's override of a circuit of this replica alone."""
        with self._lock:
            now = self._now()
            self._effective.override_locally(now, mode, reason, by, for_ms)
            self.gate.refresh(now)

    @property
    def has_unpublished(self) -> bool:
        """Whether there are decisions of the local breaker to publish."""
        return bool(self._effective.unpublished)

    def take_unpublished(self) -> list[Decision]:
        """Removes and returns the decisions to publish."""
        with self._lock:
            decisions, self._effective.unpublished = self._effective.unpublished, []
            return decisions

    def tick(self) -> bool:
        """Applies the passing of time: the end of an open duration, a ramp or an override, and overdue calls.

        Returns whether calls have become overdue, which should be reported at once.
        """
        with self._lock:
            now = self._now()
            is_overdue = self.gate.count_overdue(now)
            if self._local_trip.has_streak:
                self.gate.evaluate(now)  # successes end a streak only while they are recent
            self.gate.refresh(now)
            return is_overdue

    # ---- reading ----------------------------------------------------------------------------------------------------

    def state(self) -> CircuitState:
        """The state that applies to calls now."""
        return self.gate.met()[0]

    def override(self) -> OperatorOverride | None:
        """The operator's override in force, or None."""
        fleet = self._effective.fleet
        with self._lock:
            return fleet.snapshot.override if fleet.mode(self._now()) is not None else None

    def local(self) -> Snapshot:
        """The local breaker's snapshot now, in ms of its own clock, with everything counted so far."""
        with self._lock:
            now = self._now()
            self.gate.evaluate(now)
            return self._local_trip.report(now)

    @property
    def ledger_unreachable(self) -> bool:
        """Whether the ledger takes no verbs for this circuit, so that the replica decides alone."""
        return self._effective.ledger_unreachable

    @property
    def fleet(self) -> Snapshot:
        """The fleet's circuit as last received."""
        return self._effective.fleet.snapshot

    @property
    def is_unconfirmed(self) -> bool:
        """Whether the cached state is from a message that no reply has confirmed so far."""
        return self._effective.received.pushed_s is not None

    @property
    def received_epoch(self) -> int:
        """The epoch last received: of the fleet's circuit, or of the order over this replica's own."""
        return self._effective.received.epoch

    @property
    def is_order_over(self) -> bool:
        """Whether the time of an order over this replica's own circuit is up, and the ledger may not know it."""
        return self._effective.is_order_over(self._now())

    @property
    def confirmed_s(self) -> float:
        """When the cached state was last confirmed (monotonic); minus infinity: never."""
        return self._effective.received.confirmed_s

    def is_tripped_locally(self) -> bool:
        """Whether this replica refuses calls that the fleet's circuit would admit."""
        with self._lock:
            return self._effective.is_tripped_locally(self._now())
