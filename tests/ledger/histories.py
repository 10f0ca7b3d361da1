"""Random histories of verbs that lead to outages, probes, data loss, and the exact moments between them.

A step is a tuple: a verb's name and its arguments. Replicas, epochs, tokens and deadlines are relative ("the current
epoch", "one ms before the next deadline"), so that a history makes sense in any state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import Circuit, Counts, OverrideMode
from ha_rag.outcomes import Outcome
from tests.ledger.bench import Bench, MemoryBench, terms

NAME = "embedder.primary"

# Policies that may exist side by side in a rolling deploy.
OLD = terms(blip_ms=150)
POLICIES = {
    "old": OLD,
    "quorum": terms(
        window_ms=2000, bucket_ms=200, quorum=2, probes=2, probe_successes=3, lease_ms=450, backoff=1.5, blip_ms=0
    ),
    "slow": replace(OLD, bucket_ms=50, slow_threshold=0.6, probe_successes=3, blip_ms=60),
    "long": terms(lease_ms=1500, open_ms=300, probes=3, window_ms=1500, bucket_ms=150),
}

replicas = st.sampled_from("abc")
policies = st.sampled_from(["main", "main", "main", "main", "other"])
epochs = st.sampled_from(["now", "now", "now", "now", "before", "zero", "ahead"])
jitters = st.sampled_from([0.0, 0.25, 0.999])
throttles = st.sampled_from([0, 0, 1, 700, 9000])
ages = st.sampled_from([-500, -1, 0, 0, 1, 99, 100, 101, 900, 999, 1000, 1001, 2500])
counts = st.builds(Counts, st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
overdue = st.sampled_from([0, 0, 0, 1, 3, -1, -4])
took = st.sampled_from([0, 1, 90, 700])
outcomes = st.sampled_from([o for o in Outcome if o not in (Outcome.REJECTED, Outcome.SKIPPED)])
good = st.sampled_from([Outcome.OK, Outcome.OK, Outcome.INVALID, Outcome.SLOW])

Step = tuple[Any, ...]
just = st.just

report = st.tuples(
    just("record"), policies, replicas, st.sampled_from([1, 1, 1, 1, 1, 0, -1, 100]),
    st.lists(st.tuples(epochs, ages, counts, overdue), min_size=1, max_size=3), st.booleans(), just(0), just("now"),
    just(0), jitters,
)  # fmt: skip
asked = st.tuples(
    just("record"), policies, replicas, st.sampled_from([1, 1, 1, 0]), just([]), st.booleans(), throttles, epochs,
    st.sampled_from([0, 0, 1, 699, 700, 2500]), jitters,
)  # fmt: skip
failure_tail = (
    just(1), just([("now", 0, Counts(0, 3, 0), 0)]), just(True), just(0), just("now"), just(0), jitters,
)  # fmt: skip
failure = st.tuples(just("record"), policies, replicas, *failure_tail)
lease = st.tuples(just("lease"), policies, replicas, st.sampled_from(["now", "now", "now", "zero", "ahead"]))
settle = st.tuples(
    just("settle"), policies, replicas, st.integers(0, 3), st.one_of(good, outcomes), throttles, jitters, took
)
override = st.tuples(
    just("override"), policies, st.sampled_from([*OverrideMode, None]), replicas, st.sampled_from([None, 300, 1000])
)
order = st.tuples(
    just("order"), policies, st.sampled_from([*OverrideMode, None]), replicas, st.sampled_from([None, 300, 1000])
)
order_ends = st.tuples(just("expire_order"), policies)
restore = st.tuples(just("restore"), policies, replicas, st.integers(0, 6))
advance = st.tuples(just("advance"), st.sampled_from([1, 37, 99, 100, 101, 299, 501, 999, 1001, 7013]))
deadline = st.tuples(just("until"), st.integers(0, 3), st.sampled_from([-1, 0, 0, 0, 1]))
moment = st.one_of(deadline, deadline, advance)
anything = st.one_of(
    report, asked, failure, lease, settle, override, order, order_ends, restore, moment,
    st.tuples(just("read"), policies), st.tuples(just("forget")), st.tuples(just("copy")), st.tuples(just("fall_back")),
)  # fmt: skip


def _sequence(*parts: st.SearchStrategy[list[Step]]) -> st.SearchStrategy[list[Step]]:
    return st.tuples(*parts).map(lambda lists: [step for steps in lists for step in steps])


def _some(step: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[list[Step]]:
    return st.lists(step, min_size=least, max_size=most)


traffic = _some(st.one_of(report, report, asked, moment), 2, 6)
after_open = st.tuples(just("after_open"), st.sampled_from([0, 0, 0, 0, -1, 1]))
ask = st.tuples(just("lease"), just("main"), replicas, st.sampled_from(["now", "now", "now", "now", "now", "ahead"]))


def _report(some: st.SearchStrategy[Counts], late: st.SearchStrategy[int]) -> st.SearchStrategy[Step]:
    """A new batch of outcomes from just now."""
    tally = st.lists(st.tuples(just("now"), st.sampled_from([0, 0, 99, 100]), some, late), min_size=1, max_size=1)
    return st.tuples(
        just("record"), just("main"), replicas, just(1), tally, st.booleans(), just(0), just("now"), just(0), jitters
    )


def _end(outcome: st.SearchStrategy[Outcome]) -> st.SearchStrategy[Step]:
    return st.tuples(just("settle"), just("main"), replicas, just(0), outcome, throttles, jitters, took)


bad = st.sampled_from([Outcome.FAILED, Outcome.TIMEOUT, Outcome.THROTTLED, Outcome.SLOW])
breaks = st.tuples(just("record"), just("main"), st.sampled_from("ab"), *failure_tail)
opens = _sequence(just([("override", "main", None, "a", None)]), _some(breaks, 2, 3), _some(after_open, 1, 1))
won = _sequence(_some(ask, 1, 1), _some(_end(good), 1, 1))
lost = _sequence(_some(ask, 1, 2), _some(_end(bad), 1, 1), _some(moment, 0, 1), _some(after_open, 1, 1))
# A second probe that is still running when the first one fails, and ends when the circuit is half-open again.
late_end = st.tuples(
    just("settle"), just("main"), replicas, st.integers(1, 2), st.one_of(good, bad), throttles, jitters, took
)
late = _sequence(
    _some(ask, 2, 2), _some(_end(bad), 1, 1), _some(after_open, 1, 1), _some(ask, 1, 2), _some(late_end, 1, 2)
)
# The exact moment at which a lease expires, and the moments before and after.
edge = _sequence(_some(ask, 1, 2), _some(deadline, 1, 1), _some(st.one_of(_end(good), ask), 1, 2))
messy = _some(st.one_of(ask, ask, lease, settle, moment), 2, 6)
outage = _sequence(
    opens, st.one_of(won, lost, late, messy), st.one_of(won, lost, edge, messy), st.one_of(won, edge), won
)
overridden = _sequence(
    _some(override, 1, 1), _some(st.one_of(report, failure, asked), 1, 3), _some(deadline, 1, 1), _some(anything, 1, 2)
)
ordered = _sequence(
    _some(order, 1, 1), _some(st.one_of(report, order), 0, 1), _some(deadline, 1, 1),
    _some(st.one_of(order_ends, anything), 1, 2),
)  # fmt: skip
order_lost = _sequence(
    _some(order, 1, 2), _some(st.sampled_from([("forget",), ("fall_back",)]), 1, 1), _some(restore, 1, 2)
)
loss = _sequence(
    _some(st.sampled_from([("forget",), ("fall_back",), ("fall_back",)]), 1, 1),
    _some(anything, 0, 2),
    _some(restore, 1, 2),
)
# Two transitions in one millisecond, of which the ledger lost the first: they have the same epoch.
override_step = st.tuples(
    just("override"), policies, st.sampled_from(OverrideMode), replicas, st.sampled_from([None, 300])
)
settled = _some(_end(st.one_of(just(Outcome.OK), just(Outcome.FAILED))), 1, 1)
step = st.one_of(_some(override_step, 1, 1), _some(breaks, 1, 3), settled, settled)
tie = _sequence(
    just([("copy",)]), step, just([("fall_back",), ("read", "main")]), step,
    _some(st.tuples(just("restore_lost"), policies, replicas), 1, 1), _some(restore, 0, 2),
)  # fmt: skip
tied = _sequence(st.one_of(just([("override", "main", None, "a", None)]), _sequence(opens, _some(ask, 1, 1))), tie)
# Many successes, so that the window stays below the threshold, then a streak of failures or slow calls.
well = _report(st.builds(Counts, st.integers(30, 90), st.integers(0, 2)), just(0))
failing = _report(st.builds(Counts, st.integers(0, 2), st.integers(0, 9)), overdue)
slowly = _report(st.builds(Counts, st.integers(3, 9), just(0), st.integers(3, 9)), just(0))
pause = st.tuples(just("advance"), st.sampled_from([1, 30, 60, 100]))
streaks = _sequence(
    just([("override", "main", None, "a", None)]), _some(well, 1, 2),
    st.one_of(_some(st.one_of(failing, failing, pause), 6, 14), _some(st.one_of(slowly, slowly, pause), 6, 14)),
)  # fmt: skip
copied = _sequence(_some(just(("copy",)), 1, 1), _some(failure, 0, 1))
histories = st.tuples(
    st.permutations(list(POLICIES)),
    st.lists(
        st.one_of(
            traffic,
            outage,
            outage,
            streaks,
            streaks,
            overridden,
            ordered,
            order_lost,
            loss,
            copied,
            tied,
            _some(anything, 1, 3),
        ),
        min_size=3,
        max_size=8,
    ),
).map(lambda drawn: (drawn[0][:2], [step for part in drawn[1] for step in part]))


class History:
    """Takes one history to several ledgers, step by step, and demands one answer. The first is a MemoryLedger."""

    def __init__(self, policies: list[str], memory: MemoryBench, *others: Bench) -> None:
        self.memory, self.benches = memory, (memory, *others)
        self.policies = {"main": POLICIES[policies[0]], "other": POLICIES[policies[1]]}
        self.seen: list[Snapshot] = [Snapshot(0)]
        self.lost = self.seen[0]
        self.tokens: list[str] = []
        self.numbers: dict[str, int] = {}
        self.sent: dict[tuple[str, int], Batch] = {}

    async def take(self, step: Step) -> None:
        verb, *args = step
        if verb in ("advance", "until", "after_open", "forget", "copy", "fall_back"):
            return await self._move(verb, *args)
        call = getattr(self, verb)(self.policies[args[0]], *args[1:])
        replies = [await call(bench) for bench in self.benches]
        assert all(reply == replies[0] for reply in replies), f"{step}\n" + "\n".join(map(str, replies))
        if verb == "lease" and replies[0].granted:
            self.tokens.append(f"t{len(self.tokens)}:x")
        self.seen.append(replies[0].snapshot)
        return None

    async def _move(self, verb: str, *args: int) -> None:
        if verb == "until":
            verb, args = "advance", (self._ms_until(*args),)
        if verb == "after_open":
            open_ms = self.memory.memory.circuit(NAME).open_until_ms - self.memory.now_ms
            verb, args = "advance", (max(0, open_ms + args[0]),)
        if verb == "fall_back":
            self.lost = self.seen[-1]
        for bench in self.benches:
            await getattr(bench, verb)(*args)

    def _ms_until(self, which: int, offset: int) -> int:
        """Until one of the next moments at which something ends, or just before or after it."""
        now, circuit = self.memory.now_ms, self.memory.memory.circuit(NAME)
        ends = sorted({end for end in self._ends(circuit) if end > now}) or [now + 100]
        return max(0, ends[min(which, len(ends) - 1)] + offset - now)

    def _ends(self, circuit: Circuit) -> list[int]:
        main = self.policies["main"]
        held = [lease.until_ms for lease in circuit.leases.values()]
        buckets = [number * width + main.window_ms * times for width, number in circuit.window for times in (1, 2)]
        override_end = [circuit.override.until_ms or 0] if circuit.override else []
        own = [circuit.open_until_ms, circuit.changed_at_ms + main.window_ms, circuit.lost_at_ms + 2 * main.lease_ms]
        return [*held, *buckets, *override_end, *own, *circuit.voters.values(), circuit.would_open_at_ms]

    def _epoch(self, which: str) -> int:
        now, before = self.seen[-1].epoch, self.seen[max(-2, -len(self.seen))].epoch
        return {"now": now, "before": before, "zero": 0, "ahead": now + 5}[which]

    def record(
        self, policy: Any, replica: str, step: int, tallies: Any, failing: bool, asked_ms: int, asked_in: str,
        asked_ago: int, jitter: float,
    ) -> Callable[[Bench], Any]:  # fmt: skip
        self.numbers[replica] = max(1, self.numbers.get(replica, 0) + step)
        now = self.memory.now_ms
        batch = Batch(
            replica,
            self.numbers[replica],
            tuple(Tally(self._epoch(epoch), now - age, some, late) for epoch, age, some, late in tallies),
            failing,
            asked_ms,
            self._epoch(asked_in),
            now - asked_ago,
        )
        # A number that was used before names the batch that it named then: a repetition says the same thing again.
        batch = self.sent.setdefault((replica, batch.number), batch)
        return lambda bench: bench.ledger.record(NAME, policy, batch, jitter)

    def lease(self, policy: Any, replica: str, known: str) -> Callable[[Bench], Any]:
        token, epoch = f"t{len(self.tokens)}:x", self._epoch(known)
        return lambda bench: bench.ledger.lease(NAME, policy, replica, epoch, token)

    def settle(
        self, policy: Any, replica: str, which: int, outcome: Outcome, asked_ms: int, jitter: float, took_ms: int
    ) -> Callable[[Bench], Any]:
        token = self.tokens[-1 - which] if which < len(self.tokens) else "foreign"
        return lambda bench: bench.ledger.settle(NAME, policy, replica, token, outcome, asked_ms, jitter, took_ms)

    def override(self, policy: Any, mode: OverrideMode | None, by: str, for_ms: int | None) -> Callable[[Bench], Any]:
        return lambda bench: bench.ledger.override(NAME, policy, mode, "a reason: ü", by, for_ms)

    def order(self, policy: Any, mode: OverrideMode | None, by: str, for_ms: int | None) -> Callable[[Bench], Any]:
        return lambda bench: bench.ledger.order(NAME, policy, mode, "a reason: ü", by, for_ms)

    def expire_order(self, policy: Any) -> Callable[[Bench], Any]:
        return lambda bench: bench.ledger.expire_order(NAME, policy)

    def restore(self, policy: Any, replica: str, which: int) -> Callable[[Bench], Any]:
        return self._restore(policy, replica, self.seen[max(0, len(self.seen) - 1 - which)])

    def restore_lost(self, policy: Any, replica: str) -> Callable[[Bench], Any]:
        """What was last heard before the ledger fell back."""
        return self._restore(policy, replica, self.lost)

    @staticmethod
    def _restore(policy: Any, replica: str, received: Snapshot) -> Callable[[Bench], Any]:
        point = received.restore_point()
        return lambda bench: bench.ledger.restore(NAME, policy, replica, point)

    def read(self, policy: Any) -> Callable[[Bench], Any]:
        async def call(bench: Bench) -> Reply:
            return (await bench.ledger.read({NAME: policy}))[NAME]

        return call

    async def event_streams(self) -> list[list[Any]]:
        """The entries of each ledger's event stream, without ids, which differ by store."""
        return [[replace(e, id="") for e in await bench.ledger.events(NAME, limit=1000)] for bench in self.benches]
