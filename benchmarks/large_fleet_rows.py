"""What `benchmarks.large_fleet` found at each number of replicas, as text and as rows: every figure is a curve."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.large_fleet_worker import Load
from benchmarks.redis_usage import Usage
from benchmarks.report.rows import Bar, Row, at_most

JUDGED = 1_000
"""The number of replicas that the bars are for."""

BUSY_CPU, BUSY_LAG_S = 0.9, 0.05
"""A process is saturated above this share of a core, or if its event loop is later than this (99th percentile)."""


@dataclass
class Measured:
    """One size. Trips in milliseconds; `ours_redis_ms`: processor time of Redis during one. `failed`: why not."""

    replicas: int
    usage: Usage | None = None
    loads: list[Load] = field(default_factory=list)
    machine_cpu: float = 0.0
    ours: list[list[float]] = field(default_factory=list)
    ours_redis_ms: list[float] = field(default_factory=list)
    bare: list[list[float]] = field(default_factory=list)
    bare_redis_ms: list[float] = field(default_factory=list)
    never: int = 0
    message: str = ""
    failed: str = ""

    @property
    def is_saturated(self) -> bool:
        """Whether the processes of the replicas, not Redis, set the pace."""
        return self.in_step < self.replicas or any(
            load.cpu > BUSY_CPU or load.lag_p99_s > BUSY_LAG_S for load in self.loads
        )

    @property
    def in_step(self) -> int:
        """Replicas whose cached state was current at the end of the window."""
        return sum(load.fresh for load in self.loads)

    @property
    def harness(self) -> str:
        """How busy the replicas' processes were."""
        shares = " and ".join(f"{100 * load.cpu:.0f} %" for load in self.loads)
        lag_ms = 1000 * max((load.lag_p99_s for load in self.loads), default=0.0)
        state = "saturated" if self.is_saturated else "not saturated"
        busy = f"{shares} of a core, loop lag p99 {lag_ms:.0f} ms, {self.in_step} in step"
        return f"the replicas' processes were {state}: {busy}"


def p99(values: Sequence[float]) -> float:
    """The 99th percentile; the largest of fewer than a hundred."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def show(found: Measured) -> None:
    """Prints one size."""
    print(f"{found.replicas} replicas: {found.failed or found.harness}", flush=True)
    if (used := found.usage) is not None:
        most = ", ".join(f"{name} {per_s:,.0f}" for name, per_s in list(used.by_name.items())[:12])
        print(
            f"  Redis: {100 * used.core:.1f} % of a core, {used.commands:,.0f} commands/s "
            f"({used.scripts:,.0f} of them scripts), {used.clients} clients, {used.memory / 1e6:.1f} MB, "
            f"{used.received / 1e6:.2f} MB/s in, {used.sent / 1e6:.2f} MB/s out\n    {most}"
        )
        fresh, calls = sum(load.fresh for load in found.loads), sum(load.calls_per_s for load in found.loads)
        memory = sum(load.megabytes for load in found.loads)
        print(
            f"  harness: {fresh} replicas fresh, {calls:,.0f} calls/s, {memory:,.0f} MB, {found.machine_cpu:.2f} cores"
        )
    for who, all_ms, redis_ms in (
        ("refused", found.ours, found.ours_redis_ms),
        ("bare message", found.bare, found.bare_redis_ms),
    ):
        if all_ms:
            each, last = [ms for its in all_ms for ms in its], [max(its) for its in all_ms if its]
            print(
                f"  {who:14}each p50 {statistics.median(each):7.1f} p99 {p99(each):7.1f} ms   "
                f"last p50 {statistics.median(last):7.1f} p99 {p99(last):7.1f} ms   "
                f"Redis's processor {statistics.median(redis_ms):6.1f} ms"
            )
    if found.never:
        print(f"  {found.never} refusals never happened")


def rows(all_found: Sequence[Measured]) -> list[Row]:
    """Every curve, over the number of replicas."""
    return [row for group in (core_rows, usage_rows, trip_rows, harness_rows) for row in group(all_found)]


def curve(group: str, who: str, unit: str, found: Measured, values: Sequence[float], **more: Any) -> Row:
    """One point."""
    note = more.pop("note", "") or (found.harness if found.is_saturated else "")
    if not values:
        note = found.failed or "not reached"
    return Row.of(group, who, unit, values, note=note, at=found.replicas, axis="replicas", **more)


def core_rows(all_found: Sequence[Measured]) -> list[Row]:
    """The share of a core, with its bar."""
    return [
        curve(
            "Redis's processor in steady state", "ours", "% of a core", found,
            [100 * found.usage.core] if found.usage else [], bar=bar_at(found, 20.0),
        )
        for found in all_found
    ]  # fmt: skip


def bar_at(found: Measured, most: float) -> Bar | None:
    """The bar, for the one size that is judged."""
    return at_most(most) if found.replicas == JUDGED else None


FIGURES: dict[tuple[str, str], Callable[[Usage, int], float]] = {
    ("Commands that Redis runs, in scripts too", "1/s"): lambda used, _: used.commands,
    ("Commands that Redis runs for each replica", "1/s"): lambda used, replicas: used.commands / replicas,
    ("Scripts that Redis runs", "1/s"): lambda used, _: used.scripts,
    ("Redis's memory", "MB"): lambda used, _: used.memory / 1e6,
    ("Redis's clients", "connections"): lambda used, _: used.clients,
    ("Redis receives", "kB/s"): lambda used, _: used.received / 1e3,
    ("Redis sends", "kB/s"): lambda used, _: used.sent / 1e3,
}


def usage_rows(all_found: Sequence[Measured]) -> list[Row]:
    """What Redis does in steady state."""
    return [
        curve(group, "ours", unit, found, [figure(found.usage, found.replicas)] if found.usage else [])
        for (group, unit), figure in FIGURES.items()
        for found in all_found
    ]


def trip_rows(all_found: Sequence[Measured]) -> list[Row]:
    """The time to the last member, and what Redis spends meanwhile, beside bare subscribers."""
    found_rows = []
    for group, of in (("median", statistics.median), ("99th percentile", p99)):
        for who, times in (("ours, refused", "ours"), ("bare subscribers", "bare")):
            for found in all_found:
                last = [max(its) for its in getattr(found, times) if its]
                judged = group != "median" and times == "ours"
                note = "never, for some replicas" if times == "ours" and found.never else f"of {len(last)}"
                found_rows.append(
                    curve(
                        f"From the deciding failure to the last one, {group}", who, "ms", found,
                        last if of is statistics.median else [of(last)] if last else [],
                        bar=bar_at(found, 250.0) if judged else None,
                        note=f"{note}; {found.harness}" if found.is_saturated else note,
                    )
                )  # fmt: skip
    for who, times in (("ours, with its steady work", "ours_redis_ms"), ("bare subscribers", "bare_redis_ms")):
        found_rows += [
            curve("Redis's processor time until the last one", who, "ms", found, getattr(found, times))
            for found in all_found
        ]
    return found_rows


def harness_rows(all_found: Sequence[Measured]) -> list[Row]:
    """How busy the processes of the replicas were."""
    group = "The replicas' own processes, busiest"
    return [
        curve(group, "ours", "% of a core", found, [100 * max(load.cpu for load in found.loads)] if found.loads else [])
        for found in all_found
    ]
