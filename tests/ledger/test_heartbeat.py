"""What a replica's heartbeats contain, how often they are sent, and what it learns from each reply."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.clock import Clock
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError
from ha_rag.events import Event
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.denied_permissions import HEARTBEAT
from ha_rag.ledger.sync.heartbeat import LIFE_BEATS, HeartbeatSender
from ha_rag.ledger.sync.pace import Pace
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View
from ha_rag.ledger.view.views import Views
from tests.strategy.virtual_time import LoopClock, in_virtual_time

Said = tuple[str, str, tuple[str, ...], int]


class HeartbeatLedger(MemoryLedger):
    """Notes each heartbeat and its time; reports `replicas_alive`, or raises `error`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.said: list[Said] = []
        self.at_s: list[float] = []
        self.replicas_alive = 1
        self.error: Exception | None = None

    async def beat(self, incarnation: str, body: str, circuits: Sequence[str], life_ms: int) -> int:
        self.said.append((incarnation, body, tuple(circuits), life_ms))
        self.at_s.append(asyncio.get_running_loop().time())
        if self.error is not None:
            raise self.error
        return self.replicas_alive


class HeartbeatBench:
    """The heartbeats of replica `r1`, which reports on 3 circuits; `shared`, `own`: views of the two scopes."""

    def __init__(self, *names: str) -> None:
        clock = LoopClock()
        self.events: list[Event] = []
        self.ledger, self.background, views = HeartbeatLedger(clock), BackgroundTasks(), Views()
        self.shared = [View(name, CircuitPolicy(), replica="r1", clock=clock, draw=lambda: 1.0) for name in names]
        self.own = View("disk", CircuitPolicy(), replica="r1", clock=clock, scope="replica", draw=lambda: 1.0)
        for view in (*self.shared, self.own):
            views.add(view)
        self.session = LedgerSession(
            self.ledger, "r1", clock, views=views, sinks=[self.events.append], restore=lambda view: None
        )
        self.background.open()
        self.sender = HeartbeatSender(
            self.session, self.background, views, body=lambda: '{"load": 1}', active_circuits=lambda: 3
        )


def test_a_heartbeat_names_the_incarnation_its_circuits_and_how_long_it_is_valid() -> None:
    async def scenario() -> None:
        bench = HeartbeatBench("a", "b")
        await bench.sender.beat()
        assert bench.ledger.said == [("r1", '{"load": 1}', ("a", "b"), 1000 * LIFE_BEATS)]
        bench.session.pace = Pace(replicas=2000)
        await bench.sender.beat()
        assert bench.ledger.said[-1][-1] == 4000 * LIFE_BEATS

    in_virtual_time(scenario)


def test_heartbeats_are_sent_at_the_interval_plus_or_minus_ten_percent() -> None:
    async def scenario() -> None:
        bench = HeartbeatBench("a")
        bench.ledger.replicas_alive = 1000
        began_s = asyncio.get_running_loop().time()
        for _ in range(50):
            await bench.sender.round()
        first, *later = [b - a for a, b in itertools.pairwise([began_s, *bench.ledger.at_s])]
        assert 0.9 <= first <= 1.1
        assert all(1.8 <= between <= 2.2 for between in later)
        assert max(later) - min(later) > 0.2

    in_virtual_time(scenario)


def test_the_number_of_replicas_sets_the_pace_of_all_requests() -> None:
    async def scenario() -> None:
        bench = HeartbeatBench("a")
        bench.ledger.replicas_alive = 700
        await bench.sender.beat()
        assert bench.session.pace == Pace(replicas=700, circuits=3)
        assert [view._leases.jitter_s() for view in (*bench.shared, bench.own)] == [1.4, 1.4]

    in_virtual_time(scenario)


def test_a_ledger_that_counts_no_replica_counts_as_one_replica() -> None:
    async def scenario() -> None:
        bench = HeartbeatBench("a")
        bench.ledger.replicas_alive = 0
        bench.sender._active_circuits = lambda: 0
        await bench.sender.beat()
        assert bench.session.pace == Pace(replicas=1, circuits=1)

    in_virtual_time(scenario)


@pytest.mark.parametrize(("names", "up"), [((), True), (("a",), False)])
def test_a_heartbeat_shows_that_the_ledger_is_reachable_only_without_shared_circuits(
    names: tuple[str, ...], up: bool
) -> None:
    async def scenario() -> None:
        bench = HeartbeatBench(*names)
        await bench.sender.beat()
        assert bench.session.link.up is up

    in_virtual_time(scenario)


def test_an_unanswered_heartbeat_counts_as_a_failure_of_the_ledger() -> None:
    async def scenario() -> None:
        bench = HeartbeatBench("a")
        bench.ledger.error = LedgerUnavailableError("nobody answers")
        with pytest.raises(LedgerUnavailableError):
            await bench.sender.beat()
        assert bench.session.link.reason == "nobody answers"

    in_virtual_time(scenario)


def test_a_missing_heartbeat_permission_is_reported_and_does_not_make_the_ledger_unreachable() -> None:
    async def scenario() -> None:
        bench = HeartbeatBench("a")
        bench.session.on_available(1)
        bench.ledger.error = LedgerRefusedError("NOPERM no ZADD")
        for _ in range(3):
            with pytest.raises(LedgerRefusedError):
                await bench.sender.beat()
        assert list(bench.session.denied_permissions.current) == [HEARTBEAT]
        assert bench.session.link.up
        bench.ledger.error = None
        await bench.sender.beat()
        assert not bench.session.denied_permissions.current

    in_virtual_time(scenario)


def test_a_replica_that_has_left_sends_no_heartbeat() -> None:
    async def scenario() -> None:
        bench = HeartbeatBench("a")
        bench.background.close()
        await bench.sender.beat()
        assert bench.ledger.said == []

    in_virtual_time(scenario)
