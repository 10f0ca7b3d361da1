"""What counts, for the exceptions and responses of the HTTP clients that people use, each from a real reply."""

from __future__ import annotations

import email.message
import io
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from ha_rag.breaker.judge import Judge
from ha_rag.breaker.outcome import classify
from ha_rag.errors import ServiceError
from ha_rag.outcomes import Outcome
from tests.breaker.one_breaker import CLOSED, OPEN, OneBreaker
from tests.ports import free_port
from tests.waiting import PATIENCE_S

Raise = Callable[[str], Awaitable[None]]


class Service:
    """Answers `/status` with that status, and with `headers`."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(int(self.path.strip("/")))
                for name, text in {**service.headers, "Content-Length": "0"}.items():
                    self.send_header(name, text)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture
def service(running: Service) -> Service:
    running.headers = {}
    return running


async def with_aiohttp(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        reply.raise_for_status()


async def with_httpx(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        (await client.get(url)).raise_for_status()


async def with_requests(url: str) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.get(url, timeout=PATIENCE_S).raise_for_status()


async def with_urllib(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=PATIENCE_S).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise


CLIENTS: list[Raise] = [with_aiohttp, with_httpx, with_requests, with_urllib]
every_client = pytest.mark.parametrize("call", CLIENTS, ids=[call.__name__ for call in CLIENTS])


@every_client
@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 413, 422, 451])
async def test_a_status_that_refuses_one_request_closes_nothing_for_others(
    call: Raise, status: int, service: Service
) -> None:
    one = OneBreaker()
    for _ in range(10):
        with pytest.raises(Exception, match=str(status)):
            await one.breaker.call(call, f"{service.url}/{status}")
    assert one.breaker.state is CLOSED
    assert one.counts.failed == 0


@every_client
@pytest.mark.parametrize("status", [401, 403, 407, 408, 500, 502, 503, 504])
async def test_a_status_that_every_request_would_get_opens_the_circuit(
    call: Raise, status: int, service: Service
) -> None:
    one = OneBreaker()
    for _ in range(4):
        with pytest.raises(Exception, match=str(status)):
            await one.breaker.call(call, f"{service.url}/{status}")
    assert one.breaker.state is OPEN


@every_client
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
async def test_a_requested_pause_opens_the_circuit_at_once_and_for_that_long(
    call: Raise, status: int, service: Service
) -> None:
    service.headers = {"Retry-After": "7"}
    one = OneBreaker()
    with pytest.raises(Exception, match=str(status)):
        await one.breaker.call(call, f"{service.url}/{status}")
    assert one.breaker.state is OPEN
    assert one.refusal().retry_after_s == pytest.approx(7.0)
    assert one.counts.failed == 0


@every_client
async def test_429_without_a_pause_is_a_failure(call: Raise, service: Service) -> None:
    one = OneBreaker()
    with pytest.raises(Exception, match="429"):
        await one.breaker.call(call, f"{service.url}/429")
    assert one.counts.failed == 1


@every_client
async def test_a_refused_connection_is_a_failure(call: Raise) -> None:
    one = OneBreaker()
    with pytest.raises(Exception):  # noqa: B017  # each client has its own class
        await one.breaker.call(call, f"http://127.0.0.1:{free_port()}/200")
    assert one.counts.failed == 1


@pytest.mark.parametrize("call", [with_aiohttp, with_httpx, with_requests], ids=["aiohttp", "httpx", "requests"])
@pytest.mark.parametrize("url", ["no url", "http://"])
async def test_a_request_that_the_client_refuses_to_send_counts_nothing(call: Raise, url: str) -> None:
    one = OneBreaker()
    with pytest.raises(Exception):  # noqa: B017  # each client has its own class
        await one.breaker.call(call, url)
    assert one.counts.failed == 0


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectTimeout("slow"),
        requests.ReadTimeout("slow"),
        requests.ConnectTimeout("slow"),
        aiohttp.ServerTimeoutError("slow"),
        urllib.error.URLError(TimeoutError("slow")),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_a_clients_timeout_is_a_timeout(error: Exception) -> None:
    assert classify(error).outcome is Outcome.TIMEOUT


@pytest.mark.parametrize(
    "error",
    [
        requests.HTTPError("without a response"),
        urllib.error.URLError("no route"),
        aiohttp.ClientConnectionError("gone"),
        aiohttp.InvalidUrlRedirectClientError("http://"),
        httpx.ReadError("gone"),
        httpx.RemoteProtocolError("nonsense"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_an_error_without_an_answer_is_a_failure(error: Exception) -> None:
    assert classify(error).outcome is Outcome.FAILED


def test_an_answer_that_is_not_an_error_of_the_service_counts_for_it() -> None:
    not_modified = urllib.error.HTTPError("http://x", 304, "Not Modified", email.message.Message(), io.BytesIO())
    assert classify(not_modified).outcome is Outcome.OK


def test_a_clients_own_subclass_is_judged_like_its_base() -> None:
    class PaymentTimeout(httpx.ReadTimeout):
        pass

    assert classify(PaymentTimeout("slow")).outcome is Outcome.TIMEOUT


def test_an_sdks_error_is_judged_by_the_response_that_it_carries() -> None:
    class NotFoundError(Exception):
        def __init__(self, response: httpx.Response) -> None:
            super().__init__("no such order")
            self.response = response

    assert classify(NotFoundError(httpx.Response(404))).outcome is Outcome.INVALID
    assert classify(NotFoundError(httpx.Response(500))).outcome is Outcome.FAILED


def test_a_status_without_headers_is_not_an_http_answer() -> None:
    class JobError(Exception):
        status = 404

    assert classify(JobError()).outcome is Outcome.FAILED


def test_a_pipelines_service_error_is_not_judged_by_its_status() -> None:
    """Of an embedding service, 404 says that the model or the address is wrong: every request would get it."""
    assert classify(ServiceError("no such model", status=404)).outcome is Outcome.FAILED


def test_an_exception_whose_attributes_raise_is_a_failure() -> None:
    class HostileError(Exception):
        @property
        def response(self) -> object:
            raise RuntimeError("not set")

    assert Judge().error(HostileError()).outcome is Outcome.FAILED


def test_headers_in_a_dict_are_read_in_any_case() -> None:
    class AnyError(Exception):
        status, headers = 429, {"Retry-After": "3"}

    verdict = classify(AnyError())
    assert (verdict.outcome, verdict.throttled_s) == (Outcome.THROTTLED, 3.0)


# ---- responses that are returned ------------------------------------------------------------------------------------


async def returned_by_httpx(url: str) -> object:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        return await client.get(url)


async def returned_by_aiohttp(url: str) -> object:
    async with aiohttp.ClientSession() as session:
        return await session.get(url)


async def returned_by_requests(url: str) -> object:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=PATIENCE_S)


RETURNING = [returned_by_aiohttp, returned_by_httpx, returned_by_requests]


@pytest.mark.parametrize("call", RETURNING, ids=[call.__name__ for call in RETURNING])
async def test_a_503_that_is_not_raised_is_a_failure_and_is_returned(
    call: Callable[[str], Awaitable[Any]], service: Service
) -> None:
    one = OneBreaker()
    for _ in range(4):
        reply = await one.breaker.call(call, f"{service.url}/503")
        assert 503 in (getattr(reply, "status", None), getattr(reply, "status_code", None))
    assert one.breaker.state is OPEN


@pytest.mark.parametrize(("status", "outcome"), [(200, Outcome.OK), (302, Outcome.OK), (404, Outcome.INVALID)])
async def test_other_responses_are_judged_by_their_status(status: int, outcome: Outcome) -> None:
    permit = OneBreaker().permit()
    assert permit.returned(httpx.Response(status)) is outcome


async def test_a_returned_429_opens_the_circuit_for_the_pause_it_asks_for() -> None:
    one = OneBreaker()
    async with one.breaker as permit:
        permit.returned(httpx.Response(429, headers={"Retry-After": "5"}))
    assert one.refusal().retry_after_s == pytest.approx(5.0)


def test_a_synchronous_call_judges_its_response_too() -> None:
    one = OneBreaker()
    for _ in range(4):
        assert one.breaker.call_sync(lambda: httpx.Response(500)).status_code == 500
    assert one.breaker.state is OPEN


async def test_a_probe_judges_its_response_too() -> None:
    one = OneBreaker()
    one.half_opens()

    async def answer() -> httpx.Response:
        return httpx.Response(500)

    assert (await one.breaker.call(answer)).status_code == 500
    assert one.breaker.state is OPEN
