"""An observer sees and steers a fleet, and is no part of it."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.breaker.heartbeat import terms_told
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.report import ReplicaReport
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.terms import Terms
from ha_rag.errors import ConfigurationError, UnknownCircuitError
from ha_rag.events import CircuitChanged, Event, LedgerLost, OverrideChanged
from ha_rag.ledger.store.ledger import Change
from ha_rag.ledger.store.memory import MemoryLedger
from tests.strategy.virtual_time import LoopClock, in_virtual_time
from tests.waiting import until

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
POLICY = CircuitPolicy(min_samples=2, recovery_timeout_s=30.0, window_s=60.0)


async def fail(breaker, times: int = 2) -> None:
    async def broken() -> None:
        raise ConnectionError("down")

    for _ in range(times):
        with pytest.raises(ConnectionError):
            await breaker.call(broken)


async def beaten(circuits: CircuitRegistry) -> None:
    """What the next second would bring: a heartbeat that names all circuits."""
    assert circuits._sync is not None
    await circuits._sync._heartbeat.beat()


@pytest.fixture
async def fleet(any_redis_url):
    """One replica with one circuit, an observer, and what the observer has heard."""
    heard: list[Event] = []
    async with (
        CircuitRegistry.connect(any_redis_url, replica="a") as circuits,
        FleetObserver.connect(any_redis_url, name="eye", sinks=[heard.append]) as observer,
    ):
        breaker = circuits.breaker("payments", POLICY)
        await beaten(circuits)
        yield circuits, breaker, observer, heard


async def test_it_sees_every_circuit_and_replica_and_is_none_of_them(fleet):
    _, _, observer, _ = fleet

    assert [circuit.name for circuit in await observer.circuits()] == ["payments"]
    assert [replica.name for replica in (await observer.fleet()).replicas] == ["a"]
    assert observer.shared_state == "fresh"


async def test_it_hears_of_an_opening_as_it_happens(fleet):
    _, breaker, observer, heard = fleet
    await until(lambda: observer._link.up)

    await fail(breaker)

    await until(lambda: any(isinstance(e, CircuitChanged) for e in heard))
    (changed,) = [e for e in heard if isinstance(e, CircuitChanged)]
    assert (changed.circuit, changed.from_state, changed.to_state) == ("payments", "closed", "open")
    (circuit,) = await observer.circuits()
    assert (circuit.state, circuit.opened_by) == ("open", "a")


async def test_it_reads_a_circuit_by_the_rules_of_those_who_use_it(fleet):
    circuits, _, observer, _ = fleet
    sync = circuits._sync
    brief = circuits.breaker("brief", CircuitPolicy(min_samples=2, window_s=0.3))
    await beaten(circuits)
    await fail(brief, times=1)
    await sync._reporting.report(circuits._views.get("brief"))
    await observer.fleet()

    async def samples(source) -> int:
        return next(circuit.samples for circuit in await source.circuits() if circuit.name == "brief")

    while await samples(circuits) > 0:
        pass  # each look is a round trip; the window slides on
    assert await samples(observer) == 0  # by the default rules it would be one for ten seconds


async def test_what_it_orders_holds_for_every_replica(fleet):
    _, breaker, observer, heard = fleet
    await until(lambda: observer._link.up)  # what is told before it listens it never hears

    report = await observer.override("payments", "open", reason="maintenance", by="eye", for_s=60)

    assert (report.state, report.override.by) == ("open", "eye")
    await until(lambda: breaker.state == "open")
    await observer.end_override("payments", by="eye")
    await until(lambda: breaker.state != "open")
    await until(lambda: [e.mode for e in heard if isinstance(e, OverrideChanged)] == ["open", None])


async def test_it_orders_nothing_unknown_or_impossible(fleet):
    *_, observer, _ = fleet

    with pytest.raises(UnknownCircuitError):
        await observer.override("nobody", "open", reason="", by="eye")
    with pytest.raises(ConfigurationError, match="mode = 'ajar'"):
        await observer.override("payments", "ajar", reason="", by="eye")
    with pytest.raises(ConfigurationError, match="for_s = -1"):
        await observer.override("payments", "open", reason="", by="eye", for_s=-1)


async def test_without_redis_it_shows_what_it_last_saw_and_says_so(own_redis_server):
    heard: list[Event] = []
    async with (
        CircuitRegistry.connect(own_redis_server.url, replica="a") as circuits,
        FleetObserver.connect(own_redis_server.url, sinks=[heard.append]) as observer,
    ):
        circuits.breaker("payments", POLICY)
        await beaten(circuits)
        assert len(await observer.circuits()) == 1
        own_redis_server.kill()
        await observer.circuits()

        assert len(await observer.circuits()) == 1
        fleet = await observer.fleet()
        assert (fleet.replicas, fleet.shared_state, observer.shared_state) == ((), "local", "local")
        assert fleet.reason
        assert [type(e) for e in heard] == [LedgerLost]


class Scripted(MemoryLedger):
    """Pushes `pushed`, then fails as nobody foresaw, and listens on when it is asked to again."""

    def __init__(self, *pushed: Change) -> None:
        super().__init__()
        self.pushed = list(pushed)
        self.listens = 0

    async def changes(self):
        self.listens += 1
        yield None
        while self.pushed:
            yield self.pushed.pop(0)
        if self.listens == 1:
            raise TypeError("unhashable")
        await asyncio.Event().wait()


def changed(epoch: int, state: CircuitState, previous: int, now_ms: int = 0) -> Change:
    return Change("svc", previous, Snapshot(now_ms=now_ms or epoch, state=state, epoch=epoch))


def told_by(*pushed: Change, read: Snapshot | None = None) -> list[tuple[str, str]]:
    """From which state to which, by an observer that has heard these, and read that before the last of them."""
    heard: list[Event] = []
    observer = FleetObserver(MemoryLedger(), "eye", sinks=[heard.append])
    for change in pushed:
        if read is not None and change is pushed[-1]:
            observer._known["svc"] = read
        observer._receive(change)
    return [(e.from_state, e.to_state) for e in heard if isinstance(e, CircuitChanged)]


OPENS, PROBED, CLOSES = changed(5, OPEN, 0), changed(7, HALF_OPEN, 5), changed(9, CLOSED, 7)


def test_each_change_is_told_once_and_a_settled_probe_is_none():
    settled = changed(7, HALF_OPEN, 7)
    assert told_by(OPENS, PROBED, settled, settled, CLOSES) == [
        ("closed", "open"), ("open", "half_open"), ("half_open", "closed"),
    ]  # fmt: skip


def test_what_comes_twice_or_late_is_not_told():
    assert told_by(OPENS, PROBED, OPENS, PROBED, CLOSES, PROBED)[2:] == [("half_open", "closed")]


def test_a_read_that_overtakes_a_message_does_not_hide_the_change():
    assert told_by(OPENS, PROBED, read=PROBED.snapshot) == [("closed", "open"), ("open", "half_open")]


def test_a_change_that_no_message_told_is_what_the_next_one_began_from():
    assert told_by(OPENS, CLOSES, read=PROBED.snapshot) == [("closed", "open"), ("half_open", "closed")]


def test_a_late_message_takes_nothing_back():
    observer = FleetObserver(MemoryLedger(), "eye")
    for change in (CLOSES, OPENS):
        observer._receive(change)
    assert observer._known["svc"] == CLOSES.snapshot


@pytest.mark.provokes_errors
def test_a_listener_that_ends_in_an_error_that_nobody_foresaw_listens_again(caplog):
    heard: list[Event] = []

    async def scenario() -> None:
        ledger = Scripted(OPENS)
        async with FleetObserver(ledger, "eye", clock=LoopClock(), sinks=[heard.append]):
            await asyncio.sleep(1.1)
            assert ledger.listens == 2

    in_virtual_time(scenario)
    assert len(heard) == 1
    assert "TypeError" in caplog.text


async def test_a_circuit_whose_node_is_away_is_shown_as_it_was_last_seen():
    class Half(MemoryLedger):
        async def read(self, circuits):
            return {name: reply for name, reply in (await super().read(circuits)).items() if name not in self.silent}

        silent = ""

    ledger = Half()
    observer = FleetObserver(ledger, "eye")
    await ledger.beat("a~1", "{}", ["one", "two"], 1000)
    for ledger.silent in ("", "two", "one two"):
        assert [circuit.name for circuit in await observer.circuits()] == ["one", "two"]


@pytest.mark.parametrize(
    "told", [None, [], {"c": None}, {"c": [1, 2]}, {"c": ["x"] * 13}, {"c": [0] * 13}, {"c": [-1] * 13}]
)
def test_a_heartbeat_with_nonsense_for_terms_tells_none(told):
    assert terms_told(ReplicaReport("a~1", "a", 0, {"terms": told})) == {}


def test_terms_come_back_as_they_were_told():
    terms = Terms.of(POLICY, 2.0)
    assert terms_told(ReplicaReport("a~1", "a", 0, {"terms": {"c": list(terms.wire())}})) == {"c": terms}
