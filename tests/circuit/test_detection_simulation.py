"""What the simulated comparison of detection laws must show, whatever the seed: the order of the laws, not figures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.detection_simulation import (
    BLIPS,
    BY_STREAK,
    OUTAGES,
    QUICK,
    Noticed,
    blip,
    false_trips,
    outage,
    reopened,
    show,
    slow_trips,
)
from benchmarks.peer_rules import PEERS, ConsecutiveFailures, LastCalls, Rule, TimeWindow

SEED = 7
DEAD, HANGING, BROWNOUT = OUTAGES[0], OUTAGES[2], OUTAGES[-1]
WINDOWS = ["ha_rag 0.1.0", "resilience4j, 10 s window", "Polly", "Hystrix"]


def latest(found: list[Noticed]) -> float:
    return max(each.after_s for each in found)


def soonest(found: list[Noticed]) -> float:
    return min(each.after_s for each in found)


@pytest.mark.parametrize("rate", [20, 80])
def test_on_a_dead_service_the_streak_opens_before_every_window_and_after_fewer_calls(rate: int) -> None:
    found = outage(SEED, DEAD, rate, 3)
    ours = found["ha_rag"]
    for law in WINDOWS:
        assert latest(ours) < soonest(found[law]), law
        assert max(each.hits for each in ours) < min(each.hits for each in found[law]), law


def test_a_hanging_service_is_noticed_before_its_first_timeout_and_by_no_other_law() -> None:
    found = outage(SEED, HANGING, 80, 3)
    others = [each for law in found if law != "ha_rag" for each in found[law]]
    # Calls that were under way when the hang began may time out a moment before 8 s have passed.
    assert latest(found["ha_rag"]) < HANGING.timeout_s / 2 < soonest(others)
    assert max(each.waited_s for each in found["ha_rag"]) < min(each.waited_s for each in others)


def test_a_brownout_is_noticed_by_slow_calls_alone() -> None:
    found = outage(SEED, BROWNOUT, 80, 2)
    assert latest(found.pop("ha_rag")) < 5.0
    assert {each.after_s for law in found.values() for each in law} == {float("inf")}


def test_a_failure_of_less_than_the_policys_blip_opens_nothing_and_one_twice_as_long_does() -> None:
    lasts = {fault.lasts_s: fault for fault in BLIPS}
    brief, long = (blip(SEED, lasts[lasts_s], 80, 4) for lasts_s in (0.3, 1.0))
    assert (brief["ha_rag"], long["ha_rag"]) == (0.0, 1.0)
    assert brief["Envoy, pybreaker: 5 in a row"] == 1.0


def test_no_streak_opens_in_an_hour_of_five_failures_in_a_hundred() -> None:
    assert false_trips(SEED, 0.05, 20, 3600.0)[BY_STREAK] == 0


def test_no_streak_opens_where_five_in_a_row_do() -> None:
    trips = false_trips(SEED, 0.3, 20, 900.0)
    assert trips[BY_STREAK] == 0 < trips["Envoy, pybreaker: 5 in a row"]


def test_what_takes_long_now_and_then_is_no_brownout() -> None:
    assert slow_trips(SEED, "Pareto 1.5 (p99 14 medians)", 20, 360.0) == (0, 0)


def test_the_hold_after_closing_keeps_a_fifth_of_failures_from_opening_it_again() -> None:
    without, held = (reopened(SEED, 0.2, 400, 8, hold=hold) for hold in (False, True))
    assert held < without


def test_a_service_that_is_still_dead_opens_it_again_in_spite_of_the_hold() -> None:
    assert reopened(SEED, 1.0, 80, 5, hold=True) == 1.0


def test_one_seed_gives_the_same_outages_each_time() -> None:
    assert outage(SEED, DEAD, 80, 1) == outage(SEED, DEAD, 80, 1)
    assert outage(SEED, DEAD, 80, 1) != outage(SEED + 1, DEAD, 80, 1)


def test_the_quick_tables_are_printed_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(1) as pool:
        show(pool, QUICK, SEED)
    lines = capsys.readouterr().out.splitlines()
    for law in PEERS:
        assert sum(line.startswith(law) for line in lines) == len(QUICK.outages) + 2 + 3
    assert lines[-1].startswith("100% fail, with the hold")


# ---- the peers' laws ------------------------------------------------------------------------------------------------


def opened_at(law: Rule, ends: str, every_s: float = 0.1) -> int | None:
    """The number of the call at which it opens; `ends`: "." for a good call and "x" for a failure."""
    return next((n for n, end in enumerate(ends) if law.opens(n * every_s, end == "x")), None)


def test_failures_in_a_row_begin_anew_with_each_success() -> None:
    assert opened_at(ConsecutiveFailures(3), "xx.xx.xxx") == 8
    assert opened_at(ConsecutiveFailures(3), "xx." * 9) is None


def test_the_last_calls_must_be_full_and_forget_the_oldest() -> None:
    assert opened_at(LastCalls(4, 0.5), "xxx") is None
    assert opened_at(LastCalls(4, 0.5), "....x.x") == 6
    assert opened_at(LastCalls(4, 0.5), "x...x...x...") is None


def test_a_window_of_time_needs_its_least_number_of_calls_and_forgets_with_time() -> None:
    assert opened_at(TimeWindow(1.0, 4, 0.5), "xxxx", every_s=0.1) == 3
    assert opened_at(TimeWindow(1.0, 4, 0.5), "xxxxxx", every_s=0.4) is None


def test_a_tumbling_window_begins_anew_where_a_sliding_one_still_remembers() -> None:
    tumbling, sliding = TimeWindow(1.0, 2, 0.5, tumbling=True), TimeWindow(1.0, 2, 0.5)
    assert [tumbling.opens(at_s, True) for at_s in (0.9, 1.1, 1.2)] == [False, False, True]
    assert [sliding.opens(at_s, True) for at_s in (0.9, 1.1)] == [False, True]


def test_a_window_that_looks_now_and_then_opens_late() -> None:
    law = TimeWindow(10.0, 2, 0.5, every_s=0.5)
    assert [law.opens(at_s, True) for at_s in (0.0, 0.1, 0.4, 0.6)] == [False, False, False, True]
