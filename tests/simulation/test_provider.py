"""The simulated provider over a real port: correct answers, every fault, controls and counts."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import numpy as np
import pytest

from ha_rag.components.embedders.openai import OpenAIEmbedder
from ha_rag.components.generators.openai import OpenAIGenerator
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import (
    ComponentError,
    MalformedReplyError,
    ServiceError,
    ServiceTimeoutError,
    ThrottledError,
)
from ha_rag.messages import Passage
from ha_rag.retry_after import SHORT_PAUSE_S
from ha_rag.simulation import misbehaviour
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, GarbageKind, Target
from ha_rag.simulation.provider import running_provider
from tests.waiting import PATIENCE_S, until

PASSAGES = [
    Passage("breaker.md", "breaker.md#0", "A circuit rests. After its rest the circuit recovers by one good probe."),
    Passage("cake.md", "cake.md#0", "Butter the tin before you pour in the dough."),
]
QUESTION = "How does a circuit recover?"


@pytest.fixture
async def running():
    async with running_provider() as running:
        yield running


@pytest.fixture
async def http(running):
    async with aiohttp.ClientSession(running.url) as session:
        yield session


@asynccontextmanager
async def clients(running, timeout_s=PATIENCE_S):
    service = ServiceConfig(base_url=running.base_url, timeout_s=timeout_s, headers={"X-HA-RAG-Replica": "a"})
    embedder = OpenAIEmbedder(service, model="text-embedding-3-small", dimension=256)
    generator = OpenAIGenerator(service, model="gpt-4o-mini")
    try:
        yield embedder, generator
    finally:
        await embedder.aclose()
        await generator.aclose()


async def embed_error(running, timeout_s=PATIENCE_S):
    async with clients(running, timeout_s) as (embedder, _):
        with pytest.raises(ComponentError) as raised:
            await embedder.embed(QUESTION)
    return raised.value


async def generate_error(running, timeout_s=PATIENCE_S):
    async with clients(running, timeout_s) as (_, generator):
        with pytest.raises(ComponentError) as raised:
            await generator.generate(QUESTION, PASSAGES)
    return raised.value


async def stream_error(running):
    pieces = []
    async with clients(running) as (_, generator):
        try:
            async for piece in generator.stream(QUESTION, PASSAGES):
                pieces.append(piece)
        except ComponentError as error:
            return pieces, error
    raise AssertionError("the stream did not fail")


async def test_its_vectors_of_similar_texts_are_similar(running):
    async with clients(running) as (embedder, _):
        question = await embedder.embed(QUESTION)
        near, far = await embedder.embed_many([p.text for p in PASSAGES])
    assert question.vector @ near.vector > question.vector @ far.vector + 0.1


async def test_its_vectors_are_the_same_in_both_formats(running):
    service = ServiceConfig(base_url=running.base_url)
    compact = OpenAIEmbedder(service, model="m", dimension=256, encoding_format="base64")
    listed = OpenAIEmbedder(service, model="m", dimension=256, encoding_format="float")
    one, other = await compact.embed(QUESTION), await listed.embed(QUESTION)
    await compact.aclose()
    await listed.aclose()
    assert np.allclose(one.vector, other.vector, atol=1e-6)


@pytest.mark.parametrize("dimension", [64, 128, 256, 512, 1536])
async def test_the_requested_dimension_is_returned(running, dimension):
    embedder = OpenAIEmbedder(
        ServiceConfig(base_url=running.base_url), model="text-embedding-3-small", dimension=dimension
    )
    assert (await embedder.embed(QUESTION)).vector.shape == (dimension,)
    assert np.linalg.norm((await embedder.embed("?!")).vector) == pytest.approx(1.0)
    await embedder.aclose()


async def test_its_answers_quote_and_cite_the_passages(running):
    async with clients(running) as (_, generator):
        generation = await generator.generate(QUESTION, PASSAGES)
        pieces = [piece async for piece in generator.stream(QUESTION, PASSAGES)]
    assert "recovers by one good probe [1]." in generation.text
    assert generation.cited == (1,)
    assert len(pieces) > 1
    assert "".join(pieces) == generation.text


async def test_an_error_fault_is_a_service_error(running):
    running.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.ERROR, status=502))
    error = await embed_error(running)
    assert (type(error), getattr(error, "status", None)) == (ServiceError, 502)


async def test_a_throttle_fault_sends_retry_after(running):
    for target in Target:
        running.provider.faults.start(target, Fault(mode=FaultMode.THROTTLE, retry_after_s=1.5))
    for error in (await embed_error(running), await generate_error(running)):
        assert isinstance(error, ThrottledError)
        assert error.retry_after_s == 1.5


async def test_a_throttle_without_retry_after_asks_for_a_short_pause(running):
    running.provider.faults.start(Target.CHAT, Fault(mode=FaultMode.THROTTLE, retry_after_s=0))
    error = await generate_error(running)
    assert isinstance(error, ThrottledError)
    assert (error.status, error.retry_after_s) == (429, SHORT_PAUSE_S)


async def test_a_throttle_can_use_status_503(running):
    running.provider.faults.start(Target.CHAT, Fault(mode=FaultMode.THROTTLE, status=503, retry_after_s=1.5))
    error = await generate_error(running)
    assert isinstance(error, ThrottledError)
    assert (error.status, error.retry_after_s) == (503, 1.5)


@pytest.mark.parametrize("kind", GarbageKind)
async def test_every_kind_of_garbage_is_malformed_for_both_components(running, kind):
    for target in Target:
        running.provider.faults.start(target, Fault(mode=FaultMode.GARBAGE, kind=kind))
    assert type(await embed_error(running)) is MalformedReplyError
    assert type(await generate_error(running)) is MalformedReplyError
    pieces, error = await stream_error(running)
    assert (pieces, type(error)) == ([], MalformedReplyError)


async def test_a_reset_is_a_failed_connection(running):
    for target in Target:
        running.provider.faults.start(target, Fault(mode=FaultMode.RESET))
    for error in (await embed_error(running), await generate_error(running)):
        assert type(error) is ServiceError
        assert getattr(error, "status", 0) is None


async def test_a_truncated_reply_is_a_failed_connection(running):
    for target in Target:
        running.provider.faults.start(target, Fault(mode=FaultMode.TRUNCATE))
    assert type(await embed_error(running)) is ServiceError
    assert type(await generate_error(running)) is ServiceError


async def test_a_truncated_stream_yields_its_first_pieces_and_then_fails(running):
    running.provider.faults.start(Target.CHAT, Fault(mode=FaultMode.TRUNCATE))
    pieces, error = await stream_error(running)
    assert pieces
    assert type(error) is MalformedReplyError


async def test_a_dripping_stream_is_complete_with_pauses_between_its_pieces(running, monkeypatch):
    """Each pause lasts until the client has the piece before it; the first event has no text in it."""
    pauses: list[float] = []
    pieces: list[str] = []

    async def pause(over, seconds):
        pauses.append(seconds)
        await until(lambda: len(pieces) >= min(len(pauses) - 1, len(at_once)))

    async with clients(running) as (_, generator):
        at_once = [piece async for piece in generator.stream(QUESTION, PASSAGES)]
        running.provider.faults.start(Target.CHAT, Fault(mode=FaultMode.DRIP, delay_s=0.05))
        monkeypatch.setattr(misbehaviour, "held_back", pause)
        async for piece in generator.stream(QUESTION, PASSAGES):
            pieces.append(piece)
    assert pieces == at_once
    assert len(pauses) >= len(pieces) > 1
    assert set(pauses) == {0.05}


async def test_a_dripping_response_finishes_at_once_when_the_fault_ends(running):
    running.provider.faults.start(Target.CHAT, Fault(mode=FaultMode.DRIP, delay_s=600, for_s=600))
    async with clients(running) as (_, generator):
        whole = asyncio.create_task(generator.generate(QUESTION, PASSAGES))
        while not running.provider.counts.as_json(1)["arrivals"]:
            await asyncio.sleep(0)
        running.provider.faults.end_all()
        assert (await whole).text


async def test_a_dripping_response_is_late_and_correct(running):
    for target in Target:
        running.provider.faults.start(target, Fault(mode=FaultMode.DRIP, delay_s=0.05))
    async with clients(running) as (embedder, generator):
        for call in (embedder.embed(QUESTION), generator.generate(QUESTION, PASSAGES)):
            started_s = asyncio.get_running_loop().time()
            await call
            assert asyncio.get_running_loop().time() - started_s >= 0.05


async def test_a_slow_response_is_late_and_correct(running):
    running.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.SLOW, delay_s=0.05))
    started_s = asyncio.get_running_loop().time()
    async with clients(running) as (embedder, _):
        await embedder.embed(QUESTION)
    assert asyncio.get_running_loop().time() - started_s >= 0.05


async def test_a_slow_response_times_out_if_the_client_waits_less(running):
    running.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.SLOW, delay_s=30))
    assert type(await embed_error(running, timeout_s=0.05)) is ServiceTimeoutError


async def test_a_hanging_call_is_answered_when_the_fault_is_ended_early(running):
    running.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.HANG, for_s=600))
    async with clients(running) as (embedder, _):
        asked = asyncio.create_task(embedder.embed(QUESTION))
        while not running.provider.counts.as_json(1)["arrivals"]:
            await asyncio.sleep(0)
        assert not asked.done()
        running.provider.faults.end_all()
        assert (await asked).vector.any()


async def test_a_hanging_call_is_answered_when_the_fault_expires(running):
    running.provider.faults.start(Target.CHAT, Fault(mode=FaultMode.HANG, for_s=0.05))
    async with clients(running) as (_, generator):
        assert (await generator.generate(QUESTION, PASSAGES)).text


async def test_a_hanging_call_times_out_at_the_client(running):
    running.provider.faults.start(Target.CHAT, Fault(mode=FaultMode.HANG, for_s=600))
    assert type(await generate_error(running, timeout_s=0.05)) is ServiceTimeoutError


async def test_faults_are_started_listed_and_ended_over_http(running, http):
    put = await http.put("/faults/chat", json={"mode": "slow", "delay_s": 1, "for_s": 9})
    assert put.status == 200
    assert (await put.json())["chat"]["mode"] == "slow"
    assert (await (await http.get("/faults")).json())["embeddings"] is None
    await http.put("/faults/embeddings", json={"mode": "error"})
    assert (await (await http.delete("/faults/chat")).json())["chat"] is None
    assert (await (await http.delete("/faults")).json()) == {"embeddings": None, "chat": None, "rerank": None}


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/faults/chat", b'{"mode": "explode"}', 400, "explode"),
        ("/faults/chat", b'{"mode": "error", "raet": 1}', 400, "raet"),
        ("/faults/chat", b"{", 400, "JSON"),
        ("/faults/chat", b"[]", 400, "JSON object"),
        ("/faults/retrieval", b'{"mode": "error"}', 404, "embeddings, chat, rerank"),
    ],
)
async def test_an_invalid_fault_is_refused_with_a_reason(running, http, path, body, status, word):
    reply = await http.put(path, data=body)
    assert reply.status == status
    assert word in (await reply.json())["error"]["message"]
    assert running.provider.faults.as_json() == {"embeddings": None, "chat": None, "rerank": None}


async def test_calls_are_counted_with_outcome_and_sender(running, http):
    async with clients(running) as (embedder, generator):
        await embedder.embed(QUESTION)
        await generator.generate(QUESTION, PASSAGES)
    running.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.ERROR))
    await embed_error(running)
    counts = await (await http.get("/counts")).json()
    assert counts["embeddings"] == {"received": 2, "outcomes": {"ok": 1, "error": 1}}
    assert counts["chat"] == {"received": 1, "outcomes": {"ok": 1}}
    assert [(a["target"], a["outcome"], a["replica"]) for a in counts["arrivals"]] == [
        ("embeddings", "ok", "a"),
        ("chat", "ok", "a"),
        ("embeddings", "error", "a"),
    ]
    times = [a["monotonic_ms"] for a in counts["arrivals"]]
    assert times == sorted(times)
    assert len((await (await http.get("/counts?last=1")).json())["arrivals"]) == 1
    assert (await http.get("/counts?last=many")).status == 400
    cleared = await (await http.delete("/counts")).json()
    assert cleared == {
        "embeddings": {"received": 0, "outcomes": {}},
        "chat": {"received": 0, "outcomes": {}},
        "rerank": {"received": 0, "outcomes": {}},
        "arrivals": [],
    }


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("embeddings", {"input": "a"}, "model"),
        ("embeddings", {"model": "m"}, "input"),
        ("embeddings", {"model": "m", "input": []}, "input"),
        ("embeddings", {"model": "m", "input": ["a", ""]}, "input"),
        ("embeddings", {"model": "m", "input": [1]}, "input"),
        ("embeddings", {"model": "m", "input": ["a"] * 2049}, "input"),
        ("embeddings", {"model": "m", "input": "a", "dimensions": 0}, "dimensions"),
        ("embeddings", {"model": "m", "input": "a", "dimensions": True}, "dimensions"),
        ("embeddings", {"model": "m", "input": "a", "encoding_format": "int8"}, "encoding_format"),
        ("embeddings", {"model": "m", "input": "a", "encoding_format": []}, "encoding_format"),
        ("chat/completions", {"model": "m"}, "messages"),
        ("chat/completions", {"model": "m", "messages": []}, "messages"),
        ("chat/completions", {"model": "m", "messages": ["hi"]}, "messages[0].role"),
        ("chat/completions", {"model": "m", "messages": [{"role": ["user"]}]}, "messages[0].role"),
        ("chat/completions", {"model": "m", "messages": [{"role": "system", "content": "x"}]}, "messages"),
        ("chat/completions", {"model": "m", "messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ("chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": 1}, "stream"),
        ("chat/completions", [], None),
    ],
)
async def test_an_invalid_request_is_refused_as_openai_refuses_it(http, path, body, param):
    reply = await http.post(f"/v1/{path}", json=body)
    assert reply.status == 400
    error = (await reply.json())["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["message"]


async def test_message_contents_may_be_lists_of_parts(http):
    content = [{"type": "text", "text": "How does it recover?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    reply = await http.post(
        "/v1/chat/completions", json={"model": "m", "messages": [{"role": "user", "content": content}]}
    )
    assert (await reply.json())["choices"][0]["finish_reason"] == "stop"


async def test_a_stream_includes_usage_on_request(http):
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    text = await (await http.post("/v1/chat/completions", json=body)).text()
    assert '"usage":{"prompt_tokens"' in text
    assert text.endswith("data: [DONE]\n\n")


async def test_it_lists_its_models_and_reports_its_health(http):
    models = await (await http.get("/v1/models")).json()
    assert {model["id"] for model in models["data"]} == {"text-embedding-3-small", "gpt-4o-mini", "rerank-v3.5"}
    assert await (await http.get("/health")).json() == {"status": "ok"}


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/v1/embeddings"), ("POST", "/v1/nothing")])
async def test_other_paths_get_404_as_json(http, method, path):
    reply = await http.request(method, path)
    assert reply.status == 404
    assert path in (await reply.json())["error"]["message"]
