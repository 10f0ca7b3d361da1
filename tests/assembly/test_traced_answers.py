"""What spans say of an answer: the quality to expect of it, that it refuses, and which cache served it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

# Else the thread that is asked first imports it, beside others that parse: pytest parses every module, and Python 3.11
# cannot in two threads at once (https://github.com/python/cpython/issues/106905).
import ha_rag.components.extraction.unit_reader  # noqa: F401  # for its effect: see above
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, Target
from ha_rag.simulation.provider import RunningProvider
from tests.assembly.collector import Collector, Received, collecting
from tests.assembly.services import replica_over_services
from tests.http.app_client import AppClient
from tests.redis_servers import RedisProcess

DOCUMENT = {"id": "bridge", "text": "Rosa Keller built the bridge over the river Aare in 1894."}
KNOWN, UNKNOWN = "Who built the bridge?", "What does a ticket to Mars cost?"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # nothing is sent before the end
        yield running


@asynccontextmanager
async def asking(folder: Path, *, redis_url: str = "") -> AsyncIterator[tuple[AppClient, RunningProvider]]:
    """A replica that holds the document, traced until the end of the block."""
    variables, more = ({"HA_RAG_REDIS_URL": redis_url}, "[cache]\n") if redis_url else ({}, "")
    async with replica_over_services(folder, variables, more=more) as (replica, provider):
        client = AppClient(replica.app)
        assert (await client.call("POST", "/v1/documents", DOCUMENT)).status == 200
        yield client, provider


async def asked(client: AppClient, question: str) -> dict[str, Any]:
    return dict((await client.call("POST", "/v1/query", {"question": question})).json)


def of_answer(collector: Collector, answer: dict[str, Any], name: str = "POST /v1/query") -> Received:
    (span,) = (each for each in collector.spans if each.name == name and each.told["ha_rag.answer"] == answer["id"])
    return span


def quality_told(span: Received) -> dict[str, Any]:
    return {name: value for name, value in span.told.items() if name.startswith("ha_rag.quality.")}


def quality_of(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer's quality, by the names of the attributes."""
    quality = dict(answer["quality"])
    texts = quality.pop("answers")
    return {f"ha_rag.quality.{name}": value for name, value in quality.items()} | {
        f"ha_rag.quality.answers.{name}": value for name, value in texts.items()
    }


async def test_a_refusal_is_told_from_an_answer(tmp_path: Path, collector: Collector) -> None:
    async with asking(tmp_path) as (client, _):
        known, unknown = await asked(client, KNOWN), await asked(client, UNKNOWN)

    assert "The documents do not say" in unknown["answer"]
    assert of_answer(collector, known).told["ha_rag.answered"] is True
    assert of_answer(collector, unknown).told["ha_rag.answered"] is False
    assert "ha_rag.age_s" not in of_answer(collector, known).told


@pytest.mark.parametrize("out", [[], [Target.EMBEDDINGS], [Target.CHAT], [Target.EMBEDDINGS, Target.CHAT]])
async def test_the_quality_of_search_and_texts_is_that_of_the_tiers_that_served(
    tmp_path: Path, collector: Collector, out: list[Target]
) -> None:
    async with asking(tmp_path) as (client, provider):
        for target in out:
            provider.provider.faults.start(target, Fault(mode=FaultMode.ERROR))
        answer = await asked(client, KNOWN)

    assert answer["degraded"] == bool(out)
    told = quality_told(of_answer(collector, answer))
    assert told == quality_of(answer)
    assert (told["ha_rag.quality.expected"] < told["ha_rag.quality.best"]) == (Target.EMBEDDINGS in out)


async def test_a_stream_is_told_like_an_answer(tmp_path: Path, collector: Collector) -> None:
    body = {"messages": [{"role": "user", "content": KNOWN}], "stream": True}
    async with asking(tmp_path) as (client, _):
        answer = await asked(client, KNOWN)
        await client.call("POST", "/v1/chat/completions", body)

    streamed = collector.named("POST /v1/chat/completions")
    assert streamed.told["ha_rag.answered"] is True
    assert quality_told(streamed) == quality_told(of_answer(collector, answer))


@pytest.mark.real_redis
async def test_the_stages_that_a_cache_served_and_the_age_of_the_answer_are_told(
    tmp_path: Path, collector: Collector, own_redis_server: RedisProcess
) -> None:
    async with asking(tmp_path, redis_url=own_redis_server.url) as (client, provider):
        answer = good = await asked(client, KNOWN)
        while answer["attempts"][0]["circuit"] != "embedder.cached":  # on a busy machine Redis may be late
            answer = await asked(client, KNOWN)
        provider.provider.faults.start(Target.CHAT, Fault(mode=FaultMode.ERROR))
        while "age_s" not in answer:
            answer = await asked(client, KNOWN)

    root = of_answer(collector, answer)
    assert root.told["ha_rag.age_s"] == pytest.approx(answer["age_s"], abs=0.001)
    assert root.told["ha_rag.served_by.generator"] == "cached"
    assert quality_told(root) == quality_of(good)
    served = {span.name: span for span in collector.spans if span.parent == root.id}
    assert served["generator"].told["ha_rag.cache.hit"] is True
    assert "ha_rag.cache.hit" not in served["retriever"].told
    names = [span.name for span in collector.spans if span.parent == served["generator"].id]
    assert "generator.cached" in names
    assert any(span.told.get("ha_rag.cache.hit") for span in collector.spans if span.name == "embedder")
