"""Safety checks of a simulated fleet, based on the outcomes of calls and the messages on the connections.

No check asks a view for its state in order to judge that view: what it should know follows from what it received.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, Counts
from ha_rag.events import CircuitChanged, LedgerBack, LedgerLost
from tests.ledger.fleet_causes import Causes, Ended, total

if TYPE_CHECKING:
    from tests.ledger.simulated_fleet import Call, Fleet, Member

SVC = "svc"
CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN

GIVE_BACK_S = 0.15
"""How long an unused grant may be held after half its lease: upkeep runs every 0.1 s."""

RESENT_S = 0.85
"""How long before a probe's outcome is sent again: a timeout (0.25 s) and a pause (0.5 s)."""


LATE_MS = 1000
"""Largest age difference between a reply and one that overtook it; beyond that the ledger's clock was set back."""

ROUNDED_S = 0.001
"""The rules count whole milliseconds."""


@dataclass
class Knowledge:
    """What one replica should know, given what it received. `rests_until_s`: at least; None: unknown."""

    epoch: int = 0
    origin: tuple[object, ...] = (True, 0, "", "")
    open_until_s: float | None = None
    read: int = 0
    last: Snapshot = field(default_factory=lambda: Snapshot(0))

    def adds_to(self, snapshot: Snapshot) -> bool:
        """Whether the ledger lacks something relevant that the replica knows."""
        simple = all(one.state is CLOSED and one.override is None for one in (self.last, snapshot))
        return snapshot.missed[0] < self.epoch < snapshot.missed[1] and not simple


class FleetWatch:
    """The checks of one fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.calls: dict[int, Ended] = defaultdict(Counter)
        """By the fleet epoch that admitted them."""
        self.probes: dict[int, Ended] = defaultdict(Counter)
        """The same for probes, by the epoch that granted them."""
        self.own: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        """(Replica, its local epoch) -> outcome -> count."""
        self.won_alone: Counter[tuple[str, int]] = Counter()
        self.lost: set[str] = set()
        """Running leases that a flush or a failover removed from the ledger."""
        self._outlasted: set[str] = set()
        """Those that end before the ledger may grant another one: after a flush it is open for at least a lease."""
        self._causes = Causes(fleet)
        self._told: dict[str, Knowledge] = defaultdict(Knowledge)
        self._seen: set[str] = set()
        self._last_epoch: int | None = 0
        self._used: set[str] = set()
        self._events: Counter[str] = Counter()

    # ---- recording --------------------------------------------------------------------------------------------------

    def began(self, call: Call) -> None:
        """A call was admitted."""
        member, knowledge = call.member, self._heard(call.member)
        snapshot = member.view.fleet
        is_open = knowledge.open_until_s is not None and self.fleet.now_s < knowledge.open_until_s
        assert not is_open, f"{member.name} admitted a call while open"
        if call.probe:
            self._used.add(call.token)
            self._check_events()
            self.check_probes()
        elif snapshot.state is not CLOSED and not snapshot.override:
            won = self.won_alone[member.name, snapshot.epoch]
            assert won >= self.fleet.policy.probe_successes, "admitted without a successful probe"

    def call_ended(self, call: Call, how: str) -> None:
        epochs, name = call.permit._epochs, call.member.name
        for what in (how, "slow") if call.slow else (how,):
            self.calls[epochs.fleet_epoch][what, name] += 1
            self.own[name, epochs.local_epoch][what] += 1

    def probe_ended(self, call: Call, how: str) -> None:
        if call.local:
            self.won_alone[call.member.name, call.member.view.fleet.epoch] += how == "ok"
        else:
            self.probes[call.epoch][how, call.member.name] += 1

    @contextmanager
    def losing(self, *, all_of_it: bool) -> Iterator[None]:
        """The ledger loses data in this block, and possibly its time. `all_of_it`: there is no copy to fall back to."""
        self._check_events()
        before, clock = self.fleet.ledger.circuit(SVC), self.fleet.ledger_clock
        began_ms = clock.unix_ms()
        yield
        after = self.fleet.ledger.circuit(SVC)
        kept = {token for token in before.leases if token in after.leases and clock.unix_ms() <= began_ms}
        self.lost |= before.leases.keys() - kept
        self._outlasted = self._outlasted | before.leases.keys() if all_of_it else set()
        self._seen |= {event.id for event in self.fleet.ledger.entries(SVC)}
        self._last_epoch = None

    # ---- invariants -------------------------------------------------------------------------------------------------

    def check(self) -> None:
        circuit = self.fleet.ledger.circuit(SVC)
        ended = self.calls[circuit.epoch]
        _check_counts(circuit.window.values(), *(total(ended, how) for how in ("ok", "failed", "slow")))
        faults = {name: log.faults for name, log in self.fleet.logs if log.faults}
        assert not faults, faults
        for member in self.fleet.members:
            self._check_cached_state(member)
            self._check_gate(member)
            self._check_own_window(member)
            self._check_grants(member)
            self._check_published_events(member)
        self.check_probes()
        self._check_events()

    def _heard(self, member: Member) -> Knowledge:
        """Processes what has reached a replica since the last check."""
        knowledge = self._told[member.name]
        for at_s, name, snapshot in member.wire.snapshots[knowledge.read :]:
            if name != SVC or snapshot.epoch < knowledge.epoch:
                continue
            origin = (snapshot.state is CLOSED, snapshot.changed_at_ms, snapshot.reason, snapshot.opened_by)
            if snapshot.epoch == knowledge.epoch and origin != knowledge.origin:
                continue  # from another history, which gave the same epoch to another transition
            if knowledge.adds_to(snapshot):
                continue  # from a history that lacks what this replica knows, and is to be restored
            if snapshot.epoch > knowledge.epoch or not 0 < knowledge.last.now_ms - snapshot.now_ms < LATE_MS:
                knowledge.last = snapshot
            knowledge.origin = origin
            is_open = snapshot.override is None and snapshot.state is OPEN
            until_s = at_s + snapshot.left_ms / 1000 if is_open else None
            if snapshot.epoch > knowledge.epoch:
                knowledge.epoch, knowledge.open_until_s = snapshot.epoch, until_s
            elif until_s is None or knowledge.open_until_s is None:
                knowledge.open_until_s = None
            else:
                knowledge.open_until_s = min(knowledge.open_until_s, until_s)
        knowledge.read = len(member.wire.snapshots)
        return knowledge

    def _check_cached_state(self, member: Member) -> None:
        """A replica knows the highest epoch that ever reached it, and keeps its open duration."""
        knowledge, cached = self._heard(member), member.view.fleet.epoch
        assert cached == knowledge.epoch, f"{member.name} has epoch {cached}, but received {knowledge.epoch}"
        if knowledge.open_until_s is not None and self.fleet.now_s < knowledge.open_until_s:
            assert member.state is OPEN, f"{member.name} shortens an open duration"

    @staticmethod
    def _check_gate(member: Member) -> None:
        """The fast path of a call gives the same answer as the slow path; the end of an override is noticed later."""
        view = member.view
        if view.fleet.override is not None:
            return
        if view.gate.passing is not None:
            assert view.state() is CLOSED, f"{member.name} admits calls on the fast path while not closed"
        if view.gate.refusing_until_s > member.fleet.now_s + ROUNDED_S:
            assert view.state() is not CLOSED, f"{member.name} refuses calls although the fast path admits them"

    def _check_own_window(self, member: Member) -> None:
        own = member.view._local_trip.breaker.circuit
        ended = self.own[member.name, own.epoch]
        _check_counts(own.window.values(), ended["ok"], ended["failed"], ended["slow"])

    def check_probes(self) -> None:
        """Half-open: at most `probes` probes at the service; locally, one per replica; none beyond its lease."""
        circuit, now_ms = self.fleet.ledger.circuit(SVC), self.fleet.ledger_clock.unix_ms()
        under_way = [c for m in self.fleet.members for c in m.calls if c.probe and not c.answer.done()]
        for call in under_way:
            call.slept |= call.member.wire.paused
        awake = [c for c in under_way if not c.slept]
        shared = [c for c in awake if not c.local and (c.token not in self.lost or c.token in self._outlasted)]
        assert len(shared) <= self.fleet.policy.probes, f"{len(shared)} probes at the service"
        for call in awake:
            assert self.fleet.now_s <= call.grant.until_s, f"{call.member.name} probes beyond its lease"
        for call in shared:
            if call.token in self.lost:
                continue
            lease = circuit.leases.get(call.token)
            assert lease, f"{call.member.name} probes without a lease"
            assert lease.until_ms > now_ms, f"{call.member.name} probes beyond its lease"
        for member in self.fleet.members:
            alone = [c for c in awake if c.local and c.member is member]
            assert len(alone) <= 1, f"{member.name} without a ledger probes {len(alone)} times at once"

    def _check_grants(self, member: Member) -> None:
        """A grant is used or returned, and an outcome is resent until it is acknowledged or its lease has expired."""
        wire, now_s = member.wire, self.fleet.now_s
        if wire.paused:
            wire.granted = dict.fromkeys(wire.granted, now_s)
            wire.settling = dict.fromkeys(wire.settling, now_s)
        unused = {t: at_s for t, at_s in wire.granted.items() if t not in self._used and t not in wire.settling}
        if member.view._leases.is_sparse:
            # One is kept for the next call, until its lease expires at the latest.
            live = [token for token in unused if now_s <= wire.asked[token] + wire.leased_s[token]]
            assert len(live) <= 1, f"{member.name} keeps {len(live)} grants that it does not use"
        else:
            for token, at_s in unused.items():
                kept_s = wire.leased_s[token] / 2
                assert now_s <= at_s + kept_s + GIVE_BACK_S, f"{member.name} keeps a grant that it does not use"
        leases, now_ms = self.fleet.ledger.circuit(SVC).leases, self.fleet.ledger_clock.unix_ms()
        for token, at_s in wire.settling.items():
            lease = leases.get(token)
            if token in wire.settled or token in self.lost or now_s > wire.asked[token] + wire.leased_s[token]:
                continue  # by its own clock, too, the lease may have expired
            if lease and lease.until_ms > now_ms:
                assert now_s <= at_s + RESENT_S, f"{member.name} stopped resending an outcome"

    def _check_published_events(self, member: Member) -> None:
        """Each change is published once, in order; lost and back alternate."""
        changes = [e.epoch for e in member.events if isinstance(e, CircuitChanged) and e.scope == "fleet"]
        assert changes == sorted(set(changes)), f"{member.name} published the changes {changes}"
        link = [type(e) for e in member.events if isinstance(e, LedgerBack | LedgerLost) and not e.circuit]
        assert link == [(LedgerLost, LedgerBack)[i % 2] for i in range(len(link))], f"{member.name} published {link}"

    def _check_events(self) -> None:
        """Every transition is explained by the calls of the epoch that the circuit left."""
        for event in self.fleet.ledger.entries(SVC):
            if event.id in self._seen:
                continue
            self._seen.add(event.id)
            assert self._last_epoch in (None, event.previous_epoch), "an event is missing in the stream"
            assert event.epoch >= event.previous_epoch, "an epoch decreased"
            self._last_epoch = event.epoch
            self._causes.check(event, self.calls[event.previous_epoch], self.probes[event.previous_epoch])
            if not self._causes.is_open_for_a_lease(event):
                self._outlasted.clear()


def _check_counts(window: Iterable[Counts], ok: int, failed: int, slow: int) -> None:
    counts = sum(window, Counts())
    assert counts.ok <= ok, f"{counts} counted, but {ok} succeeded in this epoch"
    assert counts.failed <= failed, f"{counts} counted, but {failed} failed in this epoch"
    assert counts.slow <= slow, f"{counts} counted, but {slow} were slow in this epoch"
