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
from ha_rag.ledger.store.ledger import Change
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


class Oracle(MemoryLedger):
    """Answers each read with `words`, and pushes `pushed` to subscribers; or raises `error`.

    `silent`: circuits whose shard does not answer.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.words: dict[str, Snapshot] = {}
        self.pushed: list[Change | None] = []
        self.looks: list[tuple[float, tuple[str, ...]]] = []
        self.error: LedgerError | None = None
        self.silent = ""

    @property
    def asked(self) -> list[tuple[str, ...]]:
        return [names for _, names in self.looks]

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        self.looks.append((asyncio.get_running_loop().time(), tuple(circuits)))
        if self.error is not None:
            raise self.error
        return {name: Reply(self.words.get(name, Snapshot(1))) for name in circuits if name not in self.silent}

    async def changes(self) -> AsyncIterator[Change | None]:
        if self.error is not None:
            raise self.error
        for change in self.pushed:
            yield change


class Post:
    """One replica's subscription to circuits `a` and `b`; `disk` is of scope replica."""

    def __init__(self) -> None:
        clock = LoopClock()
        self.events: list[Event] = []
        self.ledger, self.background, views = Oracle(clock), BackgroundTasks(), Views()
        self.a, self.b = (View(name, POLICY, replica="r1", clock=clock) for name in "ab")
        self.disk = View("disk", POLICY, replica="r1", clock=clock, scope="replica")
        for view in (self.a, self.b, self.disk):
            views.add(view)
        self.session = LedgerSession(
            self.ledger, "r1", clock, views=views, sinks=[self.events.append], restore=lambda view: None
        )
        self.background.open()
        self.watching = Subscription(self.session, self.background, views)

    async def listen(self) -> None:
        with pytest.raises(LedgerUnavailableError, match="subscription to changes ended"):
            await self.watching.listen()

    async def intervals(self, polls: int = 50) -> list[float]:
        began_s = asyncio.get_running_loop().time()
        self.ledger.looks.clear()
        for _ in range(polls):
            await self.watching.poll()
        times = [began_s, *(at_s for at_s, _ in self.ledger.looks)]
        return [after - before for before, after in itertools.pairwise(times)]


def opened(epoch: int) -> Snapshot:
    return Snapshot(1, CircuitState.OPEN, epoch, left_ms=5000)


def test_polls_are_sent_at_the_interval_plus_or_minus_ten_percent() -> None:
    async def scenario() -> None:
        post = Post()
        post.session.on_available(1)
        post.session.pace = Pace(replicas=1000)
        waits = await post.intervals()
        assert all(1.8 <= wait <= 2.2 for wait in waits)
        assert max(waits) - min(waits) > 0.2

    in_virtual_time(scenario)


def test_an_unreachable_ledger_is_polled_more_often() -> None:
    async def scenario() -> None:
        post = Post()
        post.ledger.error = LedgerUnavailableError("nobody answers")
        waits = await post.intervals()
        assert all(RETRY_S[0] <= wait <= RETRY_S[1] for wait in waits)
        assert max(waits) > 2 * min(waits)

    in_virtual_time(scenario)


@pytest.mark.parametrize("replicas", [200, 1000, 3000])
def test_a_large_fleet_polls_an_unreachable_ledger_within_the_fleets_limit(replicas: int) -> None:
    async def scenario() -> None:
        post = Post()
        post.session.pace = Pace(replicas)
        post.ledger.error = LedgerUnavailableError("too slow")
        waits = await post.intervals(400)
        assert replicas * len(waits) / sum(waits) <= 1.1 * READS_PER_S
        assert max(waits) <= 1.5 * max(1, replicas / READS_PER_S)

    in_virtual_time(scenario)


def test_every_shared_circuit_is_read_in_one_command_and_no_other() -> None:
    async def scenario() -> None:
        post = Post()
        await post.watching.read_all()
        await post.watching.read_one(post.disk)
        await post.watching.read_one(post.b)
        assert post.ledger.asked == [("a", "b"), ("b",)]

    in_virtual_time(scenario)


def test_the_result_of_a_read_is_applied() -> None:
    async def scenario() -> None:
        post = Post()
        post.ledger.words = {"b": opened(7)}
        await post.watching.read_all()
        assert (post.a.fleet.epoch, post.b.fleet.epoch) == (0, 7)
        assert post.session.link.up

    in_virtual_time(scenario)


def test_an_unanswered_read_counts_as_a_failure_of_the_ledger() -> None:
    async def scenario() -> None:
        post = Post()
        post.ledger.error = LedgerUnavailableError("nobody answers")
        await post.watching.read_all()
        assert (post.session.link.up, post.session.link.reason) == (False, "nobody answers")

    in_virtual_time(scenario)


def test_a_circuit_whose_shard_does_not_answer_is_unreachable_alone_until_it_answers() -> None:
    async def scenario() -> None:
        post = Post()
        await post.watching.read_all()
        away = []
        for post.ledger.silent in ("b", "b", ""):
            await post.watching.read_all()
            away.append((post.a.ledger_unreachable, post.b.ledger_unreachable))
        assert away == [(False, False), (False, True), (False, False)]
        post.ledger.error = ShardUnavailableError("no route")
        for _ in range(2):
            await post.watching.read_one(post.b)
        assert (post.a.ledger_unreachable, post.b.ledger_unreachable, post.session.link.up) == (False, True, True)

    in_virtual_time(scenario)


def test_after_subscribing_all_circuits_are_read_once() -> None:
    async def scenario() -> None:
        post = Post()
        post.ledger.pushed = [None]
        await post.listen()
        assert post.ledger.asked == [("a", "b")]

    in_virtual_time(scenario)


def test_a_pushed_change_is_applied_and_published_and_unknown_circuits_are_ignored() -> None:
    async def scenario() -> None:
        post = Post()
        await post.watching.read_all()
        post.ledger.pushed = [Change("b", 0, opened(7)), Change("z", 0, opened(8))]
        await post.listen()
        assert post.b.fleet.epoch == 7
        assert [e.circuit for e in post.events if isinstance(e, CircuitChanged)] == ["b"]
        assert post.ledger.asked == [("a", "b")]

    in_virtual_time(scenario)


def test_a_pushed_change_after_a_gap_causes_a_read_at_once() -> None:
    async def scenario() -> None:
        post = Post()
        post.ledger.words = {"b": opened(9)}
        post.ledger.pushed = [Change("b", 5, opened(9))]
        await post.listen()
        while len(post.background):
            await asyncio.sleep(0)
        assert post.ledger.asked == [("b",)]

    in_virtual_time(scenario)


def test_a_missing_subscribe_permission_is_reported_until_it_is_granted() -> None:
    async def scenario() -> None:
        post = Post()
        post.ledger.error = LedgerRefusedError("NOPERM no SUBSCRIBE")
        with pytest.raises(LedgerRefusedError):
            await post.watching.listen()
        assert list(post.session.denied_permissions.current) == [SUBSCRIBING]
        post.ledger.error = None
        await post.watching._receive(None)  # now subscribed
        assert not post.session.denied_permissions.current

    in_virtual_time(scenario)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ShardUnavailableError("no route to the node"), "silent: no route to the node"),
        (LedgerUnavailableError("nobody answers"), "lost: nobody answers"),
    ],
)
async def test_the_reason_why_a_circuit_could_not_be_read_is_reported(
    error: LedgerError, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, heard = Post(), list[str]()
    monkeypatch.setattr(post.session, "on_shard_unavailable", lambda view, reason: heard.append(f"silent: {reason}"))
    monkeypatch.setattr(post.session, "on_unavailable", lambda error: heard.append(f"lost: {error}"))
    post.ledger.error = error
    await post.watching.read_one(post.a)
    assert heard == [told]
