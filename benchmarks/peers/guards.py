"""Each contender in front of the service: one guarded call, and whether it was refused.

Imports a contender's library only when it is used: LiteLLM lives in an environment of its own, without ours. All have
the same terms as far as they can be told them: the fifth failure opens, then `open_s`, then one probe at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

FAILURES = 5
NAME = "service"
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Is it up?"}]}


class RefusedError(Exception):
    """The call was not sent to the service."""


Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where the service and Redis are. `open_s`: how long a circuit stays open. `timeout_s`: of one call."""

    service: str
    redis_url: str
    open_s: float
    timeout_s: float


@contextlib.asynccontextmanager
async def request(site: Site) -> AsyncIterator[Call]:
    """The call itself: raises unless the service answers with a status below 500 in time."""
    timeout = aiohttp.ClientTimeout(total=site.timeout_s)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call() -> None:
            async with session.post(f"{site.service}/v1/chat/completions", json=BODY) as reply:
                text = await reply.text()
                if reply.status == 503 and "no healthy upstream" in text:
                    raise RefusedError
                reply.raise_for_status()

        yield call


@contextlib.asynccontextmanager
async def unguarded(site: Site) -> AsyncIterator[Call]:
    """Nothing but the call's own timeout."""
    async with request(site) as call:
        yield call


@contextlib.asynccontextmanager
async def ours(site: Site, recovery_backoff: float = 2.0) -> AsyncIterator[Call]:
    """Our circuit with its defaults, but for the common terms."""
    from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry

    policy = CircuitPolicy(
        min_samples=FAILURES, recovery_timeout_s=site.open_s, recovery_backoff=recovery_backoff,
    )  # fmt: skip
    async with request(site) as call, CircuitRegistry.connect(site.redis_url, namespace="peers") as circuits:
        breaker = circuits.breaker(NAME, policy)

        async def guarded() -> None:
            try:
                await breaker.call(call)
            except CircuitOpenError:
                raise RefusedError from None

        yield guarded


@contextlib.asynccontextmanager
async def ours_without_backoff(site: Site) -> AsyncIterator[Call]:
    """The open time does not grow after a failed probe, as the peers' does not."""
    async with ours(site, recovery_backoff=1.0) as guarded:
        yield guarded


@contextlib.asynccontextmanager
async def interlock(site: Site) -> AsyncIterator[Call]:
    """interlock-cb with its Redis storage: two probes close it, one at a time, as ours."""
    import redis.asyncio
    from interlock import CircuitBreaker, CircuitOpenError, Config
    from interlock.integrations.redis import AsyncRedisStorage

    config = Config(
        minimum_number_of_calls=FAILURES, wait_duration_in_open=site.open_s,
        permitted_calls_in_half_open=2, max_concurrent_probes=1,
    )  # fmt: skip
    client = redis.asyncio.Redis.from_url(site.redis_url)
    async with request(site) as call, client:
        breaker = CircuitBreaker(name=NAME, config=config, storage=AsyncRedisStorage(client))

        async def guarded() -> None:
            try:
                await breaker.call_async(call)
            except CircuitOpenError:
                raise RefusedError from None

        try:
            yield guarded
        finally:
            await breaker.aclose()


@contextlib.asynccontextmanager
async def pybreaker(site: Site) -> AsyncIterator[Call]:
    """pybreaker with its Redis storage. It is synchronous: each call has a thread, where it waits for the request."""
    import pybreaker as library
    import redis

    storage = library.CircuitRedisStorage(library.STATE_CLOSED, redis.StrictRedis.from_url(site.redis_url))
    breaker = library.CircuitBreaker(fail_max=FAILURES, reset_timeout=site.open_s, state_storage=storage)
    loop = asyncio.get_running_loop()
    async with request(site) as call:

        async def sent() -> None:
            await call()

        def in_a_thread() -> None:
            asyncio.run_coroutine_threadsafe(sent(), loop).result()

        async def guarded() -> None:
            try:
                await asyncio.to_thread(breaker.call, in_a_thread)
            except library.CircuitBreakerError:
                raise RefusedError from None

        yield guarded


@contextlib.asynccontextmanager
async def purgatory(site: Site) -> AsyncIterator[Call]:
    """purgatory's asynchronous circuit and Redis store (its synchronous one does not work)."""
    from purgatory import AsyncCircuitBreakerFactory, AsyncRedisUnitOfWork
    from purgatory.domain.model import OpenedState

    factory = AsyncCircuitBreakerFactory(
        default_threshold=FAILURES, default_ttl=site.open_s, uow=AsyncRedisUnitOfWork(site.redis_url)
    )
    await factory.initialize()
    async with request(site) as call:

        async def guarded() -> None:
            breaker = await factory.get_breaker(NAME)
            try:
                async with breaker:
                    await call()
            except OpenedState:
                raise RefusedError from None

        yield guarded


@contextlib.asynccontextmanager
async def litellm(site: Site) -> AsyncIterator[Call]:
    """LiteLLM's Router with its Redis: a deployment that failed too often cools down for the whole fleet."""
    from urllib.parse import urlsplit

    from litellm import Router
    from litellm.types.router import RouterRateLimitError

    address = urlsplit(site.redis_url)
    deployment: dict[str, Any] = {
        "model_name": NAME,
        "litellm_params": {
            "model": "openai/gpt-4o-mini", "api_base": f"{site.service}/v1", "api_key": "none",
            "timeout": site.timeout_s, "max_retries": 0,
        },
    }  # fmt: skip
    router = Router(
        model_list=[deployment], num_retries=0, timeout=site.timeout_s, allowed_fails=FAILURES - 1,
        cooldown_time=site.open_s, redis_host=address.hostname, redis_port=address.port,
    )  # fmt: skip

    async def guarded() -> None:
        try:
            await router.acompletion(model=NAME, messages=BODY["messages"])
        except RouterRateLimitError:
            raise RefusedError from None

    yield guarded


GUARDS: dict[str, Callable[[Site], contextlib.AbstractAsyncContextManager[Call]]] = {
    "unguarded": unguarded,
    "ours": ours,
    "ours, without backoff": ours_without_backoff,
    "interlock-cb": interlock,
    "pybreaker": pybreaker,
    "purgatory": purgatory,
    "LiteLLM's Router": litellm,
    "Envoy": unguarded,
}
"""Envoy guards outside the process: it stands between, and the replica only calls."""
