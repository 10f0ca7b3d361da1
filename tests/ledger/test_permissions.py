"""The permissions that docs/security.md gives a Redis user are sufficient, each is needed, and reported if missing."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis as sync_redis

from ha_rag.assembly.redis_trial import try_redis
from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.terms import Terms
from ha_rag.errors import CircuitOpenError, LedgerError, LedgerRefusedError, ServiceError
from ha_rag.events import Event, LedgerLimited, LedgerLost
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.permissions import ALERTER_COMMANDS, COMMANDS, HELPFUL_COMMANDS, acl_rules, samples
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.scripts import PRELUDE, VERBS, lua
from ha_rag.ledger.sync.denied_permissions import PUBLISHING
from tests.ledger.documented import alerter_rules, replica_rules
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
NAMESPACE, SERVICE = "fleet", "svc"
CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN
POLICY = CircuitPolicy(min_samples=3, window_s=0.3, recovery_timeout_s=0.2, probe_timeout_s=0.2, probe_successes=2)
ON_REQUEST = {"xrange", "xrevrange"}
"""Only needed for reading the history; whoever reads it gets the error."""


@pytest.fixture
def admin(server: RedisProcess) -> Iterator[sync_redis.Redis]:
    with sync_redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.flushall()
        client.script_flush()
        client.acl_log_reset()
        yield client
        client.execute_command("ACL", "DELUSER", "app")


def user(server: RedisProcess, admin: sync_redis.Redis, *rules: str) -> str:
    """The URL of a user with the documented permissions, followed by `rules`."""
    admin.execute_command("ACL", "SETUSER", "app", "reset", "on", ">secret", *acl_rules(NAMESPACE).split(), *rules)
    return server.url.replace("redis://", "redis://app:secret@")


class Replica:
    """A registry on that Redis, and its events."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self.registry = CircuitRegistry(
            lambda: RedisLedger(connect(url), NAMESPACE),
            replica=name,
            sinks=[self._note],
        )

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    @property
    def breaker(self) -> CircuitBreaker:
        return self.registry.breaker(SERVICE, POLICY)

    @property
    def knows(self) -> Snapshot:
        return self.breaker._view.fleet

    @property
    def complaints(self) -> list[Event]:
        return [event for event in self.events if isinstance(event, LedgerLost | LedgerLimited)]

    async def call(self, error: Exception | None = None) -> None:
        async def service() -> None:
            if error is not None:
                raise error

        with contextlib.suppress(ServiceError, CircuitOpenError):
            await self.breaker.call(service)

    async def calls_for(self, condition: Callable[[], bool]) -> None:
        """Calls at intervals and after every event, until `condition` holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._news.clear()
                await self.call()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.02)


class Life:
    """Everything that a fleet of two does in Redis. `enough`: ends it early, between two steps or within one."""

    def __init__(self, url: str, admin: sync_redis.Redis, enough: Callable[[Life], bool] = lambda life: False) -> None:
        self.a, self.b = Replica(url, "a"), Replica(url, "b")
        self._admin = admin
        self._enough = enough
        self.errors: list[str] = []
        """The errors that callers got."""

    @property
    def complaints(self) -> list[Event]:
        return self.a.complaints + self.b.complaints

    async def live(self) -> None:
        async with self.a.registry, self.b.registry:
            assert self.a.breaker is not self.b.breaker
            for step in (self.opens, self.closes, self.is_overridden, self.is_polled, self.is_restored, self.listens):
                try:
                    await step()
                except LedgerError as error:
                    self.errors.append(str(error))
                if self._enough(self):
                    return

    def _or_enough(self, condition: Callable[[], bool]) -> Callable[[], bool]:
        return lambda: condition() or self._enough(self)

    async def opens(self) -> None:
        """A replica counts for two windows, so that the oldest counts expire; then it fails."""
        ends_s = time.monotonic() + 2 * POLICY.window_s
        await self.a.calls_for(self._or_enough(lambda: time.monotonic() > ends_s))
        for _ in range(50):
            await self.a.call(ServiceError("down", status=500))
        await until(self._or_enough(lambda: self.b.knows.state is OPEN))

    async def closes(self) -> None:
        await self.b.calls_for(self._or_enough(lambda: self.a.knows.state is self.b.knows.state is CLOSED))

    async def is_overridden(self) -> None:
        await self.a.registry.override(SERVICE, "open", reason="test", by="kim", for_s=60)
        await until(self._or_enough(lambda: self.b.knows.override is not None))
        await self.a.registry.end_override(SERVICE, by="kim")
        await self.closes()

    async def is_restored(self) -> None:
        epoch = self.b.knows.epoch
        self._admin.flushall()
        await until(self._or_enough(lambda: self.a.knows.epoch == self.b.knows.epoch > epoch))

    async def is_polled(self) -> None:
        fleet = await self.a.registry.fleet()
        self.replicas = sorted(replica.name for replica in fleet.replicas)
        self.circuits = [report.name for report in await self.b.registry.circuits()]
        sync = self.a.registry._sync
        assert sync is not None
        self.happened = [event.after for event in await sync.ledger.events(SERVICE)]
        assert [event.after for event in await sync.ledger.latest(SERVICE)] == self.happened
        self.health = await sync.ledger.health()

    async def listens(self) -> None:
        """Waits until the pub/sub connection is pinged."""
        await until(self._or_enough(lambda: "cmdstat_ping" in self._admin.info("commandstats")))


async def test_a_fleet_works_with_exactly_the_documented_permissions(
    server: RedisProcess, admin: sync_redis.Redis
) -> None:
    admin.config_resetstat()
    life = Life(user(server, admin), admin)
    await life.live()

    assert (life.complaints, life.errors) == ([], [])
    assert (life.replicas, life.circuits) == (["a", "b"], [SERVICE])
    assert life.happened[:3] == ["open", "half_open", "closed"]
    assert life.health.version
    denied = {entry["object"] for entry in admin.acl_log()} - {"client", "client|setinfo"}
    assert denied == set(), "no command was denied"
    assert admin.keys("*:replica:*") == [], "both replicas left"
    assert admin.zcard(Keys(NAMESPACE).replicas) == 0


async def test_the_documented_permissions_are_enough_for_a_check(server: RedisProcess, admin: sync_redis.Redis) -> None:
    assert await try_redis(user(server, admin), NAMESPACE) == [("ok", "reachable, with all required permissions", "")]
    assert admin.keys("*") == []


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - ON_REQUEST))
async def test_a_fleet_reports_a_missing_permission(
    command: str, server: RedisProcess, admin: sync_redis.Redis
) -> None:
    admin.config_resetstat()
    life = Life(user(server, admin, f"-{command}"), admin, enough=lambda life: bool(life.complaints or life.errors))
    await life.live()
    assert life.complaints or life.errors


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_check_names_the_missing_permission(
    command: str, server: RedisProcess, admin: sync_redis.Redis
) -> None:
    ((verdict, text, repair),) = await try_redis(user(server, admin, f"-{command}"), NAMESPACE)
    assert (verdict, text) == ("problem", f"the user app may not use {command.upper()}")
    assert f"ACL SETUSER app +{command} " in repair


@pytest.mark.parametrize("command", sorted(ON_REQUEST))
async def test_a_read_of_the_history_without_permission_names_the_missing_permission(
    command: str, server: RedisProcess, admin: sync_redis.Redis
) -> None:
    ledger = RedisLedger(connect(user(server, admin, f"-{command}"), timeout_s=REPLY_S), NAMESPACE)
    with pytest.raises(LedgerRefusedError) as refused:
        await (ledger.events(SERVICE) if command == "xrange" else ledger.latest(SERVICE))
    await ledger.aclose()
    assert refused.value.code == "NOPERM"


async def test_a_user_of_one_namespace_can_neither_read_nor_write_nor_subscribe_to_another(
    server: RedisProcess, admin: sync_redis.Redis
) -> None:
    stranger = RedisLedger(connect(user(server, admin), timeout_s=REPLY_S), "fleet2")
    with pytest.raises(LedgerRefusedError):
        await stranger.read({SERVICE: Terms.of(POLICY)})
    with pytest.raises(LedgerRefusedError):
        await stranger.beat("x~1", "{}", [SERVICE], 1000)
    with pytest.raises(LedgerRefusedError):
        await anext(aiter(stranger.changes()))
    await stranger.aclose()
    assert admin.keys("*") == []


async def test_the_effect_of_a_missing_permission_is_reported_once_and_cleared_when_it_is_fixed(
    server: RedisProcess, admin: sync_redis.Redis
) -> None:
    url = user(server, admin, "-publish")
    life = Life(url, admin, enough=lambda life: bool(life.a.complaints))
    async with life.a.registry:
        assert life.a.breaker.name == SERVICE
        for mode in ("open", "closed", "open"):
            await life.a.registry.override(SERVICE, mode, reason="test", by="kim")
        assert [(event.kind, event.what) for event in life.a.complaints if isinstance(event, LedgerLimited)] == [
            ("LedgerLimited", PUBLISHING)
        ]
        assert list(life.a.registry.limits) == [PUBLISHING]
        admin.execute_command("ACL", "SETUSER", "app", "+publish")
        await life.a.registry.override(SERVICE, "closed", reason="test", by="kim")
        assert list(life.a.registry.limits) == []


def test_the_lua_uses_only_commands_that_are_in_the_permissions() -> None:
    text = "\n".join(lua(name) for name in [*VERBS, *(f"prelude/{part}" for part in PRELUDE)])
    called = set(re.findall(r"redis\.p?call\('([A-Z]+)'", text)) | set(re.findall(r"queue\(c, '([A-Z]+)'", text))
    assert {"HSET", "DEL", "XADD", "PUBLISH", "TIME"} <= called
    assert {command.lower() for command in called} <= set(COMMANDS)


NAMED_OTHERWISE = {
    "delete": "del", "mget_nonatomic": "mget", "xgroup_create": "xgroup", "xgroup_createconsumer": "xgroup",
    "xgroup_delconsumer": "xgroup", "xinfo_consumers": "xinfo|consumers",
}  # fmt: skip
NO_COMMANDS = {"pubsub", "pipeline", "initialize", "connection_pool", "aclose", "execute_command"}


def test_the_ledger_calls_only_commands_that_are_in_the_permissions() -> None:
    called = set()
    for path in (ROOT / "ha_rag" / "ledger").rglob("*.py"):
        called |= set(re.findall(r"client\.(\w+)\(", path.read_text()))
    assert {"zadd", "xrange", "evalsha", "hset"} <= called
    commands = {NAMED_OTHERWISE.get(name, name) for name in called - NO_COMMANDS}
    assert commands <= {*COMMANDS, *HELPFUL_COMMANDS, *ALERTER_COMMANDS}


def test_a_check_tries_every_required_command() -> None:
    assert {*samples(Keys(NAMESPACE), SERVICE), "subscribe"} == set(COMMANDS)


def test_the_documentation_lists_the_permissions_exactly() -> None:
    assert set(replica_rules()) == set(acl_rules("ha_rag").split())
    assert set(alerter_rules()) == {f"+{command}" for command in ALERTER_COMMANDS}
