"""Creates redis-py clients without retries and with short timeouts.

By default redis-py retries ten times with backoff and waits 5 s for a reply, so a frozen Redis blocks its callers.
Here a command fails after `timeout_s` at the latest, and the caller decides whether to retry.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider

from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.address import Address, parse
from ha_rag.ledger.store.credentials import Credentials, checked
from ha_rag.ledger.store.login import Passwords, quiet_login, quiet_parser

Client = Redis | RedisCluster


def connect(
    url: str, *, timeout_s: float = 0.25, protocol: int | None = None, max_connections: int = 64,
    client_name: str | None = None, credential_provider: Credentials | None = None,
) -> Client:  # fmt: skip
    """Creates a client for the Redis at `url` (formats: `address.py`). Sends nothing yet.

    `timeout_s`: for connecting and for each reply. `protocol`: RESP version, 2 or 3; None: the URL's, or redis-py's
    default. `max_connections`: pool size (on a cluster: for each node). `credential_provider`: gives the password for
    each new connection (of a sentinel's service, not of the sentinels), for passwords that change.
    Raises ConfigurationError. The client belongs to one event loop; `close` closes it.
    """
    if protocol not in (None, 2, 3):
        raise ConfigurationError(f"protocol = {protocol!r}: must be 2 or 3")
    address = parse(url)
    provider = checked(credential_provider, address)
    options = _options(address, timeout_s, protocol or address.protocol, client_name, provider)
    if address.kind == "cluster":
        return _cluster(address, options, max_connections)
    if address.kind == "sentinel":
        return _sentinel(address, options, max_connections)
    return _single(address, options, max_connections, timeout_s)


async def close(client: Client) -> None:
    """Closes a client's connections, including those to sentinels."""
    await client.aclose()
    pool = None if isinstance(client, RedisCluster) else client.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        await pool.sentinel_manager.aclose()


def _options(
    address: Address,
    timeout_s: float,
    protocol: int | None,
    client_name: str | None,
    provider: CredentialProvider | None,
) -> dict[str, Any]:
    login = {"username": address.username, "password": address.password, "credential_provider": provider}
    passwords = Passwords(address, provider)
    given = {**login, "protocol": protocol, "client_name": client_name}
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "health_check_interval": 10,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": True,
        "parser_class": quiet_parser(passwords),
        # Invalid UTF-8 in a reason must not keep a circuit from opening.
        "encoding_errors": "replace",
        "redis_connect_func": quiet_login(passwords),
        **{name: value for name, value in given.items() if value is not None},
        **address.tls_options,
    }


def _single(address: Address, options: dict[str, Any], max_connections: int, timeout_s: float) -> Redis:
    if address.kind == "unix":
        target: dict[str, Any] = {"connection_class": UnixDomainSocketConnection, "path": address.path}
    else:
        host, port = address.hosts[0]
        target = {"connection_class": SSLConnection if address.tls else Connection, "host": host, "port": port}
    return Redis.from_pool(
        BlockingConnectionPool(max_connections=max_connections, timeout=timeout_s, db=address.db, **target, **options)
    )


def _sentinel(address: Address, options: dict[str, Any], max_connections: int) -> Redis:
    shared = ("socket_timeout", "socket_connect_timeout", "retry", "redis_connect_func")
    sentinel_options = {name: options[name] for name in shared}
    if address.tls:
        sentinel_options |= {"ssl": True, **address.tls_options}
        options = {"ssl": True, **options}
    login = {"username": address.sentinel_username, "password": address.sentinel_password}
    sentinel_options |= {name: value for name, value in login.items() if value is not None}
    hosts = list(address.hosts)
    sentinel: Any = Sentinel  # redis-py does not annotate it
    manager = sentinel(hosts, sentinel_kwargs=sentinel_options)
    for asked in manager.sentinels:
        asked.connection_pool.connection_kwargs["parser_class"] = options["parser_class"]
    client: Redis = manager.master_for(address.service, db=address.db, max_connections=max_connections, **options)
    return client


def _cluster(address: Address, options: dict[str, Any], max_connections: int) -> RedisCluster:
    # No arguments of its constructor, but of the connections that its nodes open.
    of_connections = {name: options.pop(name) for name in ("redis_connect_func", "parser_class")}
    nodes = [ClusterNode(host, port) for host, port in address.hosts]
    client = RedisCluster(startup_nodes=nodes, max_connections=max_connections, ssl=address.tls, **options)
    manager: Any = client.nodes_manager
    for holder in (manager, *manager.startup_nodes.values()):
        holder.connection_kwargs.update(of_connections)
    return client
