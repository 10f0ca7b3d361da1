"""What the benchmark of a large fleet tells: bars for a thousand replicas, and whose time a figure is."""

from __future__ import annotations

import pytest

from benchmarks.large_fleet_rows import JUDGED, Measured, rows
from benchmarks.large_fleet_worker import Load
from benchmarks.redis_usage import Moment, Usage, usage
from benchmarks.report.rows import Row

CORE = "Redis's processor in steady state"
LAST = "From the deciding failure to the last one, 99th percentile"


def load(cpu: float = 0.5, lag_s: float = 0.002, fresh: int = 500) -> Load:
    return Load(cpu=cpu, calls_per_s=1.0, lag_p99_s=lag_s, lag_max_s=lag_s, fresh=fresh, megabytes=1.0)


def used(core: float = 0.1) -> Usage:
    return Usage(
        core=core, commands=20_000.0, scripts=1500.0, by_name={}, received=1.0, sent=1.0, clients=4000, memory=10**7
    )


def measured(replicas: int = JUDGED, loads: tuple[Load, ...] = (load(), load()), core: float = 0.1) -> Measured:
    trips = [[1.0, 5.0, 90.0], [2.0, 6.0, 120.0], [1.0, 4.0, 300.0]]
    return Measured(
        replicas, usage=used(core), loads=list(loads), ours=trips, ours_redis_ms=[9.0], bare=trips, bare_redis_ms=[5.0]
    )


def found(group: str, *sizes: Measured) -> list[Row]:
    return [row for row in rows(sizes) if row.group == group and row.who.startswith("ours")]


def test_only_a_thousand_replicas_are_judged() -> None:
    for group in (CORE, LAST):
        few, judged, many = found(group, measured(100), measured(1000), measured(3000))
        assert (few.bar, many.bar) == (None, None)
        assert judged.bar is not None


@pytest.mark.parametrize(("core", "missed"), [(0.19, False), (0.21, True)])
def test_redis_may_use_a_fifth_of_a_core(core: float, missed: bool) -> None:
    (row,) = found(CORE, measured(core=core))
    assert row.missed is missed
    assert row.figure == pytest.approx(100 * core)


def test_a_trip_lasts_until_the_last_replica_and_is_judged_by_the_worst_of_a_hundred() -> None:
    (middle,) = found("From the deciding failure to the last one, median", measured())
    (worst,) = found(LAST, measured())
    assert (middle.figure, middle.low, middle.high) == (120.0, 90.0, 300.0)
    assert worst.figure == 300.0
    assert worst.missed


@pytest.mark.parametrize(
    "busy", [load(cpu=0.97), load(lag_s=0.2), load(fresh=480)], ids=["processor", "late loop", "out of step"]
)
def test_a_figure_of_saturated_processes_says_so(busy: Load) -> None:
    (calm,) = found(LAST, measured())
    (row,) = found(LAST, measured(loads=(load(), busy)))
    assert "saturated" not in calm.note
    assert "processes were saturated" in row.note


def test_a_size_that_does_not_fit_says_why_in_every_row() -> None:
    rows_of_3000 = rows([Measured(3000, failed="only 12 replicas kept in step")])
    assert {row.figure for row in rows_of_3000} == {None}
    assert {row.note for row in rows_of_3000} == {"only 12 replicas kept in step"}


def test_usage_is_the_mean_of_a_second_between_two_moments() -> None:
    before = Moment(at_s=10.0, cpu_s=1.0, received=100, sent=0, calls={"evalsha": 5}, clients=1, memory=1)
    after = Moment(
        at_s=14.0, cpu_s=1.8, received=500, sent=40, calls={"evalsha": 25, "eval": 4, "time": 8}, clients=7, memory=3
    )
    between = usage(before, after)
    assert between.core == pytest.approx(0.2)
    assert (between.scripts, between.commands) == (6.0, 8.0)
    assert (between.received, between.sent, between.clients, between.memory) == (100.0, 10.0, 7, 3)
