"""The history: rates of every circuit, the fleet's traffic, and half-open circuits that wait for traffic."""

from __future__ import annotations

from ha_rag.monitor.history import KEPT, WAITING_S, History
from ha_rag.monitor.reading import Reading
from tests.monitor.reports import CLOSED, HALF_OPEN, OPEN, beat, reading, report, totals


def after(*readings: Reading) -> History:
    history = History()
    for each in readings:
        history = history.after(each)
    return history


# ---- rates ----------------------------------------------------------------------------------------------------------


def test_each_poll_of_one_per_second_is_a_point() -> None:
    history = after(*(reading(float(n), circuits=(report(failure_rate=n / 10, samples=n),)) for n in range(4)))
    assert [(rate.at, rate.failure_rate, rate.samples) for rate in history.rates["payments"]] == [
        (0.0, 0.0, 0), (1.0, 0.1, 1), (2.0, 0.2, 2), (3.0, 0.3, 3),
    ]  # fmt: skip


def test_polls_close_together_are_one_point_unless_the_state_changes() -> None:
    states = [CLOSED, CLOSED, CLOSED, CLOSED, OPEN, OPEN]
    history = after(*(reading(n / 10, circuits=(report(state),)) for n, state in enumerate(states)))
    points = [(rate.at, rate.state) for rate in history.rates["payments"]]
    assert points[-1] == (0.5, "open")
    assert [state for _, state in points].count("closed") < 4


def test_only_the_last_points_are_kept() -> None:
    history = after(*(reading(float(n)) for n in range(KEPT + 50)))
    assert len(history.rates["payments"]) == KEPT
    assert history.rates["payments"][-1].at == KEPT + 49
    assert len(history.traffic) == KEPT


def test_the_history_of_a_removed_circuit_is_dropped() -> None:
    assert after(reading(0.0), reading(1.0, circuits=())).rates == {}


# ---- traffic --------------------------------------------------------------------------------------------------------


def test_traffic_between_two_polls_is_summed_over_the_replicas() -> None:
    history = after(
        reading(0.0, beat("a", totals(10)), beat("b", totals(5, degraded=1, served={"embedder.primary": 5}))),
        reading(
            2.0,
            beat("a", totals(16, served={"embedder.primary": 6})),
            beat("b", totals(9, degraded=3, served={"embedder.primary": 7, "embedder.secondary": 2})),
        ),
    )
    (point,) = history.traffic
    assert (point.seconds, point.questions, point.degraded) == (2.0, 10, 2)
    assert point.served == {"embedder": {"primary": 8, "secondary": 2}}


def test_a_new_replica_counts_from_its_next_heartbeat_and_so_does_a_restarted_one() -> None:
    history = after(
        reading(0.0, beat("a~1", totals(100))),
        reading(1.0, beat("a~1", totals(101)), beat("b~1", totals(500))),
        reading(2.0, beat("a~2", totals(3)), beat("b~1", totals(502))),
        reading(3.0, beat("a~2", totals(4)), beat("b~1", totals(502))),
    )
    assert [point.questions for point in history.traffic] == [1, 2, 1]


def test_totals_that_go_down_in_one_incarnation_count_from_zero() -> None:
    history = after(reading(0.0, beat("a", totals(100, degraded=9))), reading(1.0, beat("a", totals(4, degraded=1))))
    assert (history.traffic[0].questions, history.traffic[0].degraded) == (4, 1)


def test_recent_totals_cover_the_last_ten_seconds() -> None:
    history = after(*(reading(float(n), beat("a", totals(n * 7))) for n in range(40)))
    assert history.window_s == 10.0
    assert history.recent()["a~1"].questions == 70


# ---- waiting for traffic --------------------------------------------------------------------------------------------


def test_a_half_open_circuit_without_probes_waits_for_traffic_after_a_while() -> None:
    half_open = [reading(at, circuits=(report(HALF_OPEN),)) for at in (0.0, 1.0, WAITING_S)]
    assert not after(*half_open[:2]).waiting("payments", 1.0)
    assert after(*half_open).waiting("payments", WAITING_S)


def test_a_circuit_that_opened_again_between_two_polls_waits_anew() -> None:
    waited = (
        reading(0.0, circuits=(report(HALF_OPEN, epoch=1),)),
        reading(5.0, circuits=(report(HALF_OPEN, epoch=1),)),
    )
    assert after(*waited).waiting("payments", 5.0)
    assert not after(*waited, reading(6.0, circuits=(report(HALF_OPEN, epoch=2),))).waiting("payments", 6.0)


def test_a_circuit_that_is_probed_or_closes_no_longer_waits() -> None:
    waited = (reading(0.0, circuits=(report(HALF_OPEN),)), reading(5.0, circuits=(report(HALF_OPEN),)))
    assert not after(*waited, reading(6.0, circuits=(report(HALF_OPEN, probing=True),))).waiting("payments", 6.0)
    assert not after(*waited, reading(6.0, circuits=(report(CLOSED),))).waiting("payments", 6.0)
