"""How soon a circuit opens, how often it opens in vain, and how its peers compare: simulated in virtual time.

    python -m benchmarks.detection_simulation [--runs 10] [--seed 1954] [--quick]

Ours is the product's own code, by three replicas that report to one circuit (`virtual_fleet.py`); "0.1.0" is the same
code with the policy that gives that version's law: the window alone. Peers (`peer_rules.py`) are given all calls of the
fleet as if one process made them. Calls come at random moments; good ones take 50 ms (lognormal, p99 160 ms), failures
5 ms, and one in a hundred fails before the outage. `benchmarks/detection.py` measures the same on a real fleet.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.peer_rules import PEERS, openings
from benchmarks.reported_calls import ReportedCalls
from benchmarks.simulated_calls import Call, Fault, Latency, Numbers, calls, lognormal
from benchmarks.virtual_fleet import OURS, VERSION_0_1_0, VirtualFleet
from ha_rag.circuit.latency import MIN_CALLS
from ha_rag.circuit.transitions import Trigger

FLEETS = {"ha_rag": OURS, "ha_rag 0.1.0": VERSION_0_1_0}
REPLICAS = 3
RATES = (1, 5, 20, 80, 400)

OUTAGES = (
    Fault("dead: every call fails at once", failing=1.0, timeout_s=1.0),
    Fault("hanging, timeout 1 s", hangs=True, timeout_s=1.0),
    Fault("hanging, timeout 8 s", hangs=True),
    Fault("half of the calls fail", failing=0.5),
    Fault("30 % of the calls fail: below all thresholds but Polly's", failing=0.3),
    Fault("20 % of the calls fail: below all thresholds but Polly's", failing=0.2),
    Fault("browns out: every answer takes 0.8 s", takes_s=0.8),
)
BLIPS = tuple(Fault(f"{s:g} s", failing=1.0, lasts_s=s) for s in (0.2, 0.3, 0.4, 0.5, 0.7, 1.0))

PAST_S = 35.0
"""Healthy calls before an outage: Polly's window, the longest, is full of them."""

FLEET_PAST_S = 10.5
"""The part of them that our fleet sees at least: its window is full."""


@dataclass(frozen=True)
class Noticed:
    """One outage as one law noticed it: after how many seconds (infinity: never), calls that hit it till then, and
    seconds that their callers waited."""

    after_s: float
    hits: int
    waited_s: float


def seeded(seed: int, *what: object) -> np.random.Generator:
    """Random numbers of one experiment, whichever others run."""
    return np.random.default_rng([seed, zlib.crc32(repr(what).encode())])


# ---- how soon -------------------------------------------------------------------------------------------------------


def outage(seed: int, fault: Fault, rate: float, runs: int) -> dict[str, list[Noticed]]:
    """Each law's answer to the same outages, one for each run."""
    rng = seeded(seed, "outage", fault.title, rate)
    found: dict[str, list[Noticed]] = {law: [] for law in (*FLEETS, *PEERS)}
    learnt_s = max(FLEET_PAST_S, 1.5 * MIN_CALLS * REPLICAS / rate)  # the replicas know the usual latency
    past_s = max(PAST_S, learnt_s)
    wait_s = 12.0 if rate >= 20 else 60.0 / math.sqrt(rate)
    for _ in range(runs):
        began_s = past_s + rng.uniform()
        all_calls = calls(rng, rate, began_s + wait_s, fault, began_s, replicas=REPLICAS)
        for name, policy in FLEETS.items():
            fleet_past_s = learnt_s if policy.slow_call_s else FLEET_PAST_S
            recent = _after_a_good_start(all_calls, began_s - fleet_past_s)
            fleet = VirtualFleet(policy, timeout_s=fault.timeout_s, replicas=REPLICAS)
            fleet.run(recent, stop_after_s=began_s)
            found[name].append(_noticed(fleet.sent, began_s, [each.at_s for each in fleet.openings]))
        ended = _by_end(all_calls)
        for name, make in PEERS.items():
            found[name].append(_noticed(all_calls, began_s, openings(make, ended)))
    return found


def _after_a_good_start(sent: Iterable[Call], from_s: float) -> list[Call]:
    """The calls from then on, without the failures of the first second: a fresh circuit may open on its first five
    calls, of which the failures end first, and would rest when the outage comes."""
    return [call for call in sent if call.start_s >= from_s + (0 if call.ok else 1)]


def _by_end(sent: Iterable[Call]) -> list[Call]:
    return sorted(sent, key=lambda call: call.end_s)


def _noticed(sent: Sequence[Call], began_s: float, opened_s: Iterable[float]) -> Noticed:
    at_s = next((each for each in opened_s if each > began_s), math.inf)
    hits = [call for call in sent if call.hit and call.start_s < at_s]
    return Noticed(at_s - began_s, len(hits), sum(call.end_s - call.start_s for call in hits))


def blip(seed: int, fault: Fault, rate: float, runs: int) -> dict[str, float]:
    """Share of complete failures of that length after which a law opens, within two seconds."""
    rng = seeded(seed, "blip", fault.title, rate)
    opened: Counter[str] = Counter()
    for _ in range(runs):
        began_s = FLEET_PAST_S + rng.uniform()
        sent = _after_a_good_start(calls(rng, rate, began_s + 2.0, fault, began_s, replicas=REPLICAS), 0.0)
        for name, policy in FLEETS.items():
            fleet = VirtualFleet(policy, replicas=REPLICAS)
            fleet.run(sent, stop_after_s=began_s)
            opened[name] += any(each.at_s > began_s for each in fleet.openings)
        ended = _by_end(sent)
        for name, make in PEERS.items():
            opened[name] += any(at_s > began_s for at_s in openings(make, ended))
    return {law: opened[law] / runs for law in (*FLEETS, *PEERS)}


# ---- in vain --------------------------------------------------------------------------------------------------------

BY_WINDOW, BY_STREAK = "ha_rag, by the window", "ha_rag, by the streak"


def false_trips(seed: int, failing: float, rate: float, seconds: float) -> dict[str, float]:
    """How often an hour each law opens although the service only fails that share, all the time."""
    rng = seeded(seed, "false trips", failing, rate)
    ended = _by_end(calls(rng, rate, seconds, failing=failing, replicas=REPLICAS))
    triggers = {}
    for name, policy in FLEETS.items():
        reported = ReportedCalls(policy, REPLICAS)
        reported.run(ended)
        triggers[name] = reported.triggers
    found = {
        BY_WINDOW: triggers["ha_rag"][Trigger.THRESHOLD],
        BY_STREAK: triggers["ha_rag"][Trigger.STREAK],
        "ha_rag 0.1.0": triggers["ha_rag 0.1.0"].total(),
        **{name: sum(1 for _ in openings(make, ended)) for name, make in PEERS.items()},
    }
    return {law: count * 3600 / seconds for law, count in found.items()}


def _pareto(rng: np.random.Generator, starts: Numbers) -> Numbers:
    """A power law with exponent 1.5 and a median of 50 ms: one call in a thousand takes 3 s."""
    return 0.05 * (2 * (1 - rng.random(len(starts)))) ** (-1 / 1.5)


def _moving(median_s: Callable[[Numbers], Numbers]) -> Latency:
    return lambda rng, starts: median_s(starts) * lognormal(1.0)(rng, starts)


def _mixed(misses: Callable[[Numbers], Numbers], hit_s: float = 0.005, miss_s: float = 0.4) -> Latency:
    """A cache: hits and misses, each around a median of its own, and the share of misses at a moment."""

    def latency(rng: np.random.Generator, starts: Numbers) -> Numbers:
        median_s = np.where(rng.random(len(starts)) < misses(starts), miss_s, hit_s)
        return median_s * lognormal(1.0, 0.2)(rng, starts)

    return latency


def _in_turn(*values: float, each_s: float = 300.0) -> Callable[[Numbers], Numbers]:
    """One value after the other, and again from the first."""
    return lambda starts: np.array(values)[(starts // each_s).astype(int) % len(values)]


LATENCIES: dict[str, Latency] = {
    "lognormal, sigma 0.5 (p99 3 medians)": lognormal(),
    "lognormal, sigma 1 (p99 10 medians)": lognormal(sigma=1.0),
    "lognormal, sigma 1.5 (p99 33 medians)": lognormal(sigma=1.5),
    "Pareto 1.5 (p99 14 medians)": _pareto,
    "threefold and back every half hour": _moving(lambda t: 0.05 * 3 ** (0.5 - 0.5 * np.cos(2 * np.pi * t / 1800))),
    "twofold and back at once": _moving(_in_turn(0.05, 0.1)),
    "threefold and back at once": _moving(_in_turn(0.05, 0.15)),
    "fivefold and back at once, 0.1 s": _moving(_in_turn(0.1, 0.5)),
    "cache, 10 % misses of 0.4 s": _mixed(_in_turn(0.1)),
    "cache, 2 % misses, flushed every 5 min": _mixed(_in_turn(*[0.02] * 29, 1.0, each_s=10.0)),
    "cache, 0.2 % misses, flushed the same": _mixed(_in_turn(*[0.002] * 29, 1.0, each_s=10.0)),
}
"""Of a service that fails nothing. In the last case the answer is eighty times slower than usual for ten seconds."""


def slow_trips(seed: int, name: str, rate: float, seconds: float) -> tuple[float, float]:
    """How often an hour the fleet's circuit opens, and single replicas open for themselves, by `slow_call_s = "auto"`
    and by overdue calls, with those latencies."""
    rng = seeded(seed, "slow", name, rate)
    fleet = VirtualFleet(replicas=REPLICAS)
    fleet.run(calls(rng, rate, seconds, failing=0.01, latency=LATENCIES[name], replicas=REPLICAS))
    return len(fleet.openings) * 3600 / seconds, fleet.local_trips * 3600 / seconds


def reopened(seed: int, failing: float, rate: float, runs: int, *, hold: bool) -> float:
    """Share of closings after which the circuit opens again within 5 s, with that share of calls failing."""
    rng = seeded(seed, "reopened", failing, rate)
    count = 0
    for _ in range(runs):
        fleet = VirtualFleet(replicas=REPLICAS, hold=hold)
        fleet.open()
        closed_s = (fleet.circuit.open_until_ms - fleet.circuit.opened_at_ms) / 1000 + 0.002
        later = calls(rng, rate, 5.0, failing=failing, replicas=REPLICAS)
        fleet.run(
            [call._replace(start_s=call.start_s + closed_s, end_s=call.end_s + closed_s) for call in later],
            stop_after_s=closed_s,
        )
        count += len(fleet.openings) > 1
    return count / runs


# ---- tables ---------------------------------------------------------------------------------------------------------


def _cell(found: Sequence[Noticed]) -> str:
    """Median and 95th percentile of the delay, median of the calls and of the seconds."""
    delays = sorted(each.after_s for each in found)
    median_s, late_s = delays[len(delays) // 2], delays[math.ceil(0.95 * len(delays)) - 1]
    if median_s == math.inf:
        return "not noticed"
    hits = sorted(each.hits for each in found)[len(found) // 2]
    waited_s = sorted(each.waited_s for each in found)[len(found) // 2]
    late = "never" if late_s == math.inf else f"{late_s:.2f}"
    return f"{median_s:.2f} {late:>5} {hits:5} {waited_s:5.0f}"


def _table(title: str, columns: Iterable[object], rows: Mapping[str, Iterable[str]], width: int) -> None:
    print(f"\n{title}")
    print(f"{'':40}", *(f"{column!s:>{width}}" for column in columns))
    for name, cells in rows.items():
        print(f"{name:40}", *(f"{cell:>{width}}" for cell in cells), flush=True)


V = TypeVar("V")


def _turned(found: Sequence[Mapping[str, V]]) -> dict[str, list[V]]:
    """From one mapping for each column to one list for each row."""
    return {row: [column[row] for column in found] for row in found[0]}


@dataclass(frozen=True)
class Size:
    """How much is simulated: runs of each outage, traffic (calls a second), and hours of false alarms."""

    runs: int = 10
    rates: tuple[int, ...] = RATES
    outages: tuple[Fault, ...] = OUTAGES
    blips: tuple[Fault, ...] = BLIPS
    vain_hours: tuple[tuple[int, float], ...] = ((1, 4.0), (5, 2.0), (20, 1.0), (80, 0.25))
    latencies: tuple[str, ...] = tuple(LATENCIES)
    slow_hours: float = 0.5
    closings: int = 50


QUICK = Size(
    3, (20, 80), (OUTAGES[0], OUTAGES[2], OUTAGES[6]), BLIPS[1:2], ((20, 0.05),), tuple(LATENCIES)[:1], 0.05, 3
)


def show(pool: Executor, size: Size, seed: int) -> None:
    """Simulates everything and prints it as it comes. What each cell says depends on the seed alone."""
    soon = [[pool.submit(outage, seed, fault, rate, size.runs) for rate in size.rates] for fault in size.outages]
    short = [[pool.submit(blip, seed, fault, rate, 2 * size.runs) for fault in size.blips] for rate in (80, 400)]
    vain = [
        [pool.submit(false_trips, seed, failing, rate, 3600 * hours) for rate, hours in size.vain_hours]
        for failing in (0.05, 0.2, 0.3)
    ]
    slow = {name: pool.submit(slow_trips, seed, name, 20, 3600 * size.slow_hours) for name in size.latencies}
    again = {
        (failing, hold): [
            pool.submit(reopened, seed, failing, rate, size.closings, hold=hold) for rate in (20, 80, 400)
        ]
        for failing, hold in itertools.product((0.05, 0.2, 1.0), (False, True))
    }
    print("Seconds until it opens (median, 95th percentile), calls that hit the service, seconds that callers waited")
    print("(not noticed, never: not within 12 s; at 1 and 5 calls/s not within 60 and 27 s)")
    for fault, cells in zip(size.outages, soon, strict=True):
        rows = _turned([cell.result() for cell in cells])
        columns = [f"{rate} calls/s" for rate in size.rates]
        _table(fault.title, columns, {law: map(_cell, found) for law, found in rows.items()}, 23)
    for rate, shares in zip((80, 400), short, strict=True):
        rows_of_shares = _turned([cell.result() for cell in shares])
        title = f"Complete failures that short, {rate} calls/s: share after which it opens"
        columns = [fault.title for fault in size.blips]
        _table(title, columns, {law: [f"{s:.0%}" for s in found] for law, found in rows_of_shares.items()}, 8)
    for failing, hours in zip((0.05, 0.2, 0.3), vain, strict=True):
        trips = _turned([cell.result() for cell in hours])
        title = f"A service that always fails {failing:.0%} of its calls: openings an hour (hours simulated)"
        columns = [f"{rate}/s ({hours_of:g} h)" for rate, hours_of in size.vain_hours]
        _table(title, columns, {law: [f"{n:g}" for n in found] for law, found in trips.items()}, 14)
    title = f'slow_call_s = "auto", 20 calls/s: openings an hour ({size.slow_hours:g} h simulated)'
    _table(title, ["fleet", "one replica"], {n: [f"{t:g}" for t in cell.result()] for n, cell in slow.items()}, 12)
    title = "Closings by probes after which it opens again within 5 s"
    shares_again = {
        f"{failing:.0%} fail, {'with the hold' if hold else 'without a hold'}": [f"{c.result():.0%}" for c in cells]
        for (failing, hold), cells in again.items()
    }
    _table(title, ["20/s", "80/s", "400/s"], shares_again, 8)


def main() -> None:
    """Simulates and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--runs", type=int, default=Size.runs, help="outages of each kind and traffic")
    arguments.add_argument("--seed", type=int, default=1954)
    arguments.add_argument("--quick", action="store_true", help="a few cells of each table")
    given = arguments.parse_args()
    began_s = time.monotonic()
    with ProcessPoolExecutor() as pool:
        show(pool, QUICK if given.quick else Size(given.runs), given.seed)
    print(f"\nseed {given.seed}, {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
