"""The scripts of 0.1.0 and of this version work on the same circuits in Redis, in any order."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import Circuit, CircuitState, Counts, Lease, OverrideMode
from ha_rag.circuit.terms import FIELDS_OF_0_1_0, Terms
from ha_rag.ledger.store import codec
from ha_rag.ledger.store.ledger import Ledger
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.scripts import LuaScript
from ha_rag.outcomes import Outcome
from tests.depth import deep
from tests.ledger.bench import FROZEN_CLOCK, RedisBench, terms
from tests.ledger.histories import NAME, History, Step, histories
from tests.version_0_1_0 import Version010

OLD_VERBS = {
    "record": "record",
    "lease": "lease",
    "settle": "settle",
    "override": "override",
    "restore": "teach",
    "read": "read",
}
"""This version's name of a verb -> the name of 0.1.0."""

OLD_TEXTS = """
import pathlib
from ha_rag.ledger.scripts import scripts
print(json.dumps({verb: script.text for verb, script in scripts(given[0]).items()}))
"""


class OldLedger(RedisLedger):
    """Runs the scripts of 0.1.0 with the arguments that 0.1.0 gives them. `texts`: verb of 0.1.0 -> its script."""

    def __init__(self, client: Any, namespace: str, texts: dict[str, str]) -> None:
        super().__init__(client, namespace, clock=FROZEN_CLOCK)
        self._scripts._scripts = {
            verb: LuaScript(texts[old], hashlib.sha1(texts[old].encode(), usedforsecurity=False).hexdigest())
            for verb, old in OLD_VERBS.items()
        }

    async def _verb(self, verb: str, circuit: str, terms: Terms, *args: Any) -> Reply:
        if verb == "settle":
            args = args[:-1]  # how long the probe took
        if verb == "record":
            args = args[:7] + tuple(item for n, item in enumerate(args[7:]) if n % 6 != 5)  # overdue calls
        old_terms = terms.wire()[:FIELDS_OF_0_1_0]
        return codec.reply(await self._run(verb, self._keys.circuit(circuit), [*old_terms, *args]))

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        replies = {}
        for name, policy in circuits.items():
            answers = await self._run("read", self._keys.circuit(name), policy.wire()[:FIELDS_OF_0_1_0])
            replies[name] = codec.reply(answers[0])
        return replies


class MixedBench(RedisBench):
    """One Redis with a ledger of each version. `old_turns`: whose turn it is, verb by verb."""

    def __init__(self, client: Any, texts: dict[str, str], old_turns: Iterator[bool]) -> None:
        super().__init__(client)
        self.new, self.old = self.ledger, OldLedger(client, self.namespace, texts)
        self._old_turns = old_turns
        self.last = Snapshot(0)

    def take_turns(self) -> None:
        """The next verb is for the other ledger, or the same."""
        self.ledger = self.old if next(self._old_turns) else self.new

    async def read_by_both(self, policy: Terms) -> tuple[Snapshot, Snapshot]:
        """The circuit as either version reads it now."""
        old, new = [(await ledger.read({NAME: policy}))[NAME].snapshot for ledger in (self.old, self.new)]
        return old, new

    @property
    def memory(self) -> MixedBench:
        """For `History`, which looks up here when something is due to end."""
        return self

    def circuit(self, _: str) -> Circuit:
        """What is known of the circuit from its last snapshot."""
        last = self.last
        standing = {"a probe": Lease(last.now_ms + last.slot_wait_ms, last.epoch)} if last.slot_wait_ms else {}
        return Circuit(
            state=last.state, epoch=last.epoch, changed_at_ms=last.changed_at_ms, leases=standing,
            open_until_ms=last.now_ms + last.left_ms, override=last.override,
        )  # fmt: skip


class MixedHistory(History):
    """Takes a history to one Redis, verb by verb with the scripts of one version or the other."""

    def __init__(self, policies: list[str], bench: MixedBench) -> None:
        super().__init__(policies, bench)  # type: ignore[arg-type]  # stands in for the ledger in memory
        self.bench = bench

    async def take(self, step: Step) -> None:
        self.bench.take_turns()
        if step[0] in ("order", "expire_order"):  # unknown to 0.1.0, which reads the result
            self.bench.ledger = self.bench.new
        await super().take(step)
        old, new = await self.bench.read_by_both(self.policies["main"])
        assert old == new
        self.bench.last = new


@pytest.fixture(scope="session")
def old_texts(version_0_1_0: Version010) -> dict[str, str]:
    """Verb -> its script, as 0.1.0 puts it together."""
    texts: dict[str, str] = version_0_1_0.run(OLD_TEXTS, FROZEN_CLOCK)
    return texts


@pytest.fixture
async def mixed(client_of: Callable[[str], Any], old_texts: dict[str, str]) -> AsyncIterator[MixedBench]:
    """A bench on which tests choose the ledger themselves."""
    made = MixedBench(client_of("fakeredis"), old_texts, itertools.repeat(False))
    await made.start()
    yield made
    await made.new.aclose()


@pytest.mark.real_redis
@deep(60)
@given(drawn=histories, turns=st.randoms(use_true_random=False))
async def test_both_versions_read_the_same_after_any_history_that_both_have_written(
    client_of: Callable[[str], Any], old_texts: dict[str, str], drawn: Any, turns: Any
) -> None:
    policies, steps = drawn
    bench = MixedBench(client_of("redis RESP2"), old_texts, (turns.random() < 0.5 for _ in itertools.count()))
    try:
        await bench.start()
        run = MixedHistory(policies, bench)
        for step in steps:
            await run.take(step)
    finally:
        await bench.new.aclose()


POLICY = terms(blip_ms=300)
STREAKS = terms(blip_ms=0)


async def fail(bench: MixedBench, ledger: Ledger, number: int, times: int, policy: Terms) -> CircuitState:
    """Reports failures; the state after that."""
    epoch = (await bench.read_by_both(policy))[1].epoch
    batch = Batch("a", number, (Tally(epoch, bench.now_ms, Counts(0, times)),))
    return (await ledger.record(NAME, policy, batch, 0.0)).snapshot.state


async def be_well(bench: MixedBench, ledger: Ledger, number: int = 1) -> None:
    """Reports so many successes that only a streak can open the circuit."""
    epoch = (await bench.read_by_both(STREAKS))[1].epoch
    replica = "old" if ledger is bench.old else "new"
    await ledger.record(NAME, STREAKS, Batch(replica, number, (Tally(epoch, bench.now_ms, Counts(200)),)), 0.0)


async def test_a_streak_ends_where_the_old_version_changes_the_circuit(mixed: MixedBench) -> None:
    await be_well(mixed, mixed.new)
    assert await fail(mixed, mixed.new, 1, 13, STREAKS) == "closed"
    await mixed.old.override(NAME, STREAKS, OverrideMode.SHADOW, "why", "kim", None)
    await mixed.old.override(NAME, STREAKS, None, "why", "kim", None)
    await be_well(mixed, mixed.new)
    assert await fail(mixed, mixed.new, 1, 13, STREAKS) == "closed"
    assert await fail(mixed, mixed.new, 2, 1, STREAKS) == "open"


async def test_no_streak_opens_the_circuit_while_the_old_version_reports_calls(mixed: MixedBench) -> None:
    """Its successes are in no streak, so that one replica's failures would look like those of the whole fleet."""
    for number in range(1, 41):
        await be_well(mixed, mixed.old, number)
        assert await fail(mixed, mixed.new, number, 2, STREAKS) == "closed"
        await mixed.advance(50)


async def test_streaks_open_the_circuit_once_the_old_version_has_reported_nothing_for_a_window(
    mixed: MixedBench,
) -> None:
    await be_well(mixed, mixed.old)
    await mixed.advance(STREAKS.window_ms - 1)
    await be_well(mixed, mixed.new)
    assert await fail(mixed, mixed.new, 1, 20, STREAKS) == "closed"
    await mixed.advance(1)
    assert await fail(mixed, mixed.new, 2, 1, STREAKS) == "open"


async def test_either_version_takes_a_batch_that_the_other_counted_for_a_repetition(mixed: MixedBench) -> None:
    for number, (first, second) in enumerate([(mixed.new, mixed.old), (mixed.old, mixed.new)], 1):
        assert await fail(mixed, first, number, 1, POLICY) == "closed"
        assert await fail(mixed, second, number, 1, POLICY) == "closed"
    assert (await mixed.read_by_both(POLICY))[1].counts.failed == 2


@pytest.mark.parametrize("sweeper", ["old", "new"])
async def test_either_version_forgets_the_batches_of_the_gone(mixed: MixedBench, sweeper: str) -> None:
    await mixed.new.record(NAME, POLICY, Batch("gone-new", 1), 0.0)
    await mixed.old.record(NAME, POLICY, Batch("gone-old", 1), 0.0)
    await mixed.advance(1999)
    await mixed.new.record(NAME, POLICY, Batch("living", 99), 0.0)
    await mixed.advance(1)
    await getattr(mixed, sweeper).record(NAME, POLICY, Batch("living", 100), 0.0)
    assert await mixed.client.hkeys(f"{mixed.namespace}:{{{NAME}}}:batches") == ["living"]


async def recover(bench: MixedBench, *probers: Ledger) -> None:
    """Opens the circuit, and lets these ledgers' replicas probe in turn, which closes it."""
    assert await fail(bench, bench.old, 90, 3, POLICY) == "open"
    await bench.advance((await bench.read_by_both(POLICY))[1].left_ms)
    for number, ledger in enumerate(probers):
        known = (await bench.read_by_both(POLICY))[1].epoch
        token = f"{known}-{number}"
        assert (await ledger.lease(NAME, POLICY, "a", known, token)).granted
        reply = await ledger.settle(NAME, POLICY, "a", token, Outcome.OK, 0, 0.0, 200)
    assert reply.snapshot.state == "closed"


async def test_a_circuit_that_the_new_version_closed_opens_at_once_only_for_the_old_one(mixed: MixedBench) -> None:
    """Half of the probes were the old version's, which tells nobody how long they took."""
    await recover(mixed, mixed.old, mixed.new)
    assert await fail(mixed, mixed.new, 1, 3, POLICY) == "closed"
    assert await fail(mixed, mixed.old, 2, 1, POLICY) == "open"


async def test_the_new_version_opens_it_when_its_wait_is_over(mixed: MixedBench) -> None:
    await recover(mixed, mixed.new, mixed.new)
    await mixed.advance(399)  # twice the slowest probe
    assert await fail(mixed, mixed.new, 1, 3, POLICY) == "closed"
    await mixed.advance(1)
    assert await fail(mixed, mixed.new, 2, 1, POLICY) == "open"


async def test_the_wait_of_an_earlier_recovery_is_void_after_one_by_the_old_version(mixed: MixedBench) -> None:
    await recover(mixed, mixed.new, mixed.new)
    await recover(mixed, mixed.new, mixed.old)
    assert await fail(mixed, mixed.new, 1, 3, POLICY) == "open"
