"""Two processes of one web application: failures in the first open the circuit in the second."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.examples.shop import Payments, charged, post, running
from tests.ports import free_port
from tests.waiting import until

FASTAPI = ("uvicorn", "examples.fastapi_app:app", "--port", "{port}")
MIN_SAMPLES = 5
"""The examples' own: so many calls of its own would open the circuit of a process."""
FLASK = ("flask", "--app", "examples.flask_app", "run", "--port", "{port}")


@pytest.fixture
def payments() -> Iterator[Payments]:
    service = Payments()
    yield service
    service.close()


def answers_well(port: int) -> bool:
    return post(f"http://127.0.0.1:{port}/charge/7")[0] == 200


@pytest.mark.parametrize("command", [FASTAPI, FLASK], ids=["fastapi", "flask"])
async def test_one_users_bad_orders_do_not_close_payments_for_everybody(
    command: tuple[str, ...], payments: Payments, fake_redis_server: str
) -> None:
    port = free_port()
    words = [word.format(port=port) for word in command]
    with running(*words, redis=fake_redis_server, payments=payments.url):
        await until(partial(answers_well, port))
        for payments.status in (400, 404, 422):
            assert {post(f"http://127.0.0.1:{port}/charge/7")[0] for _ in range(10)} == {payments.status}
        payments.status = 200
        assert charged(post(f"http://127.0.0.1:{port}/charge/7")[2]) == "paid"


@pytest.mark.parametrize("command", [FASTAPI, FLASK], ids=["fastapi", "flask"])
async def test_what_one_process_learns_protects_the_other(
    command: tuple[str, ...], payments: Payments, fake_redis_server: str
) -> None:
    first, second = free_port(), free_port()
    services = {"redis": fake_redis_server, "payments": payments.url}
    with (
        running(*[word.format(port=first) for word in command], **services),
        running(*[word.format(port=second) for word in command], **services),
    ):
        for port in (first, second):
            await until(partial(answers_well, port))
        assert charged(post(f"http://127.0.0.1:{first}/charge/7")[2]) == "paid"
        payments.status = 500
        answers = [post(f"http://127.0.0.1:{first}/charge/7")[0] for _ in range(20)]
        assert answers[0] == 502
        assert answers[-1] == 503
        received = payments.calls
        await until(lambda: post(f"http://127.0.0.1:{second}/charge/7")[0] == 503, every_s=1.0)
        status, headers, body = post(f"http://127.0.0.1:{second}/charge/7")
        assert (status, "nothing was charged" in body) == (503, True)
        assert 1 <= int(headers.get("Retry-After") or headers["retry-after"]) <= 12
        assert payments.calls - received < MIN_SAMPLES, "the second learned it from the first, not from its own calls"
