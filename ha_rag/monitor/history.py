"""History: the rates of each circuit and the fleet's traffic, over the last minutes.

Immutable, and without a clock: `history.after(reading)` is the next history. Kept in memory only, so a restarted
dashboard begins with an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ha_rag.breaker.report import CircuitReport
from ha_rag.monitor.heartbeats import Totals, totals
from ha_rag.monitor.reading import Reading
from ha_rag.monitor.snapshot import Rate, TrafficPoint
from ha_rag.telemetry import histogram

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
class History:
    """`quiet_since`: half-open circuits without a probe -> since when. Immutable."""

    rates: Mapping[str, tuple[Rate, ...]] = field(default_factory=dict)
    traffic: tuple[TrafficPoint, ...] = ()
    observed: tuple[ObservedTotals, ...] = ()
    quiet_since: Mapping[str, float] = field(default_factory=dict)

    def after(self, reading: Reading) -> History:
        """The history that includes this poll."""
        rates = {c.name: _appended(self.rates.get(c.name, ()), _rate(c, reading.at)) for c in reading.circuits}
        quiet = {c.name: self.quiet_since.get(c.name, reading.at) for c in reading.circuits if _quiet(c)}
        if self.observed and reading.at - self.observed[-1].at < STEP_S:
            return History(rates, self.traffic, self.observed, quiet)
        now = ObservedTotals(reading.at, {r.incarnation: totals(r) for r in reading.replicas})
        traffic = (*self.traffic, _point(self.observed[-1], now))[-KEPT:] if self.observed else ()
        # Keep one older than the window: the window starts there.
        start = max((i for i, h in enumerate(self.observed) if now.at - h.at >= WINDOW_S), default=0)
        return History(rates, traffic, (*self.observed[start:], now), quiet)

    def waiting(self, circuit: str, at: float) -> bool:
        """Whether the circuit is half-open and waiting for traffic."""
        since = self.quiet_since.get(circuit)
        return since is not None and at - since >= WAITING_S

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


def _quiet(circuit: CircuitReport) -> bool:
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
    latencies = histogram.added(increase.latencies for increase in increases)
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


def quantile(latencies: histogram.Counts, share: float) -> float | None:
    """The quantile in milliseconds, rounded for display; None without samples."""
    found = histogram.quantile_ms(latencies, share)
    return None if found is None else round(found, 2)


def _by_stage(served: Iterable[Mapping[str, int]]) -> dict[str, dict[str, int]]:
    stages: dict[str, dict[str, int]] = {}
    for tiers in served:
        for name, count in tiers.items():
            stage, _, tier = name.partition(".")
            tally = stages.setdefault(stage, {})
            tally[tier] = tally.get(tier, 0) + count
    return stages
