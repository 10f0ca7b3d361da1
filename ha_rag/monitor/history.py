"""History: rates of each circuit and what the fleet answered, over the last minutes.

Immutable, and without a clock: `history.after(reading)` is the next history. Kept in memory only; a dashboard that
restarts begins with an empty one.
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
"""Points of a circuit's history and of the traffic's: three minutes of seconds."""

NOW_S = 10.0
"""What "now" means for rates and latencies: the last so many seconds."""

STEP_S = 0.9
"""Looks closer together than this make one point."""

WAITING_S = 3.0
"""A half-open circuit that nobody has asked for so long waits for traffic."""


@dataclass(frozen=True, slots=True)
class ObservedTotals:
    """The totals of every replica, as they were heard at one moment."""

    at: float
    totals: Mapping[str, Totals]


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered. `quiet_since`: half-open circuits without a probe -> since when. Immutable."""

    rates: Mapping[str, tuple[Rate, ...]] = field(default_factory=dict)
    traffic: tuple[TrafficPoint, ...] = ()
    heard: tuple[ObservedTotals, ...] = ()
    quiet_since: Mapping[str, float] = field(default_factory=dict)

    def after(self, reading: Reading) -> History:
        """What is remembered once this look has been taken."""
        rates = {c.name: _appended(self.rates.get(c.name, ()), _rate(c, reading.at)) for c in reading.circuits}
        quiet = {c.name: self.quiet_since.get(c.name, reading.at) for c in reading.circuits if _quiet(c)}
        if self.heard and reading.at - self.heard[-1].at < STEP_S:
            return History(rates, self.traffic, self.heard, quiet)
        now = ObservedTotals(reading.at, {r.incarnation: totals(r) for r in reading.replicas})
        traffic = (*self.traffic, _point(self.heard[-1], now))[-KEPT:] if self.heard else ()
        # One older than the window stays: it is where the window begins.
        begins = max((i for i, h in enumerate(self.heard) if now.at - h.at >= NOW_S), default=0)
        return History(rates, traffic, (*self.heard[begins:], now), quiet)

    def waiting(self, circuit: str, at: float) -> bool:
        """Whether a half-open circuit waits for somebody to ask."""
        since = self.quiet_since.get(circuit)
        return since is not None and at - since >= WAITING_S

    @property
    def seconds(self) -> float:
        """How long "now" is, by what has been heard."""
        return self.heard[-1].at - self.heard[0].at if self.heard else 0.0

    def recent(self) -> dict[str, Totals]:
        """Incarnation -> what it answered lately. One that has just come counts from its first heartbeat heard."""
        if not self.heard:
            return {}
        return {
            name: last.since(next(h.totals[name] for h in self.heard if name in h.totals))
            for name, last in self.heard[-1].totals.items()
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
    """Within one step the later look replaces the earlier one, unless the state changed between them."""
    again = bool(rates) and now.at - rates[-1].at < STEP_S and now.state == rates[-1].state and len(rates) > 1
    if again and rates[-1].at - rates[-2].at < STEP_S:
        return (*rates[:-1], now)
    return (*rates, now)[-KEPT:]


def _point(before: ObservedTotals, now: ObservedTotals) -> TrafficPoint:
    """What all replicas answered between two moments. A replica not heard before is counted from its next heartbeat."""
    more = [last.since(before.totals[name]) for name, last in now.totals.items() if name in before.totals]
    latencies = histogram.added(m.latencies for m in more)
    return TrafficPoint(
        at=round(now.at, 1),
        seconds=round(now.at - before.at, 3),
        questions=sum(m.questions for m in more),
        degraded=sum(m.degraded for m in more),
        broken=sum(m.broken for m in more),
        served=_by_stage(m.served for m in more),
        p50_ms=quantile(latencies, 0.5),
        p99_ms=quantile(latencies, 0.99),
    )


def quantile(latencies: histogram.Counts, share: float) -> float | None:
    """Milliseconds that `share` of all stayed below, as a dashboard shows them; None where there are none."""
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
