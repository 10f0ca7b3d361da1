"""An outage of half a minute: calls that the service received, seconds that users waited, questions lost.

    python -m benchmarks.wasted_calls [--replicas 8] [--rate 5] [--outage 30] [--only ours Envoy]

Eight real replicas ask the service at a steady rate; what it does not answer within a second goes to a fallback that is
well. The service dies (each call fails at once) or hangs. The same terms for all: the fifth failure opens, for five
seconds at first. Waiting is what the answers took from the moment their question was due, without the median of those
before the outage. Back: the last replica is served again.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.fleet import EndedError, Fleet, cannot_run, fleet
from benchmarks.peers.guards import GUARDS
from benchmarks.report.rows import Row, at_most, publish

OPEN_S = 5.0
TIMEOUT_S = 1.0
WARM_S = 6.0
AFTER_S = 15.0
"""At least as long as the outage: open times may have grown to its length."""
LATE_S = 0.3
"""More than that, and the figures are about the machine."""
OUTAGES = {"dies": "error", "hangs": "hang"}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one contender in one outage. `back_s`: None: a replica was not served again in the time that was left."""

    received: int
    waited_s: float
    lost: int
    asked: int
    back_s: float | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    replicas: int
    rate: float
    outage_s: float

    @property
    def after_s(self) -> float:
        return max(AFTER_S, self.outage_s)


async def outage(guard: str, mode: str, plan: Plan) -> Outcome | str:
    """One fleet, one outage."""
    async with fleet(guard, plan.replicas, open_s=OPEN_S, timeout_s=TIMEOUT_S) as there:
        begin_s = time.monotonic() + 0.5
        seconds = WARM_S + plan.outage_s + plan.after_s
        for number, member in enumerate(there.members):
            shifted_s = begin_s + number / plan.rate / plan.replicas
            await member.tell("load", rate=plan.rate, begin_s=shifted_s, seconds=seconds)
        await asyncio.sleep(begin_s + WARM_S - time.monotonic())
        from_s = await there.mode(mode)
        await asyncio.sleep(from_s + plan.outage_s - time.monotonic())
        to_s = await there.mode("ok")
        answers = [await member.reply() for member in there.members]
        return await judged(there, answers, from_s, to_s)


async def outage_or_why(guard: str, mode: str, plan: Plan) -> Outcome | str:
    """The outcome, or why there is none."""
    try:
        return await outage(guard, mode, plan)
    except EndedError as error:
        return str(error)


async def judged(there: Fleet, answers: Sequence[list[list[Any]]], from_s: float, to_s: float) -> Outcome | str:
    """What the service and the replicas have written down; why it is worth nothing, if it is."""
    before = [(took, late) for replica in answers for asked, took, _, late in replica if asked < from_s - TIMEOUT_S]
    during = [took for replica in answers for asked, took, *_ in replica if from_s <= asked < to_s]
    late_s = statistics.quantiles([late for _, late in before], n=20)[-1]
    if late_s > LATE_S:
        return f"the machine could not keep up: before the outage a question in twenty was asked {late_s:.1f} s late"
    usual_s = statistics.median(took for took, _ in before)
    served_again = [
        min((asked - to_s for asked, _, by, _ in replica if asked >= to_s and by == "service"), default=None)
        for replica in answers
    ]
    back = [at_s for at_s in served_again if at_s is not None]
    return Outcome(
        received=sum(from_s <= arrived < to_s for arrived, _ in await there.calls()),
        waited_s=sum(max(0.0, took - usual_s) for took in during),
        lost=sum(by == "lost" for replica in answers for _, _, by, _ in replica),
        asked=sum(map(len, answers)),
        back_s=max(back) if len(back) == len(answers) else None,
    )


def rows(title: str, guard: str, found: Outcome | str) -> list[Row]:
    """The figures of one contender. `found`: why there are none."""
    kinds = [
        (f"the service {title}: calls it received", "calls"),
        (f"the service {title}: seconds that users waited", "s"),
        (f"the service {title}: questions lost", "questions"),
        (f"the service {title}: served everywhere again after", "s"),
    ]
    if isinstance(found, str):
        return [Row.absent(group, guard, unit, found) for group, unit in kinds]
    back = [] if found.back_s is None else [found.back_s]
    values: list[Sequence[float]] = [[found.received], [found.waited_s], [found.lost], back]
    bar = at_most(0) if guard.startswith("ours") else None
    notes = ["", "", f"of {found.asked}", "" if back else "never: not before the run ended"]
    return [
        Row.of(group, guard, unit, its, note=note, bar=bar if unit == "questions" else None)
        for (group, unit), its, note in zip(kinds, values, notes, strict=True)
    ]


def shown(found: Outcome | str) -> str:
    """A row of the printed table."""
    if isinstance(found, str):
        return f"not measured: {found}"
    back = "never" if found.back_s is None else f"{found.back_s:.1f} s"
    return f"{found.received:10}{found.waited_s:12.1f}{found.lost:8} of {found.asked}{back:>12}"


async def measure(guards: Sequence[str], plan: Plan) -> list[Row]:
    """Both outages, one contender after the other."""
    found: list[Row] = []
    for title, mode in OUTAGES.items():
        print(f"the service {title:12}{'received':>10}{'waited s':>12}{'lost':>8}{'back after':>20}")
        for guard in guards:
            outcome = cannot_run(guard) or await outage_or_why(guard, mode, plan)
            print(f"{guard:24}{shown(outcome)}", flush=True)
            found += rows(title, guard, outcome)
            publish(sorted(found, key=lambda row: row.group))
    return found


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--replicas", type=int, default=8)
    arguments.add_argument("--rate", type=float, default=5.0, help="questions a second, of each replica")
    arguments.add_argument("--outage", type=float, default=30.0, help="seconds")
    arguments.add_argument("--only", nargs="+", choices=GUARDS, default=list(GUARDS), metavar="CONTENDER")
    given = arguments.parse_args()
    asyncio.run(measure(given.only, Plan(replicas=given.replicas, rate=given.rate, outage_s=given.outage)))


if __name__ == "__main__":
    main()
