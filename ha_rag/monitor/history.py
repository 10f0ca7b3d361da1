"""History: the rates of each circuit and the fleet's traffic, over the last minutes.

Immutable, and without a clock: `history.after(reading)` is the next history. Kept in memory only, so a restarted
dashboard begins with an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ha_rag.breaker.report import CircuitReport
from ha_rag.monitor.heartbeats import Totals, totals
from ha_rag.monitor.openings import Openings, openings
from ha_rag.monitor.reading import Reading
from ha_rag.monitor.snapshot import Rate, TrafficPoint
from ha_rag.monitor.tier_pictures import MINUTE_S, Latencies, quantile
from ha_rag.telemetry import sketch

KEPT = 180
"""Points kept per circuit and for traffic: three minutes at one per second."""

WINDOW_S = 10.0
"""Window of the current rates and latencies."""

STEP_S = 0.9
"""Polls closer together than this make one point."""

WAITING_S = 3.0
"""A half-open circuit without a probe for this long is waiting for traffic."""


@dataclass(frozen=True, slots=True)
class ObservedTotals:
    """The totals of every replica at one poll."""

    at: float
    totals: Mapping[str, Totals]


@dataclass(frozen=True, slots=True)
class Attempts:
    """The latencies of each tier's successful attempts between the poll before and the one at `at`."""

    at: float
    latencies: Latencies


@dataclass(frozen=True, slots=True)
class QuietTime:
    """A circuit is half-open without a probe, under `epoch`, since `since`."""

    epoch: int
    since: float


@dataclass(frozen=True, slots=True)
class History:
    """`quiet`: half-open circuits without a probe -> since when. `opened`: how circuits opened.

    `attempts`: the latencies between two polls, over the last minute. Immutable.
    """

    rates: Mapping[str, tuple[Rate, ...]] = field(default_factory=dict)
    traffic: tuple[TrafficPoint, ...] = ()
    observed: tuple[ObservedTotals, ...] = ()
    quiet: Mapping[str, QuietTime] = field(default_factory=dict)
    opened: Openings = field(default_factory=dict)
    attempts: tuple[Attempts, ...] = ()

    def after(self, reading: Reading) -> History:
        """The history that includes this poll."""
        rates = {c.name: _appended(self.rates.get(c.name, ()), _rate(c, reading.at)) for c in reading.circuits}
        quiet = {c.name: self._quiet_time(c, reading.at) for c in reading.circuits if _is_quiet(c)}
        opened = openings(self.opened, reading.circuits, reading.timeline, reading.at)
        if self.observed and reading.at - self.observed[-1].at < STEP_S:
            return replace(self, rates=rates, quiet=quiet, opened=opened)
        now = ObservedTotals(reading.at, {r.incarnation: totals(r) for r in reading.replicas})
        traffic = (*self.traffic, _point(self.observed[-1], now))[-KEPT:] if self.observed else ()
        attempts = tuple(each for each in self.attempts if now.at - each.at < MINUTE_S)
        attempts += (_attempts(self.observed[-1], now),) if self.observed else ()
        # Keep one older than the window: the window starts there.
        start = max((i for i, h in enumerate(self.observed) if now.at - h.at >= WINDOW_S), default=0)
        # Only the next poll needs the tiers' latencies, which are many numbers.
        before = tuple(_without_tiers(one) for one in self.observed[start:])
        return History(rates, traffic, (*before, now), quiet, opened, attempts)

    def latencies(self) -> Latencies:
        """The latencies of each tier's successful attempts over the last minute."""
        names = {name for each in self.attempts for name in each.latencies}
        return {name: sketch.added(each.latencies.get(name, {}) for each in self.attempts) for name in names}

    def waiting(self, circuit: str, at: float) -> bool:
        """Whether the circuit is half-open and waiting for traffic."""
        quiet = self.quiet.get(circuit)
        return quiet is not None and at - quiet.since >= WAITING_S

    def _quiet_time(self, circuit: CircuitReport, at: float) -> QuietTime:
        """Since when the circuit is quiet: a new epoch shows that it opened again, even between two polls."""
        before = self.quiet.get(circuit.name)
        return before if before is not None and before.epoch == circuit.epoch else QuietTime(circuit.epoch, at)

    @property
    def window_s(self) -> float:
        """The actual length of the window, in seconds."""
        return self.observed[-1].at - self.observed[0].at if self.observed else 0.0

    def recent(self) -> dict[str, Totals]:
        """Incarnation -> its totals within the window. A new one counts from its first heartbeat seen."""
        if not self.observed:
            return {}
        return {
            name: last.since(next(h.totals[name] for h in self.observed if name in h.totals))
            for name, last in self.observed[-1].totals.items()
        }


def _is_quiet(circuit: CircuitReport) -> bool:
    return circuit.state == "half_open" and not circuit.probing


def _rate(circuit: CircuitReport, at: float) -> Rate:
    return Rate(
        at=round(at, 1),
        state=circuit.state.value,
        failure_rate=circuit.failure_rate,
        slow_rate=circuit.slow_rate,
        samples=circuit.samples,
    )


def _appended(rates: tuple[Rate, ...], now: Rate) -> tuple[Rate, ...]:
    """Within one step the later poll replaces the earlier one, unless the state changed between them."""
    same_step = bool(rates) and now.at - rates[-1].at < STEP_S and now.state == rates[-1].state and len(rates) > 1
    if same_step and rates[-1].at - rates[-2].at < STEP_S:
        return (*rates[:-1], now)
    return (*rates, now)[-KEPT:]


def _point(before: ObservedTotals, now: ObservedTotals) -> TrafficPoint:
    """The fleet's traffic between two polls. A replica that is new counts from its next heartbeat."""
    increases = [last.since(before.totals[name]) for name, last in now.totals.items() if name in before.totals]
    latencies = sketch.added(increase.latencies for increase in increases)
    return TrafficPoint(
        at=round(now.at, 1),
        seconds=round(now.at - before.at, 3),
        questions=sum(increase.questions for increase in increases),
        degraded=sum(increase.degraded for increase in increases),
        broken=sum(increase.broken for increase in increases),
        served=_by_stage(increase.served for increase in increases),
        p50_ms=quantile(latencies, 0.5),
        p99_ms=quantile(latencies, 0.99),
    )


def _attempts(before: ObservedTotals, now: ObservedTotals) -> Attempts:
    found: dict[str, list[sketch.Counts]] = {}
    for incarnation, last in now.totals.items():
        known = before.totals.get(incarnation)
        if known is None or last.questions < known.questions:  # it is new, or its counters were reset
            continue
        for name, counts in last.tiers.items():
            found.setdefault(name, []).append(sketch.since(known.tiers.get(name, {}), counts))
    return Attempts(now.at, {name: sketch.added(each) for name, each in found.items()})


def _without_tiers(observed: ObservedTotals) -> ObservedTotals:
    return ObservedTotals(observed.at, {name: replace(each, tiers={}) for name, each in observed.totals.items()})


def _by_stage(served: Iterable[Mapping[str, int]]) -> dict[str, dict[str, int]]:
    stages: dict[str, dict[str, int]] = {}
    for tiers in served:
        for name, count in tiers.items():
            stage, _, tier = name.partition(".")
            tally = stages.setdefault(stage, {})
            tally[tier] = tally.get(tier, 0) + count
    return stages
