"""What happens when a service recovers: probes received at once, cancelled probes, and probers that are killed.

    python -m benchmarks.recovery [--replicas 8] [--only ours interlock-cb] [--at-most 30]

Real processes and a Redis for each contender; a circuit opens at the fifth failure, for two seconds. Stampede: the
service fails until it has had no call for a second, then answers again, in half a second; counted are the calls that it
has in progress when the first of them ends. Cancelled and killed: one replica's probe hangs at the service, then its
task is cancelled, or its process gets SIGKILL; the service is well from then on. Told is when calls pass again, of the
same replica or of another.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from benchmarks.peers.fleet import EndedError, Fleet, cannot_run, fleet
from benchmarks.peers.guards import GUARDS
from benchmarks.report.rows import Bar, Row, at_most, publish

CONTENDERS = [name for name in GUARDS if name != "unguarded"]
OPEN_S = 2.0
SLOW_S = 0.5
RATE = 5.0
"""Calls a second of each replica in the stampede."""
QUIET_S = 1.0
OUTAGE_S = 30.0
"""At most; less if the service gets no calls before."""
LOOK_S = 0.02
LONGEST_TRIP = 200
HANG_TIMEOUT_S = 60.0
"""Calls have no timeout that would end the probe instead of what is measured."""


async def stampede(guard: str, replicas: int, at_most_s: float) -> float | None:
    """Calls in progress at the service when the first one after the outage ends; None: none arrived."""
    async with fleet(guard, replicas, open_s=OPEN_S, timeout_s=5.0) as there:
        seconds = 1.0 + OUTAGE_S + at_most_s
        begin_s = time.monotonic() + 0.5
        for member in there.members:
            await member.tell("load", rate=RATE, begin_s=begin_s, seconds=seconds)
        await asyncio.sleep(begin_s + 1.0 - time.monotonic())
        await _quiet(there, await there.mode("error"))
        changed_s = await there.mode("slow", SLOW_S)
        return await _in_progress_at_first_end(there, changed_s, at_most_s)


async def _quiet(there: Fleet, since_s: float) -> None:
    """Waits until the service has had no call for a while: every replica knows that the circuit is open."""
    while time.monotonic() < since_s + OUTAGE_S:
        last_s = max([since_s, *(arrived for arrived, _ in await there.calls())])
        if time.monotonic() > last_s + QUIET_S:
            return
        await asyncio.sleep(LOOK_S)
    raise UnusableError(f"the service got calls in every second of an outage of {OUTAGE_S:g} s")


async def _in_progress_at_first_end(there: Fleet, since_s: float, at_most_s: float) -> float | None:
    while time.monotonic() < since_s + at_most_s:
        calls = [(arrived, ended) for arrived, ended in await there.calls() if arrived > since_s]
        ends = [ended for _, ended in calls if ended is not None]
        if ends:
            return sum(arrived <= min(ends) for arrived, _ in calls)
        await asyncio.sleep(LOOK_S)
    return None


async def cancelled(guard: str, _: int, at_most_s: float) -> float | None:
    """Seconds until calls pass again, after the probing task was cancelled."""
    async with fleet(guard, 1, open_s=OPEN_S, timeout_s=HANG_TIMEOUT_S) as there:
        await _probe_hangs(there, at_most_s)
        await there.members[0]("cancel")
        await there.mode("ok")
        return await _recovered(there, 0, at_most_s)


async def killed(guard: str, _: int, at_most_s: float) -> float | None:
    """Seconds until another replica's calls pass again, after the prober was killed."""
    async with fleet(guard, 2, open_s=OPEN_S, timeout_s=HANG_TIMEOUT_S) as there:
        await _probe_hangs(there, at_most_s)
        there.members[0].process.kill()
        await there.members[0].process.wait()
        await there.mode("ok")
        return await _recovered(there, 1, at_most_s)


async def _recovered(there: Fleet, replica: int, at_most_s: float) -> float | None:
    found = await there.members[replica]("recover", at_most_s=at_most_s)
    return None if found is None else float(found)


async def _probe_hangs(there: Fleet, at_most_s: float) -> None:
    """Opens the circuit, so that every replica knows it, and waits until the first one's probe hangs at the service."""
    await there.mode("error")
    for member in there.members:
        if await member("trip", at_most=LONGEST_TRIP) is None:
            raise UnusableError(f"refused none of {LONGEST_TRIP} failing calls")
    await there.mode("hang")
    before = len(await there.calls())
    await there.members[0]("probe")
    begin_s = time.monotonic()
    while len(await there.calls()) == before:
        if time.monotonic() > begin_s + at_most_s:
            raise UnusableError(f"no probe within {at_most_s:g} s")
        await asyncio.sleep(LOOK_S)


class UnusableError(Exception):
    """The contender did not get into the situation that is measured."""


Scenario = Callable[[str, int, float], Awaitable[float | None]]
SCENARIOS: dict[str, tuple[Scenario, str, Bar]] = {
    "calls at the service when the first after the outage ends": (stampede, "calls", at_most(1)),
    "calls pass again, after the probe was cancelled": (cancelled, "s", at_most(15)),
    "calls pass again, after the prober was killed": (killed, "s", at_most(15)),
}
UNCANCELLABLE = "synchronous: a call in a thread cannot be cancelled"


async def row(guard: str, group: str, replicas: int, at_most_s: float) -> Row:
    """One contender in one situation."""
    scenario, unit, bar = SCENARIOS[group]
    its_bar = bar if guard.startswith("ours") else None
    why = cannot_run(guard) or (UNCANCELLABLE if (guard, scenario) == ("pybreaker", cancelled) else "")
    if why:
        return Row.absent(group, guard, unit, why, its_bar)
    try:
        found = await scenario(guard, replicas, at_most_s)
    except (UnusableError, EndedError) as error:
        return Row.absent(group, guard, unit, str(error), its_bar)
    late = f"within {at_most_s:g} s"
    never = f"no call ended {late} of the recovery" if scenario is stampede else f"never: not {late}"
    return Row.of(
        group, guard, unit, [] if found is None else [found], bar=its_bar, note=never if found is None else ""
    )


async def measure(guards: Sequence[str], replicas: int, at_most_s: float) -> list[Row]:
    """All situations, one contender after the other."""
    rows = []
    for group in SCENARIOS:
        print(group)
        for guard in guards:
            found = await row(guard, group, replicas, at_most_s)
            rows.append(found)
            figure = found.note if found.figure is None else f"{found.figure:.2f} {found.unit}"
            print(f"    {guard:24}{figure}", flush=True)
    return rows


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--replicas", type=int, default=8, help="of the stampede")
    arguments.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS, metavar="CONTENDER")
    arguments.add_argument("--at-most", type=float, default=30.0, help="seconds until a recovery counts as never")
    given = arguments.parse_args()
    publish(asyncio.run(measure(given.only, given.replicas, given.at_most)))


if __name__ == "__main__":
    main()
