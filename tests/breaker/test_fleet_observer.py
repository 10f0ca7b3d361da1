"""FleetObserver reads and overrides a fleet's circuits without being a replica."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.breaker.heartbeat import reported_terms
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.breaker.report import ReplicaReport
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.terms import Terms
from ha_rag.errors import ConfigurationError, LedgerUnavailableError, UnknownCircuitError
from ha_rag.events import CircuitChanged, Event, LedgerLost, OverrideChanged
from ha_rag.ledger.store.ledger import Change
from ha_rag.ledger.store.memory import MemoryLedger
from tests.patient import patient_observer, patient_registry
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


async def send_heartbeat(circuits: CircuitRegistry) -> None:
    """Sends the heartbeat that names all circuits now."""
    assert circuits._sync is not None
    await circuits._sync._heartbeat.beat()


@pytest.fixture
async def fleet(any_redis_url):
    """One replica with one circuit, an observer, and the events that the observer received."""
    received: list[Event] = []
    async with (
        patient_registry(any_redis_url, "a") as circuits,
        patient_observer(any_redis_url, name="eye", sinks=[received.append]) as observer,
    ):
        breaker = circuits.breaker("payments", POLICY)
        await send_heartbeat(circuits)
        yield circuits, breaker, observer, received


async def test_it_reads_every_circuit_and_replica_without_joining_the_fleet(fleet):
    _, _, observer, _ = fleet

    assert [circuit.name for circuit in await observer.circuits()] == ["payments"]
    assert [replica.name for replica in (await observer.fleet()).replicas] == ["a"]
    assert observer.shared_state == "fresh"


async def test_it_receives_an_opening_as_it_happens(fleet):
    _, breaker, observer, received = fleet
    await until(lambda: observer._link.up)

    await fail(breaker)

    await until(lambda: any(isinstance(e, CircuitChanged) for e in received))
    (changed,) = [e for e in received if isinstance(e, CircuitChanged)]
    assert (changed.circuit, changed.from_state, changed.to_state) == ("payments", "closed", "open")
    (circuit,) = await observer.circuits()
    assert (circuit.state, circuit.opened_by) == ("open", "a")


async def test_it_reads_a_circuit_by_the_terms_of_the_replicas_that_use_it(fleet):
    circuits, _, observer, _ = fleet
    sync = circuits._sync
    brief = circuits.breaker("brief", CircuitPolicy(min_samples=2, window_s=0.3))
    await send_heartbeat(circuits)
    await fail(brief, times=1)
    await sync._reporting.report(circuits._views.get("brief"))
    await observer.fleet()

    async def samples(source) -> int:
        return next(circuit.samples for circuit in await source.circuits() if circuit.name == "brief")

    while await samples(circuits) > 0:
        pass  # each read is a round trip, while the window moves on
    assert await samples(observer) == 0  # with the default window it would be one for ten seconds


async def test_its_overrides_apply_to_every_replica(fleet):
    _, breaker, observer, received = fleet
    await until(lambda: observer._link.up)  # it misses changes published before it subscribed

    report = await observer.override("payments", "open", reason="maintenance", by="eye", for_s=60)

    assert (report.state, report.override.by) == ("open", "eye")
    await until(lambda: breaker.state == "open")
    await observer.end_override("payments", by="eye")
    await until(lambda: breaker.state != "open")
    await until(lambda: [e.mode for e in received if isinstance(e, OverrideChanged)] == ["open", None])


async def test_it_rejects_overrides_of_unknown_circuits_and_invalid_arguments(fleet):
    *_, observer, _ = fleet

    with pytest.raises(UnknownCircuitError):
        await observer.override("unknown", "open", reason="", by="eye")
    with pytest.raises(ConfigurationError, match="mode = 'ajar'"):
        await observer.override("payments", "ajar", reason="", by="eye")
    with pytest.raises(ConfigurationError, match="for_s = -1"):
        await observer.override("payments", "open", reason="", by="eye", for_s=-1)


async def test_without_redis_it_returns_the_last_read_and_reports_local(own_redis_server):
    received: list[Event] = []
    async with (
        patient_registry(own_redis_server.url, "a") as circuits,
        patient_observer(own_redis_server.url, sinks=[received.append]) as observer,
    ):
        circuits.breaker("payments", POLICY)
        await send_heartbeat(circuits)
        assert len(await observer.circuits()) == 1
        own_redis_server.kill()
        await observer.circuits()

        assert len(await observer.circuits()) == 1
        fleet = await observer.fleet()
        assert (fleet.replicas, fleet.shared_state, observer.shared_state) == ((), "local", "local")
        assert fleet.reason
        assert [type(e) for e in received] == [LedgerLost]


class SlowToRead(MemoryLedger):
    """Answers everything but the first read of the circuits."""

    reads = 0

    async def known_circuits(self) -> list[str]:
        self.reads += 1
        if self.reads == 1:
            raise LedgerUnavailableError("no answer in time")
        return await super().known_circuits()


async def test_circuits_that_could_not_be_read_are_no_fresh_state_although_the_ledger_answers():
    async with FleetObserver(SlowToRead(), "eye") as observer:
        assert await observer.circuits() == ()
        assert (await observer.fleet()).shared_state == observer.shared_state == "local"
        assert observer.why_local == "no answer in time"
        await observer.circuits()
        assert (observer.shared_state, observer.why_local) == ("fresh", "")


class Scripted(MemoryLedger):
    """Pushes `pushed`, then fails with an unexpected error; the next subscription stays open."""

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


def changes_published(*pushed: Change, read: Snapshot | None = None) -> list[tuple[str, str]]:
    """The (from, to) states that an observer publishes for these messages; `read` is polled before the last one."""
    received: list[Event] = []
    observer = FleetObserver(MemoryLedger(), "eye", sinks=[received.append])
    for change in pushed:
        if read is not None and change is pushed[-1]:
            observer._known["svc"] = read
        observer._receive(change)
    return [(e.from_state, e.to_state) for e in received if isinstance(e, CircuitChanged)]


OPENS, PROBED, CLOSES = changed(5, OPEN, 0), changed(7, HALF_OPEN, 5), changed(9, CLOSED, 7)


def test_each_change_is_published_once_and_a_settled_probe_is_not_a_change():
    settled = changed(7, HALF_OPEN, 7)
    assert changes_published(OPENS, PROBED, settled, settled, CLOSES) == [
        ("closed", "open"), ("open", "half_open"), ("half_open", "closed"),
    ]  # fmt: skip


def test_duplicate_and_late_messages_are_not_published():
    assert changes_published(OPENS, PROBED, OPENS, PROBED, CLOSES, PROBED)[2:] == [("half_open", "closed")]


def test_a_read_ahead_of_its_message_does_not_hide_the_change():
    assert changes_published(OPENS, PROBED, read=PROBED.snapshot) == [("closed", "open"), ("open", "half_open")]


def test_after_a_lost_message_the_next_change_starts_from_the_state_that_was_read():
    assert changes_published(OPENS, CLOSES, read=PROBED.snapshot) == [("closed", "open"), ("half_open", "closed")]


def test_a_late_message_does_not_revert_the_state():
    observer = FleetObserver(MemoryLedger(), "eye")
    for change in (CLOSES, OPENS):
        observer._receive(change)
    assert observer._known["svc"] == CLOSES.snapshot


@pytest.mark.provokes_errors
def test_a_subscription_that_ends_with_an_unexpected_error_is_renewed(caplog):
    received: list[Event] = []

    async def scenario() -> None:
        ledger = Scripted(OPENS)
        async with FleetObserver(ledger, "eye", clock=LoopClock(), sinks=[received.append]):
            await asyncio.sleep(1.1)
            assert ledger.listens == 2

    in_virtual_time(scenario)
    assert len(received) == 1
    assert "TypeError" in caplog.text


async def test_a_circuit_on_an_unreachable_node_is_reported_as_last_read():
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
def test_invalid_terms_in_a_heartbeat_are_ignored(told):
    assert reported_terms(ReplicaReport("a~1", "a", 0, {"terms": told})) == {}


def test_terms_survive_a_round_trip_through_a_heartbeat():
    terms = Terms.of(POLICY, 2.0)
    assert reported_terms(ReplicaReport("a~1", "a", 0, {"terms": {"c": list(terms.wire())}})) == {"c": terms}
