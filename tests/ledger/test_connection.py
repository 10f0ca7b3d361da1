"""Redis addresses, and the options of the clients."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.connection import SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedSSLConnection

from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.address import Address, parse
from ha_rag.ledger.store.connection import close, connect
from tests.patient_replicas import REPLY_S
from tests.redis_servers import RedisProcess

H = "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", Address(kind="single", hosts=(("h", 6379),))),
        ("redis://h:7000/3", Address(kind="single", hosts=(("h", 7000),), db=3)),
        ("redis://[::1]:7000", Address(kind="single", hosts=(("::1", 7000),))),
        ("redis://:p%40ss@h", Address(kind="single", hosts=(("h", 6379),), password="p@ss")),
        (
            "redis://app:p@h?protocol=3",
            Address(kind="single", hosts=(("h", 6379),), username="app", password="p", protocol=3),
        ),
        (
            "rediss://h?ssl_ca_certs=/ca.pem&ssl_check_hostname=false",
            Address(
                kind="single", hosts=(("h", 6379),), tls=True,
                tls_options={"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False},
            ),
        ),
        ("unix:///run/r.sock?db=2&password=p", Address(kind="unix", path="/run/r.sock", db=2, password="p")),
        ("redis+sentinel://a,b:7/mine", Address(kind="sentinel", hosts=(("a", 26379), ("b", 7)), service="mine")),
        (
            "redis+sentinel://:p@a/mine/4",
            Address(kind="sentinel", hosts=(("a", 26379),), service="mine", db=4, password="p"),
        ),
        ("redis+cluster://a,b:7", Address(kind="cluster", hosts=(("a", 6379), ("b", 7)))),
        ("rediss+cluster://a", Address(kind="cluster", hosts=(("a", 6379),), tls=True)),
    ],
)  # fmt: skip
def test_an_address_is_parsed_from_its_url(url: str, expected: Address) -> None:
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("", "must begin with one of redis://"),
        ("localhost:6379", "must begin with one of redis://"),
        ("http://h", "must begin with one of redis://"),
        ("redis://", "must name a host"),
        ("redis://:6379", "must name a host"),
        ("redis://h:port", "must name a valid host"),
        ("redis://h:99999", "must name a valid host"),
        ("redis://h/one", "db: must be a whole number"),
        ("redis://h/-1", "must be a whole number"),
        ("redis://h/0/1", "nothing can follow"),
        ("redis://a,b", "use redis+sentinel:// or redis+cluster://"),
        ("unix://", "must name a socket"),
        ("redis+sentinel://a", "must name the sentinels' service"),
        ("redis+cluster://a/1", "only database 0"),
        ("redis://h?socket_timeout=60", "'socket_timeout' is none of"),
        ("redis://h?ssl_ca_certs=x", "'ssl_ca_certs' is none of"),
        ("redis://h?sentinel_password=x", "'sentinel_password' is none of"),
        ("redis://h?protocol=4", "must be 2 or 3"),
        ("rediss://h?ssl_cert_reqs=maybe", "must be none, optional or required"),
        ("rediss://h?ssl_check_hostname=maybe", "must be true or false"),
        ("redis://[::1", "must be a Redis address"),
        ("redis://h?db", "must be a Redis address"),
    ],
)
def test_an_invalid_address_is_refused_with_the_reason(url: str, rule: str) -> None:
    with pytest.raises(ConfigurationError, match=r"redis_url: ") as refused:
        connect(url)
    assert rule in str(refused.value)


def test_no_error_and_no_address_shows_a_password() -> None:
    with pytest.raises(ConfigurationError) as refused:
        connect("redis://app:hunter2@h/one")
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(parse("redis://app:hunter2@h"))


def test_an_invalid_protocol_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be 2 or 3"):
        connect("redis://h", protocol=1)


@pytest.mark.production_limits
@pytest.mark.parametrize(
    "url", [f"redis://{H}", f"rediss://{H}", "unix:///r.sock", f"redis+sentinel://{H}/m", f"redis+cluster://{H}"]
)
async def test_a_command_is_not_retried_and_fails_within_the_timeout(url: str) -> None:
    client: Any = connect(url)
    options = client.connection_kwargs if isinstance(client, RedisCluster) else client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.25, 0.25)
    assert options["health_check_interval"] > 0
    retry = client.retry if isinstance(client, RedisCluster) else options["retry"]
    assert retry.get_retries() == 0
    if not isinstance(client, RedisCluster):
        assert client.connection_pool.max_connections == 64
    await close(client)


async def test_a_sentinel_command_is_not_retried() -> None:
    client: Any = connect("rediss+sentinel://a,b/mine?sentinel_password=s", timeout_s=0.1)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.connection_class is SentinelManagedSSLConnection
    for sentinel in pool.sentinel_manager.sentinels:
        options = sentinel.connection_pool.connection_kwargs
        assert (options["retry"].get_retries(), options["socket_timeout"], options["password"]) == (0, 0.1, "s")
        assert sentinel.connection_pool.connection_class is SSLConnection
    await close(client)


async def test_with_sentinels_the_database_and_the_sentinels_credentials_come_from_the_url() -> None:
    client: Any = connect("redis+sentinel://a/mine/4?sentinel_username=u&sentinel_password=s")
    assert client.connection_pool.connection_kwargs["db"] == 4
    (sentinel,) = client.connection_pool.sentinel_manager.sentinels
    options = sentinel.connection_pool.connection_kwargs
    assert (options["username"], options["password"]) == ("u", "s")
    await close(client)


async def test_a_cluster_is_discovered_through_every_host_of_its_url() -> None:
    client: Any = connect("rediss+cluster://a,b:7?ssl_check_hostname=false", max_connections=5)
    nodes = client.nodes_manager.startup_nodes.values()
    assert [(node.host, node.port, node.max_connections) for node in nodes] == [("a", 6379, 5), ("b", 7, 5)]
    assert all(issubclass(node.connection_class, SSLConnection) for node in nodes)
    assert not any(node.connection_kwargs["ssl_check_hostname"] for node in nodes)
    await close(client)


async def test_tls_connections_require_certificates() -> None:
    client: Any = connect("rediss://h")
    assert isinstance(client, Redis)
    assert isinstance(client.connection_pool, BlockingConnectionPool)
    connection = client.connection_pool.make_connection()
    assert isinstance(connection, SSLConnection)
    assert connection.check_hostname
    await close(client)


@pytest.mark.parametrize("protocol", [2, 3])
async def test_every_kind_of_redis_is_reachable_by_its_url(protocol: int, any_redis_url: str) -> None:
    client: Any = connect(any_redis_url, protocol=protocol, timeout_s=REPLY_S)
    assert await client.ping()
    await close(client)


@pytest.mark.real_redis
async def test_a_unix_socket_is_reachable_by_its_path(own_redis_server: RedisProcess, tmp_path: Any) -> None:
    own_redis_server.kill()
    server = RedisProcess(tmp_path, options=("--unixsocket", str(tmp_path / "r.sock")))
    server.start()
    client: Any = connect(f"unix://{tmp_path / 'r.sock'}?db=1", timeout_s=REPLY_S)
    try:
        assert await client.ping()
    finally:
        await close(client)
        server.kill()


def test_tls_options_are_accepted_in_either_case_with_each_of_their_values() -> None:
    def options(query: str) -> dict[str, str | bool]:
        return dict(parse(f"rediss://h?{query}").tls_options)

    for text, value in (("true", True), ("TRUE", True), ("false", False), ("False", False)):
        assert options(f"ssl_check_hostname={text}") == {"ssl_check_hostname": value}
    for text in ("none", "optional", "required"):
        assert options(f"ssl_cert_reqs={text}") == {"ssl_cert_reqs": text}
