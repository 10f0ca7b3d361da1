"""How circuit changes reach a replica: pushed, and polled in case a message is lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock
from ha_rag.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError, ShardUnavailableError
from ha_rag.events import CircuitChanged, Event
from ha_rag.ledger.store.ledger import Change, ChangeLog
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.denied_permissions import SUBSCRIBING
from ha_rag.ledger.sync.pace import READS_PER_S, RETRY_S, Pace
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.sync.subscription import Subscription
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views
from tests.strategy.virtual_time import LoopClock, in_virtual_time

POLICY = CircuitPolicy(recovery_timeout_s=5.0)


class ScriptedLedger(MemoryLedger):
    """Answers each read with `words`, and pushes `pushed` to subscribers; or raises `error`.

    `silent`: circuits whose shard does not answer.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.snapshots: dict[str, Snapshot] = {}
        self.pushed: list[Change | None] = []
        self.reads: list[tuple[float, tuple[str, ...]]] = []
        self.error: LedgerError | None = None
        self.unanswered = ""

    @property
    def asked(self) -> list[tuple[str, ...]]:
        return [names for _, names in self.reads]

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        self.reads.append((asyncio.get_running_loop().time(), tuple(circuits)))
        if self.error is not None:
            raise self.error
        return {name: Reply(self.snapshots.get(name, Snapshot(1))) for name in circuits if name not in self.unanswered}

    async def changes(self) -> AsyncIterator[Change | None]:
        if self.error is not None:
            raise self.error
        for change in self.pushed:
            yield change


class SubscribedReplica:
    """One replica's subscription to circuits `a` and `b`; `disk` is of scope replica."""

    def __init__(self) -> None:
        clock = LoopClock()
        self.events: list[Event] = []
        self.ledger, self.background, views = ScriptedLedger(clock), BackgroundTasks(), Views()
        self.a, self.b = (View(name, POLICY, replica="r1", clock=clock) for name in "ab")
        self.disk = View("disk", POLICY, replica="r1", clock=clock, scope="replica")
        for view in (self.a, self.b, self.disk):
            views.add(view)
        self.session = LedgerSession(
            self.ledger, "r1", clock, views=views, sinks=[self.events.append], restore=lambda view: None
        )
        self.background.open()
        self.subscription = Subscription(self.session, self.background, views)

    async def listen(self) -> None:
        with pytest.raises(LedgerUnavailableError, match="subscription to changes ended"):
            await self.subscription.listen()

    async def intervals(self, polls: int = 50) -> list[float]:
        began_s = asyncio.get_running_loop().time()
        self.ledger.reads.clear()
        for _ in range(polls):
            await self.subscription.poll()
        times = [began_s, *(at_s for at_s, _ in self.ledger.reads)]
        return [after - before for before, after in itertools.pairwise(times)]


def opened(epoch: int) -> Snapshot:
    return Snapshot(1, CircuitState.OPEN, epoch, left_ms=5000)


def test_polls_are_sent_at_the_interval_plus_or_minus_ten_percent() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.session.on_available(1)
        replica.session.pace = Pace(replicas=1000)
        waits = await replica.intervals()
        assert all(1.8 <= wait <= 2.2 for wait in waits)
        assert max(waits) - min(waits) > 0.2

    in_virtual_time(scenario)


def test_an_unreachable_ledger_is_polled_more_often() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.ledger.error = LedgerUnavailableError("nobody answers")
        waits = await replica.intervals()
        assert all(RETRY_S[0] <= wait <= RETRY_S[1] for wait in waits)
        assert max(waits) > 2 * min(waits)

    in_virtual_time(scenario)


@pytest.mark.parametrize("replicas", [200, 1000, 3000])
def test_a_large_fleet_polls_an_unreachable_ledger_within_the_fleets_limit(replicas: int) -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.session.pace = Pace(replicas)
        replica.ledger.error = LedgerUnavailableError("too slow")
        waits = await replica.intervals(400)
        assert replicas * len(waits) / sum(waits) <= 1.1 * READS_PER_S
        assert max(waits) <= 1.5 * max(1, replicas / READS_PER_S)

    in_virtual_time(scenario)


def test_every_circuit_in_use_is_read_in_one_command_also_for_orders_over_the_replicas_own() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        await replica.subscription.read_all()
        await replica.subscription.read_one(replica.b)
        assert replica.ledger.asked == [("a", "b", "disk"), ("b",)]

    in_virtual_time(scenario)


def test_the_result_of_a_read_is_applied() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.ledger.snapshots = {"b": opened(7)}
        await replica.subscription.read_all()
        assert (replica.a.fleet.epoch, replica.b.fleet.epoch) == (0, 7)
        assert replica.session.link.up

    in_virtual_time(scenario)


def test_an_unanswered_read_counts_as_a_failure_of_the_ledger() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.ledger.error = LedgerUnavailableError("nobody answers")
        await replica.subscription.read_all()
        assert (replica.session.link.up, replica.session.link.reason) == (False, "nobody answers")

    in_virtual_time(scenario)


def test_a_circuit_whose_shard_does_not_answer_is_unreachable_alone_until_it_answers() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        await replica.subscription.read_all()
        away = []
        for replica.ledger.unanswered in ("b", "b", ""):
            await replica.subscription.read_all()
            away.append((replica.a.ledger_unreachable, replica.b.ledger_unreachable))
        assert away == [(False, False), (False, True), (False, False)]
        replica.ledger.error = ShardUnavailableError("no route")
        for _ in range(2):
            await replica.subscription.read_one(replica.b)
        assert (replica.a.ledger_unreachable, replica.b.ledger_unreachable, replica.session.link.up) == (
            False,
            True,
            True,
        )

    in_virtual_time(scenario)


def test_after_subscribing_all_circuits_are_read_once() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.ledger.pushed = [None]
        await replica.listen()
        assert replica.ledger.asked == [("a", "b", "disk")]

    in_virtual_time(scenario)


def test_a_pushed_change_is_applied_and_published_and_unknown_circuits_are_ignored() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        await replica.subscription.read_all()
        replica.ledger.pushed = [Change("b", 0, opened(7)), Change("z", 0, opened(8))]
        await replica.listen()
        assert replica.b.fleet.epoch == 7
        assert [e.circuit for e in replica.events if isinstance(e, CircuitChanged)] == ["b"]
        assert replica.ledger.asked == [("a", "b", "disk")]

    in_virtual_time(scenario)


def test_a_pushed_change_after_a_gap_causes_a_read_at_once() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.ledger.snapshots = {"b": opened(9)}
        replica.ledger.pushed = [Change("b", 5, opened(9))]
        await replica.listen()
        while len(replica.background):
            await asyncio.sleep(0)
        assert replica.ledger.asked == [("b",)]

    in_virtual_time(scenario)


def test_what_a_message_says_of_probes_is_read_by_the_next_poll() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.ledger.snapshots = {"b": opened(7)}
        await replica.subscription.begin()
        replica.ledger.pushed = [Change("b", 7, opened(7))]
        await replica.listen()
        assert list(replica.subscription._hinted) == [replica.b]
        assert replica.b in replica.subscription._to_read(ChangeLog("1-0", complete=True), was_up=True)
        assert not replica.subscription._hinted

    in_virtual_time(scenario)


def test_a_missing_subscribe_permission_is_reported_until_it_is_granted() -> None:
    async def scenario() -> None:
        replica = SubscribedReplica()
        replica.ledger.error = LedgerRefusedError("NOPERM no SUBSCRIBE")
        with pytest.raises(LedgerRefusedError):
            await replica.subscription.listen()
        assert list(replica.session.denied_permissions.current) == [SUBSCRIBING]
        replica.ledger.error = None
        await replica.subscription._receive(None)  # now subscribed
        assert not replica.session.denied_permissions.current

    in_virtual_time(scenario)


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (ShardUnavailableError("no route to the node"), "silent: no route to the node"),
        (LedgerUnavailableError("nobody answers"), "lost: nobody answers"),
    ],
)
async def test_the_reason_why_a_circuit_could_not_be_read_is_reported(
    error: LedgerError, reported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica, received = SubscribedReplica(), list[str]()
    monkeypatch.setattr(
        replica.session, "on_shard_unavailable", lambda view, reason: received.append(f"silent: {reason}")
    )
    monkeypatch.setattr(replica.session, "on_unavailable", lambda error: received.append(f"lost: {error}"))
    replica.ledger.error = error
    await replica.subscription.read_one(replica.a)
    assert received == [reported]
