"""The law stands twice, in Python and in Lua. This holds the two together: any history, the same circuits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.ledger.ledger import Reply
from ha_rag.messages import Outcome
from tests.ledger.bench import Bench, MemoryBench, RedisBench, terms

# Two policies that a rolling deploy could have side by side.
OLD = terms()
NEW = terms(
    window_ms=2000, bucket_ms=200, slow_threshold=0.6, quorum=2, backoff=1.5, probes=2, probe_successes=3, lease_ms=450
)
POLICIES = {"old": OLD, "new": NEW, "fine": replace(OLD, bucket_ms=50, probe_successes=1, slow_threshold=0.5)}
NAME = "embedder.primary"

replicas = st.sampled_from(["a", "b", "c"])
policies = st.sampled_from(list(POLICIES))
epochs = st.sampled_from(["now", "now", "now", "before", "zero", "ahead"])
jitters = st.sampled_from([0.0, 0.25, 0.999])
rests = st.sampled_from([0, 0, 0, 1, 700, 9000])
ages = st.sampled_from([-500, 0, 0, 1, 99, 100, 101, 900, 999, 1000, 1001, 2500])
counts = st.builds(Counts, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))

steps = st.one_of(
    st.tuples(
        st.just("advance"),
        st.sampled_from([1, 37, 99, 100, 101, 299, 300, 301, 499, 500, 501, 999, 1000, 1001, 7013]),
    ),
    st.tuples(
        st.just("record"), policies, replicas, st.sampled_from([1, 1, 1, 1, 0, -1, 100]),
        st.lists(st.tuples(epochs, ages, counts), max_size=3), st.booleans(), rests, epochs, ages, jitters,
    ),
    st.tuples(st.just("lease"), policies, replicas, st.sampled_from(["now", "now", "now", "zero", "ahead"])),
    st.tuples(
        st.just("settle"), policies, replicas, st.integers(0, 3),
        st.sampled_from([o for o in Outcome if o not in (Outcome.REJECTED, Outcome.SKIPPED)]), rests, jitters,
    ),
    st.tuples(
        st.just("override"), policies, st.sampled_from([*OverrideMode, None]), replicas,
        st.sampled_from([None, 1, 300, 1000]),
    ),
    st.tuples(st.just("teach"), policies, replicas, st.integers(0, 9)),
    st.tuples(st.just("forget")),
    st.tuples(st.just("read"), policies),
)  # fmt: skip

# Histories in which something happens: an outage, its rest and probes, with any other steps in between.
failure = st.tuples(
    st.just("record"), policies, replicas, st.just(1), st.just([("now", 0, Counts(0, 3, 0))]), st.just(True),
    st.just(0), st.just("zero"), st.just(0), jitters,
)  # fmt: skip
rest = st.tuples(st.just("advance"), st.sampled_from([500, 501, 1100, 4400]))
good = st.sampled_from([Outcome.OK, Outcome.OK, Outcome.INVALID, Outcome.SLOW])
ends = st.one_of(good, st.sampled_from([Outcome.FAILED, Outcome.TIMEOUT, Outcome.THROTTLED, Outcome.CANCELLED]))
probe = st.tuples(
    st.tuples(st.just("lease"), policies, replicas, st.just("now")),
    st.tuples(st.just("settle"), policies, replicas, st.just(0), ends, rests, jitters),
)
outage = st.tuples(failure, st.tuples(rest), st.lists(probe, min_size=1, max_size=4)).map(
    lambda o: [o[0], *o[1], *[step for both in o[2] for step in both]]
)
# A loss of memory, and the first replica to teach; an operator's word, and the first verb after its end.
lesson = st.tuples(st.just("teach"), policies, replicas, st.integers(1, 5))
loss = st.tuples(st.tuples(st.just("forget")), steps, lesson)
word = st.tuples(
    st.tuples(
        st.just("override"), policies, st.sampled_from(list(OverrideMode)), replicas, st.sampled_from([300, 1000])
    ),
    failure,
    st.tuples(st.just("advance"), st.sampled_from([299, 300, 1001])),
    steps,
)
parts = st.one_of(outage, loss.map(list), word.map(list), steps.map(lambda step: [step]))
histories = st.lists(parts, min_size=3, max_size=12).map(lambda parts: [step for part in parts for step in part])


class History:
    """Takes one history to both ledgers, step by step."""

    def __init__(self, *benches: Bench) -> None:
        self.benches = benches
        self.seen: list[Snapshot] = [Snapshot(0)]
        self.tokens = ["never-granted"]
        self.numbers: dict[str, int] = {}

    async def take(self, step: tuple[Any, ...]) -> None:
        verb, *args = step
        if verb in ("advance", "forget"):
            for bench in self.benches:
                await getattr(bench, verb)(*args)
            return
        call = getattr(self, verb)(POLICIES[args[0]], *args[1:])
        replies = [await call(bench) for bench in self.benches]
        assert all(reply == replies[0] for reply in replies), f"{step}\n{replies}"
        self.seen.append(replies[0].snapshot)

    def _epoch(self, which: str) -> int:
        now, before = self.seen[-1].epoch, self.seen[max(-2, -len(self.seen))].epoch
        return {"now": now, "before": before, "zero": 0, "ahead": now + 5}[which]

    def record(self, policy, replica, step, tallies, failing, asked, asked_in, asked_ago, jitter):
        self.numbers[replica] = max(1, self.numbers.get(replica, 0) + step)
        now = self.benches[0].now_ms
        batch = Batch(
            replica,
            self.numbers[replica],
            tuple(Tally(self._epoch(epoch), now - age, some) for epoch, age, some in tallies),
            failing,
            asked,
            self._epoch(asked_in),
            now - asked_ago if asked_ago else 0,
        )
        return lambda bench: bench.ledger.record(NAME, policy, batch, jitter)

    def lease(self, policy, replica, known):
        token = f"t{len(self.tokens)}:x"
        self.tokens.append(token)
        return lambda bench: bench.ledger.lease(NAME, policy, replica, self._epoch(known), token)

    def settle(self, policy, replica, which, outcome, asked, jitter):
        token = self.tokens[-1 - which] if which < len(self.tokens) else "foreign"
        return lambda bench: bench.ledger.settle(NAME, policy, replica, token, outcome, asked, jitter)

    def override(self, policy, mode, by, for_ms):
        return lambda bench: bench.ledger.override(NAME, policy, mode, "a reason: ü", by, for_ms)

    def teach(self, policy, replica, which):
        belief = self.seen[max(0, len(self.seen) - 1 - which)].belief()
        return lambda bench: bench.ledger.teach(NAME, policy, replica, belief)

    def read(self, policy):
        async def call(bench: Bench) -> Reply:
            return (await bench.ledger.read({NAME: policy}))[NAME]

        return call

    async def told(self) -> list[list[Any]]:
        return [[replace(e, id="") for e in await bench.ledger.events(NAME, limit=1000)] for bench in self.benches]


async def both_agree(bench: RedisBench, history: list[tuple[Any, ...]]) -> None:
    await bench.start()
    run = History(MemoryBench(), bench)
    for step in history:
        await run.take(step)
    in_memory, in_redis = await run.told()
    assert in_memory == in_redis


@pytest.mark.real_redis
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories)
async def test_memory_and_a_real_redis_agree_on_any_history(client_of: Callable[[str], Any], history: Any) -> None:
    client = client_of("redis RESP2")
    try:
        await both_agree(RedisBench(client), history)
    finally:
        await client.aclose()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories)
async def test_memory_and_fakeredis_agree_on_any_history(client_of: Callable[[str], Any], history: Any) -> None:
    await both_agree(RedisBench(client_of("fakeredis")), history)
