"""Upper bounds on the time until a fleet's circuit is closed, computed from the state of the ledger and the replicas.

"Closed within T" is the design's fifth invariant: within the current open time + one lease + the successes it needs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ha_rag.circuit.state import Circuit, CircuitState, Counts
from tests.ledger.simulated_fleet import SVC, Fleet, Member
from tests.ledger.wire import Wire

CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN

HEARD_S = 1.1 + 0.5
"""A poll runs every 1.1 s at the latest; a lost connection is retried within 0.5 s."""

NOTICED_S = 1.1 + 2 * (0.25 + 0.5)
"""When the ledger stops answering: one poll, and two timeouts with a pause after each."""

TRIED_S = 1.0 + 0.2
"""After a refused verb the next one is sent a second later."""

EACH_PROBE_S = {"slow": 0.35}
"""For each successful probe: request, call, settle, and 0.05 s between two calls."""

LONGEST_OVERRIDE_S = 1.5
"""The longest override in these tests, including the delay by a frozen connection."""


class Bounds:
    """The bounds for one fleet's circuit."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    @property
    def circuit(self) -> Circuit:
        return self.fleet.ledger.circuit(SVC)

    @property
    def lease_s(self) -> float:
        return self.fleet.members[0].view.terms.lease_ms / 1000

    # ---- totals -----------------------------------------------------------------------------------------------------

    def after_a_quiet_period_s(self, redis: str) -> float:
        """Until everything in flight has arrived, and no failure is left in a window."""
        away = any(m.view.ledger_unreachable for m in self.fleet.members)
        wait_s = (TRIED_S if away else 0.0) if redis in ("up", "slow") else NOTICED_S
        places_s = max(self._leases_left_s(), self._wait_after_failed_probe_s())
        return self._open_left_s() + wait_s + places_s + self._probes_s(redis) + 0.2

    def from_here_s(self, modes: Mapping[Member, str], deaf: Collection[Member], sick: Collection[Member]) -> float:
        """Includes one more opening by what is in flight or already counted.

        A ledger that lost its data is restored within a poll, and then stays open for one lease, until its earlier
        leases have expired. `deaf`: members that receive no messages. `sick`: members whose probes fail, each possibly
        before a successful one.
        """
        probes_s = max(map(self._probes_s, modes.values())) * (2 if sick else 1)
        rest_s = max(self._open_left_s(), self._next_open_s(sick))
        if not self._is_quiet():
            rest_s = max(rest_s, LONGEST_OVERRIDE_S)
        return self._noticed_s(modes, deaf) + rest_s + self._lease_to_come_s(sick) + probes_s + 0.2

    def _noticed_s(self, modes: Mapping[Member, str], deaf: Collection[Member]) -> float:
        """Until all replicas know whether the ledger is reachable, and its state."""
        noticed_s = 0.0 if all(mode in ("up", "slow") for mode in modes.values()) else NOTICED_S
        heard_s = 0.0 if self._is_quiet() else HEARD_S
        tried_s = TRIED_S if any(m.view.ledger_unreachable for m in self.fleet.members) else 0.0
        return max(noticed_s, heard_s) + tried_s + (HEARD_S if deaf else 0.0)

    def _is_quiet(self) -> bool:
        """Whether no connection is faulty, and the ledger and all replicas agree."""
        return all(self._agrees(member) and not _is_bad(member.wire) for member in self.fleet.members)

    def _agrees(self, member: Member) -> bool:
        known = member.view.fleet
        same = (known.epoch, known.changed_at_ms, known.reason) == (
            self.circuit.epoch, self.circuit.changed_at_ms, self.circuit.reason,
        )  # fmt: skip
        return same and not member.view.ledger_unreachable

    # ---- open durations ---------------------------------------------------------------------------------------------

    def _open_left_s(self) -> float:
        return max(
            self.override_left_s(), *map(self._member_open_left_s, self.fleet.members), self._ledger_open_left_s()
        )

    def override_left_s(self) -> float:
        """Remaining time of the override, wherever it is known."""
        now_s, override = self.fleet.now_s, self.circuit.override
        ledger_s = (override.until_ms or 0) - self.fleet.ledger_clock.unix_ms() if override else 0
        here = [m.view._effective.fleet.override_until_s - now_s for m in self.fleet.members if m.view.fleet.override]
        return max(0.0, ledger_s / 1000, *here)

    def _ledger_open_left_s(self) -> float:
        left_ms = self.circuit.open_until_ms - self.fleet.ledger_clock.unix_ms()
        return max(0.0, left_ms / 1000) if self.circuit.state is OPEN else 0.0

    def _member_open_left_s(self, member: Member) -> float:
        now_s, view = self.fleet.now_s, member.view
        fleets_s = (
            view._effective.fleet.open_until_s - now_s if view.fleet.state is OPEN and not view.fleet.override else 0.0
        )
        own = view._local_trip.breaker.circuit
        own_s = own.open_until_ms / 1000 - now_s if own.state is OPEN else 0.0
        return max(0.0, fleets_s, own_s)

    def _next_open_s(self, sick: Collection[Member]) -> float:
        """An opening caused by outcomes already counted; it begins while they are still in the window."""
        if not sick and not self._counts_may_open():
            return 0.0
        policy = self.fleet.policy
        opened = [circuit.open_count for circuit in (self.circuit, *self._own_circuits())]
        times = max(*opened, *(m.view.fleet.open_count for m in self.fleet.members))
        rest_s = self.fleet.members[0].view.terms.open_ms / 1000
        grown_s = min(rest_s * policy.recovery_backoff**times, policy.recovery_timeout_max_s)
        asked_s = policy.throttle_max_s if self._is_throttled() else 0.0
        return policy.window_s + max(self.lease_s, 1.1 * grown_s, asked_s)

    def _counts_may_open(self) -> bool:
        """Whether failures are in a window or on their way, or probes failed where the quorum is two."""
        own = any(may_open(circuit) for circuit in self._own_circuits() if circuit.state is CLOSED)
        waiting = self.circuit.state is CLOSED and any(m.view.has_report for m in self.fleet.members)
        return own or waiting or may_open(self.circuit) or bool(self.circuit.voters) or not self._is_quiet()

    def _is_throttled(self) -> bool:
        outboxes = [m.view._counter._outbox for m in self.fleet.members]
        waiting = any(box._pause or (box._sent and box._sent.throttled_ms) for box in outboxes)
        return waiting or any(name.startswith("!") for name in self.circuit.voters)

    # ---- leases and probes ------------------------------------------------------------------------------------------

    def _leases_left_s(self) -> float:
        """Leases whose replica is dead or whose outcome was lost, including local ones."""
        now_ms, own_ms = self.fleet.ledger_clock.unix_ms(), round(self.fleet.now_s * 1000)
        there = [lease.until_ms - now_ms for lease in self.circuit.leases.values()]
        here = [lease.until_ms - own_ms for own in self._own_circuits() for lease in own.leases.values()]
        return max(0, *there, *here, 0) / 1000

    def _lease_to_come_s(self, sick: Collection[Member]) -> float:
        """Remaining time of the running leases; two lease durations if each replica has just failed a probe."""
        if self._have_all_failed_a_probe([m for m in self.fleet.members if m not in sick]):
            return 2 * self.lease_s
        return self._leases_left_s() if self._is_quiet() else self.lease_s

    def _wait_after_failed_probe_s(self) -> float:
        """Remaining time of those two lease durations, not counting sick members."""
        circuit = self.circuit
        if not circuit.lost_by or not self._have_all_failed_a_probe(self.fleet.members):
            return 0.0
        return max(0.0, (circuit.lost_at_ms - self.fleet.ledger_clock.unix_ms()) / 1000 + 2 * self.lease_s)

    def _have_all_failed_a_probe(self, members: Collection[Member]) -> bool:
        failed_probers = {self.circuit.lost_by, *self.circuit.voters}
        return all(member.registry.incarnation in failed_probers for member in members)

    def _probes_s(self, redis: str) -> float:
        return self.fleet.policy.probe_successes * EACH_PROBE_S.get(redis, 0.15)

    def _own_circuits(self) -> list[Circuit]:
        return [member.view._local_trip.breaker.circuit for member in self.fleet.members]

    def windows_may_open(self) -> bool:
        """Whether one more call could open a closed circuit."""
        return any(
            counted(circuit).failed or counted(circuit).slow for circuit in (self.circuit, *self._own_circuits())
        )


def _is_bad(wire: Wire) -> bool:
    stopped = wire.gone or wire.frozen or wire.paused or wire.readonly or wire.failing
    return bool(stopped or wire.lose or wire.twice or wire.jitter_s or wire.delay_s > 0.001)


def counted(circuit: Circuit) -> Counts:
    """The sum of a circuit's window."""
    return sum(circuit.window.values(), Counts())


def may_open(circuit: Circuit) -> bool:
    """Whether the window, together with what is on its way, may open the circuit."""
    counts = counted(circuit)
    return bool(counts.failed or counts.slow)
