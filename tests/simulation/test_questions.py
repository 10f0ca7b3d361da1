"""The load generator: bounded, counted, and with honest latencies."""

import asyncio
from collections import deque
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ha_rag.errors import ConfigurationError
from ha_rag.simulation.load_stats import QuestionResult
from ha_rag.simulation.questions import LoadProfile, ask_closed, ask_open
from tests.ports import free_port

GOOD = {"answer": "Yes [1].", "degraded": False, "served_by": {"generator": "primary"}, "replica": "a"}
DEGRADED = {"answer": "Perhaps.", "degraded": True, "served_by": {"generator": "extractive"}, "replica": "b"}


@asynccontextmanager
async def fleet(*replies):
    """Answers with `replies` in turn: an object (200), a status, or an event to wait for first."""
    turns, asked = deque(replies), []

    async def answer(request):
        asked.append(await request.json())
        reply = turns[0]
        turns.rotate(-1)
        if isinstance(reply, asyncio.Event):
            await reply.wait()
            reply = GOOD
        return web.Response(status=reply) if isinstance(reply, int) else web.json_response(reply)

    app = web.Application()
    app.router.add_post("/v1/query", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_a_closed_loop_asks_exactly_count_questions():
    async with fleet(GOOD, DEGRADED) as (url, asked):
        tally = await ask_closed(LoadProfile(url=url, questions=["a", "b", "c"], count=7), askers=3)
    assert sorted(q["question"] for q in asked) == ["a", "a", "a", "b", "b", "c", "c"]
    assert (tally.asked, tally.answered, tally.failed) == (7, 7, 0)
    assert tally.degraded == 3
    assert tally.served_by == {"generator.primary": 4, "generator.extractive": 3}
    assert tally.replicas == {"a": 4, "b": 3}
    assert 0 < tally.latency_ms(0.5) <= tally.latency_ms(0.99)
    assert tally.per_s > 0


async def test_a_closed_loop_stops_when_its_time_is_up():
    async with fleet(GOOD) as (url, _):
        tally = await ask_closed(LoadProfile(url=url, for_s=0.1))
    assert tally.answered > 0
    assert 0.1 <= tally.took_s < 5


@pytest.mark.parametrize(
    ("reply", "why"),
    [(503, "HTTP 503"), (302, "HTTP 302"), ({}, "no answer in the response"), ([], "no answer in the response")],
)
async def test_a_response_without_an_answer_is_a_failure_with_a_reason(reply, why):
    async with fleet(reply) as (url, _):
        tally = await ask_closed(LoadProfile(url=url, count=2))
    assert (tally.answered, tally.failures) == (0, {why: 2})


async def test_an_unreachable_fleet_is_a_failure_and_not_an_exception():
    tally = await ask_closed(LoadProfile(url=f"http://127.0.0.1:{free_port()}", count=2))
    assert (tally.answered, tally.failed) == (0, 2)


async def test_a_question_without_an_answer_in_time_is_a_failure():
    never = asyncio.Event()
    async with fleet(never) as (url, _):
        tally = await ask_closed(LoadProfile(url=url, count=1, timeout_s=0.05))
        never.set()
    assert tally.failed == 1


async def test_an_open_loop_asks_on_schedule_however_slow_the_answers_are():
    stalled = asyncio.Event()
    async with fleet(stalled) as (url, asked):
        asking = asyncio.create_task(ask_open(LoadProfile(url=url, count=5), per_s=500))
        while len(asked) < 5:
            await asyncio.sleep(0)
        stalled.set()
        tally = await asking
    assert tally.answered == 5


async def test_an_open_loop_counts_what_it_could_not_send():
    stalled = asyncio.Event()
    heard: list[QuestionResult] = []
    async with fleet(stalled) as (url, _):
        asking = asyncio.create_task(
            ask_open(LoadProfile(url=url, count=5, most_in_flight=2), per_s=10_000, heard=heard.append)
        )
        while len(heard) < 3:
            await asyncio.sleep(0)
        stalled.set()
        tally = await asking
    assert tally.failures == {"not sent: too many in flight": 3}
    assert tally.answered == 2


async def test_each_result_is_passed_to_the_listener():
    heard: list[QuestionResult] = []
    async with fleet(GOOD, 503) as (url, _):
        await ask_closed(LoadProfile(url=url, questions=["a"], count=2), heard=heard.append)
    assert [(reply.question, reply.answered, reply.why) for reply in heard] == [
        ("a", True, ""),
        ("a", False, "HTTP 503"),
    ]


async def test_load_stats_can_be_converted_to_json():
    async with fleet(GOOD) as (url, _):
        told = (await ask_closed(LoadProfile(url=url, count=4))).as_json()
    assert told["asked"] == told["answered"] == 4
    assert isinstance(told["ms"], dict)
    assert list(told["ms"]) == ["p50", "p95", "p99"]


async def test_load_stats_without_answers_have_no_latency():
    tally = await ask_closed(LoadProfile(url=f"http://127.0.0.1:{free_port()}", count=1))
    assert tally.as_json()["ms"] == {"p50": None, "p95": None, "p99": None}


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({}, "count, for_s"),
        ({"count": 0}, "count"),
        ({"for_s": float("inf")}, "for_s"),
        ({"count": 1, "questions": []}, "questions"),
        ({"count": 1, "url": "localhost:8000"}, "url"),
    ],
)
def test_an_endless_or_invalid_load_profile_is_refused(settings, word):
    with pytest.raises(ConfigurationError, match=word):
        LoadProfile(**{"url": "http://localhost", **settings})


async def test_invalid_rates_are_refused():
    stream = LoadProfile(url="http://localhost", count=1)
    with pytest.raises(ConfigurationError, match="per_s"):
        await ask_open(stream, per_s=0)
    with pytest.raises(ConfigurationError, match="askers"):
        await ask_closed(stream, askers=0)


def test_a_repr_shows_no_key():
    assert "sk-1" not in repr(LoadProfile(url="http://localhost", count=1, api_key="sk-1"))
