"""Passwords that change: a credential provider, as redis-py has it, asked at each new connection."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import redis
from redis.asyncio import RedisCluster
from redis.credentials import CredentialProvider, UsernamePasswordCredentialProvider

from ha_rag import CircuitPolicy, CircuitRegistry, CircuitState
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store import credentials
from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.credentials import AskedProvider
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess
from tests.waiting import until


class Vault:
    """A provider of the simplest kind. `login`: what it returns, or raises."""

    def __init__(self, *login: Any) -> None:
        self.login: Any = login
        self.asked = 0
        self.threads: set[int] = set()

    def get_credentials(self) -> Any:
        self.asked += 1
        self.threads.add(threading.get_ident())
        if isinstance(self.login, Exception):
            raise self.login
        return self.login


class AsyncVault(CredentialProvider):
    """redis-py's kind, with its asynchronous form."""

    def __init__(self, *login: str) -> None:
        self.login = login

    def get_credentials(self) -> Any:
        raise AssertionError("the asynchronous form is there")

    async def get_credentials_async(self) -> Any:
        await asyncio.sleep(0)
        return self.login


def set_password(server: RedisProcess, password: str) -> None:
    """Gives the user "app" this password alone, and closes every connection that used another."""
    with redis.Redis.from_url(server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "app", "on", "resetpass", f">{password}", "~*", "&*", "+@all")
        for client in admin.client_list():
            if client["user"] == "app":
                admin.client_kill_filter(_id=client["id"])


# ---- against a real Redis -------------------------------------------------------------------------------------------


@pytest.mark.real_redis
@pytest.mark.parametrize("kind", [Vault, AsyncVault, UsernamePasswordCredentialProvider])
async def test_every_kind_of_provider_logs_in(own_redis_server: RedisProcess, kind: Any) -> None:
    set_password(own_redis_server, "first")
    client: Any = connect(own_redis_server.url, credential_provider=kind("app", "first"), timeout_s=REPLY_S)
    try:
        assert await client.execute_command("ACL", "WHOAMI") == "app"
    finally:
        await close(client)


@pytest.mark.real_redis
async def test_a_replica_keeps_sharing_its_circuits_across_a_rotation(own_redis_server: RedisProcess) -> None:
    set_password(own_redis_server, "first")
    vaults = [Vault("app", "first"), Vault("app", "first")]
    policy = CircuitPolicy(min_samples=3, recovery_timeout_s=60.0)
    replicas = [
        CircuitRegistry.connect(own_redis_server.url, replica=name, credential_provider=vault)
        for name, vault in zip("ab", vaults, strict=True)
    ]
    async with replicas[0] as a, replicas[1] as b:
        of_a, of_b = a.breaker("svc", policy), b.breaker("svc", policy)
        await until(lambda: of_a.shared_state == of_b.shared_state == "fresh")

        set_password(own_redis_server, "second")
        await until(lambda: of_a.shared_state != "fresh")
        for vault in vaults:
            vault.login = ("app", "second")
        await until(lambda: of_a.shared_state == of_b.shared_state == "fresh")
        while (permit := of_a.admit().permit) is not None:
            permit.failed()
        await until(lambda: of_b.state == CircuitState.OPEN)
    assert all(threading.get_ident() not in vault.threads for vault in vaults), "it may block, so not on the event loop"


@pytest.mark.real_redis
async def test_a_provider_that_fails_is_a_redis_that_is_unreachable(own_redis_server: RedisProcess) -> None:
    set_password(own_redis_server, "first")
    vault = Vault()
    vault.login = RuntimeError("the vault is sealed; its token is hunter2")
    told: list[Any] = []
    registry = CircuitRegistry.connect(
        own_redis_server.url, replica="a", credential_provider=vault, sinks=[told.append]
    )
    async with registry as circuits:
        svc = circuits.breaker("svc")
        assert svc.call_sync(int) == 0
        assert svc.shared_state != "fresh"
        vault.login = ("app", "first")
        await until(lambda: svc.shared_state == "fresh")
    assert "hunter2" not in repr(told)


# ---- the options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["redis://h", "rediss://h", "unix:///r.sock", "redis+sentinel://h/m?sentinel_password=s", "redis+cluster://h"],
)
async def test_every_kind_of_address_takes_a_provider(url: str) -> None:
    client: Any = connect(url, credential_provider=Vault("p"))
    options = client.connection_kwargs if isinstance(client, RedisCluster) else client.connection_pool.connection_kwargs
    assert isinstance(options["credential_provider"], AskedProvider)
    assert options.get("password") is None
    await close(client)


@pytest.mark.parametrize("url", ["redis://:p@h", "redis://app@h", "unix:///r?password=p", "redis+cluster://a:p@h"])
def test_a_url_with_a_login_of_its_own_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="remove the user and password from redis_url"):
        CircuitRegistry.connect(url, credential_provider=Vault("p"))


@pytest.mark.parametrize("nonsense", ["secret", object(), lambda: ("p",)])
def test_what_cannot_be_asked_is_refused_without_showing_it(nonsense: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"must have get_credentials\(\)") as refused:
        CircuitRegistry.connect("redis://h", credential_provider=nonsense)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("login", [(), ("a", "b", "c"), (None,), ("app", 1), ["p"], "p", None])
async def test_an_answer_that_is_no_login_is_a_failed_connection(login: Any) -> None:
    vault = Vault()
    vault.login = login
    with pytest.raises(redis.ConnectionError, match=r"must return \(password,\) or \(user, password\)"):
        await AskedProvider(vault).get_credentials_async()


async def test_a_provider_that_hangs_is_asked_once_and_its_late_answer_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(credentials, "PROVIDE_S", 0.01)
    answer = threading.Event()

    class Slow(Vault):
        def get_credentials(self) -> Any:
            answer.wait()
            return super().get_credentials()

    slow = Slow("p")
    provider = AskedProvider(slow)
    for _ in range(5):
        with pytest.raises(redis.ConnectionError, match="TimeoutError"):
            await provider.get_credentials_async()
    monkeypatch.setattr(credentials, "PROVIDE_S", 10.0)
    waiting = asyncio.ensure_future(provider.get_credentials_async())
    await asyncio.sleep(0)
    answer.set()
    assert await waiting == ("p",)
    assert slow.asked == 1
