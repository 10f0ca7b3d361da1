"""The permissions that docs/security.md gives an alerter are sufficient, and each is needed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from ha_rag.alerting import alerter as alerter_module
from ha_rag.alerting import notifier as notifier_module
from ha_rag.assembly.alerter import alerting
from ha_rag.assembly.configuration import settings_of
from ha_rag.cancellation import end
from ha_rag.circuit.rules import Batch, Tally
from ha_rag.circuit.state import Counts
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.outcomes import Outcome
from ha_rag.settings import read_environment
from tests.ledger.bench import terms
from tests.ledger.documented import alerter_rules, replica_rules
from tests.ledger.guarded import AGES, admin, denied, program
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.real_redis

NAME, FAR_MS = "payments", 600_000
TERMS = terms(open_ms=10, open_max_ms=10, probe_successes=1, window_ms=10_000)
CLAIM_MS = 500
"""Short, so that a dead alerter's events are taken by another one during the test."""

OPENED, LOST, UNHEARD = f"circuit {NAME} opened", "replica b is lost", "Redis is unreachable"


@pytest.fixture(params=AGES)
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., RedisProcess]]:
    """Starts a server with a user that has all but one of the documented permissions; they outlive a restart."""
    binary, started = program(request), list[RedisProcess]()

    def start(without: str = "") -> RedisProcess:
        rules = [rule for rule in (*replica_rules(), *alerter_rules()) if rule != without]
        file = tmp_path / "users.acl"
        file.write_text(f"user default on nopass ~* &* +@all\nuser app on >secret {' '.join(rules)}\n")
        server = RedisProcess(tmp_path, binary=binary, options=("--aclfile", str(file)))
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()


class WebhookReceiver:
    """A webhook receiver. `refuse`: answers with errors."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.refuse = False
        self.refused = 0

    async def send(self, title: str, text: str, *, level: str) -> bool:
        del text, level
        if self.refuse:
            self.refused += 1
            return False
        self.received.append(title.removeprefix("[ha_rag] "))
        return True

    async def hear(self, *titles: str) -> None:
        """Waits until exactly these messages have arrived since the last call."""
        await until(lambda: len(self.received) >= len(titles))
        assert self.received == list(titles)
        self.received.clear()


class Fleet:
    """One circuit of one replica, in the ledger; its user has all permissions."""

    def __init__(self, ledger: RedisLedger) -> None:
        self._ledger = ledger
        self._batches = 0

    async def joins(self) -> None:
        await self._ledger.beat("a~1", "{}", [NAME], FAR_MS)

    async def opens(self) -> None:
        """Fails until the circuit opens: a circuit that has just closed counts for a moment without opening."""
        state = "closed"
        async with asyncio.timeout(PATIENCE_S):
            while state != "open":
                now_ms = await self._ledger.now_ms()
                epoch = (await self._ledger.read({NAME: TERMS}))[NAME].snapshot.epoch
                self._batches += 1
                batch = Batch("a~1", self._batches, (Tally(epoch, now_ms, Counts(0, 9)),))
                state = (await self._ledger.record(NAME, TERMS, batch, 0.0)).snapshot.state

    async def closes(self) -> None:
        reply = (await self._ledger.read({NAME: TERMS}))[NAME]
        async with asyncio.timeout(PATIENCE_S):
            while not reply.granted:
                reply = await self._ledger.lease(NAME, TERMS, "a~1", reply.snapshot.epoch, "probe")
        reply = await self._ledger.settle(NAME, TERMS, "a~1", "probe", Outcome.OK, 0, 0.0)
        assert reply.snapshot.state == "closed"

    async def loses_a_replica(self) -> None:
        """Sends a last heartbeat, which is valid for longer than two polls."""
        await self._ledger.beat("b~1", "{}", [], 2500)

    async def finds_it_again(self) -> None:
        await self._ledger.beat("b~2", "{}", [], FAR_MS)


@pytest.fixture
async def fleet_of() -> AsyncIterator[Callable[[RedisProcess], Fleet]]:
    ledgers: list[RedisLedger] = []

    def make(server: RedisProcess) -> Fleet:
        ledgers.append(RedisLedger(connect(server.url, timeout_s=REPLY_S)))
        return Fleet(ledgers[-1])

    yield make
    for ledger in ledgers:
        await ledger.aclose()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (alerter_module, notifier_module):
        monkeypatch.setattr(module, "CLAIM_MS", CLAIM_MS)


@asynccontextmanager
async def alerter(server: RedisProcess, receiver: WebhookReceiver) -> AsyncIterator[None]:
    """A running alerter, as `ha-rag alerter` starts it, with the documented permissions."""
    url = server.url.replace("redis://", "redis://app:secret@")
    content = {"alerts": {"group_s": 0.1, "redis_after_s": 0.2, "flap_opens": 100}}
    settings = settings_of(content, read_environment({"HA_RAG_REDIS_URL": url, "HA_RAG_REPLICA": "alerter"}))
    async with alerting(settings, receiver) as one:
        running = asyncio.create_task(one.run())
        try:
            yield
        finally:
            await end(running)


def looked(server: RedisProcess) -> int:
    """Number of alerters that have read events."""
    with admin(server) as client, contextlib.suppress(ResponseError):  # before the first one there is no group
        return len(client.xinfo_consumers(f"ha_rag:{{{NAME}}}:events", "alerters"))
    return 0


async def test_alerters_work_with_exactly_the_documented_permissions(
    guarded: Callable[..., RedisProcess], fleet_of: Callable[[RedisProcess], Fleet]
) -> None:
    server = guarded()
    fleet, first, second = fleet_of(server), WebhookReceiver(), WebhookReceiver()
    await fleet.joins()
    async with alerter(server, first):
        await until(lambda: looked(server) == 1)
        await fleet.opens()
        await first.hear(f"PROBLEM: {OPENED}")
        await fleet.closes()
        await first.hear(f"RESOLVED: {OPENED}")
        first.refuse = True
        await fleet.opens()
        await until(lambda: first.refused > 0)
    async with alerter(server, second):
        await second.hear(f"PROBLEM: {OPENED}", f"RESOLVED: {OPENED}")  # taken over; there are no open claims
        await fleet.loses_a_replica()
        await second.hear(f"PROBLEM: {LOST}")
        await fleet.finds_it_again()
        await second.hear(f"RESOLVED: {LOST}")
        assert denied(server) == set(), "no command was denied"
        server.kill()
        await second.hear(f"PROBLEM: {UNHEARD}")
        server.start()
        fleet = fleet_of(server)
        await fleet.joins()
        await second.hear(f"RESOLVED: {UNHEARD}")
        await fleet.opens()
        await second.hear(f"PROBLEM: {OPENED}")
        assert denied(server) == set(), "no command was denied"


@pytest.mark.parametrize("right", alerter_rules())
async def test_an_alerter_reports_a_missing_permission(
    right: str,
    guarded: Callable[..., RedisProcess],
    fleet_of: Callable[[RedisProcess], Fleet],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = guarded(without=right)
    fleet = fleet_of(server)
    await fleet.joins()
    async with alerter(server, WebhookReceiver()), alerter(server, WebhookReceiver()):
        await until(lambda: looked(server) > 0 or bool(refusals(caplog)))
        await fleet.opens()
        await until(lambda: bool(refusals(caplog)))
    command = right.removeprefix("+").partition("|")[0]
    assert all(f"this user has no permissions to run the '{command}" in text for text in refusals(caplog))


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings, except for slow replies of Redis on a busy machine."""
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    return [text for text in messages if "NOPERM" in text]


async def test_a_message_that_cannot_be_counted_is_still_sent_once(
    guarded: Callable[..., RedisProcess], fleet_of: Callable[[RedisProcess], Fleet]
) -> None:
    server, receiver = guarded(without="+incrby"), WebhookReceiver()
    fleet = fleet_of(server)
    await fleet.joins()
    async with alerter(server, receiver):
        await until(lambda: looked(server) == 1)
        await fleet.opens()
        await receiver.hear(f"PROBLEM: {OPENED}", f"RESOLVED: {OPENED}")
