"""The transports for httpx and aiohttp: each host has a circuit of its own, and a reply counts by its status."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import httpx
import pytest

from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry, CircuitState
from ha_rag.clock import ManualClock
from ha_rag.transports import AiohttpGuard, AsyncHttpxTransport, Hosts, HttpxTransport
from ha_rag.transports.hosts import circuit_name
from tests.ports import free_port
from tests.waiting import PATIENCE_S

POLICY = CircuitPolicy(min_samples=3, probe_successes=1)
Get = Callable[[str], Awaitable[int]]


class Service:
    """`status` and `headers`: of every reply. /hang is answered once `answers` is set."""

    def __init__(self) -> None:
        self.status, self.headers, self.calls = 200, {"Content-Length": "0"}, 0
        self.answers = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.calls += 1
                if self.path == "/hang":
                    service.answers.wait(PATIENCE_S)
                self.send_response(service.status)
                for name, text in service.headers.items():
                    self.send_header(name, text)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.close()


@pytest.fixture
def other() -> Iterator[Service]:
    running = Service()
    yield running
    running.close()


@asynccontextmanager
async def by_aiohttp(circuits: CircuitRegistry, **settings: Any) -> Any:
    async with aiohttp.ClientSession(middlewares=[AiohttpGuard(circuits, POLICY, **settings)]) as session:

        async def get(url: str) -> int:
            async with session.get(url) as reply:
                return reply.status

        yield get


@asynccontextmanager
async def by_httpx(circuits: CircuitRegistry, **settings: Any) -> Any:
    async with httpx.AsyncClient(transport=AsyncHttpxTransport(circuits, POLICY, **settings)) as client:

        async def get(url: str) -> int:
            return (await client.get(url)).status_code

        yield get


@asynccontextmanager
async def by_httpx_in_a_thread(circuits: CircuitRegistry, **settings: Any) -> Any:
    with httpx.Client(transport=HttpxTransport(circuits, POLICY, **settings)) as client:

        async def get(url: str) -> int:
            return (await asyncio.to_thread(client.get, url)).status_code

        yield get


CLIENTS = [by_aiohttp, by_httpx, by_httpx_in_a_thread]
every_client = pytest.mark.parametrize("client", CLIENTS, ids=[client.__name__ for client in CLIENTS])


@pytest.fixture
def circuits() -> CircuitRegistry:
    return CircuitRegistry.connect(replica="r1", clock=ManualClock())


def states(circuits: CircuitRegistry) -> dict[str, str]:
    return {report.name: str(report.state) for report in circuits.snapshot()}


@every_client
async def test_a_host_that_fails_is_not_called_any_more_and_others_are(
    client: Any, circuits: CircuitRegistry, service: Service, other: Service
) -> None:
    service.status = 500
    async with client(circuits) as get:
        for _ in range(3):
            assert await get(service.url) == 500
            assert await get(other.url) == 200
        with pytest.raises(CircuitOpenError) as refused:
            await get(service.url)
        assert refused.value.circuit == f"127.0.0.1-{service.port}"
        assert await get(other.url) == 200
    assert (service.calls, other.calls) == (3, 4)
    assert states(circuits) == {f"127.0.0.1-{service.port}": "open", f"127.0.0.1-{other.port}": "closed"}


@every_client
async def test_bad_requests_do_not_close_a_host_for_others(
    client: Any, circuits: CircuitRegistry, service: Service
) -> None:
    service.status = 404
    async with client(circuits) as get:
        assert [await get(service.url) for _ in range(10)] == [404] * 10
    assert service.calls == 10


@every_client
async def test_a_requested_pause_is_kept(client: Any, circuits: CircuitRegistry, service: Service) -> None:
    service.status, service.headers = 429, {"Retry-After": "7", "Content-Length": "0"}
    async with client(circuits) as get:
        assert await get(service.url) == 429
        with pytest.raises(CircuitOpenError) as refused:
            await get(service.url)
    assert refused.value.retry_after_s == pytest.approx(7.0)


@every_client
async def test_a_host_that_refuses_connections_opens_its_circuit(client: Any, circuits: CircuitRegistry) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    async with client(circuits) as get:
        for _ in range(3):
            with pytest.raises((aiohttp.ClientConnectionError, httpx.ConnectError)):
                await get(url)
        with pytest.raises(CircuitOpenError):
            await get(url)


@every_client
async def test_a_host_that_recovers_is_called_again(client: Any, service: Service) -> None:
    clock = ManualClock()
    circuits = CircuitRegistry.connect(replica="r1", clock=clock)
    service.status = 500
    async with client(circuits) as get:
        for _ in range(3):
            await get(service.url)
        service.status = 200
        clock.advance(POLICY.recovery_timeout_s * 1.2)
        assert await get(service.url) == 200
    assert set(states(circuits).values()) == {"closed"}


@every_client
async def test_hosts_may_share_a_circuit_or_have_none(
    client: Any, circuits: CircuitRegistry, service: Service, other: Service
) -> None:
    service.status = other.status = 500

    def name(host: str, port: int | None) -> str | None:
        return "payments" if port == service.port else None

    async with client(circuits, name=name) as get:
        for _ in range(5):
            assert await get(other.url) == 500
        for _ in range(3):
            await get(service.url)
        with pytest.raises(CircuitOpenError, match="payments"):
            await get(service.url)
    assert states(circuits) == {"payments": "open"}


async def test_each_hop_of_a_redirect_passes_the_circuit_of_its_own_host(
    circuits: CircuitRegistry, service: Service, other: Service
) -> None:
    service.status, service.headers = 302, {"Location": other.url, "Content-Length": "0"}
    other.status = 500
    async with by_aiohttp(circuits) as get:
        for _ in range(3):
            assert await get(service.url) == 500
    assert states(circuits) == {f"127.0.0.1-{service.port}": "closed", f"127.0.0.1-{other.port}": "open"}


async def test_aiohttps_total_timeout_counts_as_a_timeout(service: Service) -> None:
    circuits = CircuitRegistry.connect(replica="r1")
    guard = AiohttpGuard(circuits, POLICY, timeout_s=0.2)
    total = aiohttp.ClientTimeout(total=0.2)
    async with aiohttp.ClientSession(middlewares=[guard], timeout=total) as session:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await session.get(f"{service.url}hang")
    assert set(states(circuits).values()) == {"open"}


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("api.example.com", None, "api.example.com"),
        ("api.example.com", 8443, "api.example.com-8443"),
        ("münchen.example", None, "xn--mnchen-3ya.example"),
        ("::1", 80, "1-80"),
        ("fe80::1", None, "fe80--1"),
        ("", None, "unnamed"),
        ("a" * 300, None, "a" * 128),
    ],
)
def test_a_circuit_is_named_after_its_host(host: str, port: int | None, name: str) -> None:
    assert circuit_name(host, port) == name
    CircuitRegistry.connect(replica="r1").breaker(name)


def test_the_settings_of_a_hosts_circuits_are_those_of_a_breaker(circuits: CircuitRegistry) -> None:
    hosts = Hosts(circuits, POLICY, timeout_s=2.0, record=ConnectionError)
    breaker = hosts.breaker("api.example.com", None)
    assert breaker is not None
    assert (breaker.timeout_s, breaker.policy, breaker.state) == (2.0, POLICY, CircuitState.CLOSED)
    assert hosts.breaker("api.example.com", None) is breaker
    assert circuits.breaker("api.example.com") is breaker


@pytest.mark.parametrize(("library", "name"), [("httpx", "AsyncHttpxTransport"), ("aiohttp", "AiohttpGuard")])
def test_without_its_library_a_class_names_the_extra(library: str, name: str) -> None:
    program = f"""
import sys
sys.modules[{library!r}] = None
import ha_rag.transports
try:
    ha_rag.transports.{name}
except ImportError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == f"{name} needs {library}: pip install 'ha-rag[{library}]'"


def test_the_core_and_the_package_import_neither_library() -> None:
    program = "import sys, ha_rag.transports, ha_rag.breaker.registry; print({'httpx', 'aiohttp'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"
