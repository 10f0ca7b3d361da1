"""Every dialect of the simulated provider, as the components read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ha_rag.components.embedders.openai import OpenAIEmbedder
from ha_rag.components.generators.openai import OpenAIGenerator
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ComponentError, InvalidRequestError, MalformedReplyError, ServiceError, ThrottledError
from ha_rag.messages import Passage, StreamEnding
from ha_rag.simulation.dialects import DIALECTS, SAID, THOUGHT
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, Target
from ha_rag.simulation.provider import RunningProvider, running_provider
from tests.waiting import PATIENCE_S

PASSAGES = [
    Passage("breaker.md", "breaker.md#0", "A circuit rests. After its rest the circuit recovers by one good probe."),
]
QUESTION = "How does a circuit recover?"
BROKEN = {FaultMode.ERROR_EVENT, FaultMode.ERROR_OBJECT, FaultMode.ERROR_MESSAGE, FaultMode.NO_END}
GOOD = sorted(DIALECTS - BROKEN - {FaultMode.LENGTH})


@pytest.fixture
async def running() -> AsyncIterator[RunningProvider]:
    async with running_provider() as running:
        yield running


@asynccontextmanager
async def generator_of(running: RunningProvider, mode: FaultMode) -> AsyncIterator[OpenAIGenerator]:
    running.provider.faults.start(Target.CHAT, Fault(mode=mode, retry_after_s=7.0))
    generator = OpenAIGenerator(ServiceConfig(base_url=running.base_url, timeout_s=PATIENCE_S), model="m")
    try:
        yield generator
    finally:
        await generator.aclose()


@asynccontextmanager
async def embedder_of(running: RunningProvider, mode: FaultMode, **settings: str) -> AsyncIterator[OpenAIEmbedder]:
    running.provider.faults.start(Target.EMBEDDINGS, Fault(mode=mode, retry_after_s=7.0))
    service = ServiceConfig(base_url=running.base_url, timeout_s=PATIENCE_S)
    embedder = OpenAIEmbedder(service, model="text-embedding-3-small", dimension=64, **settings)  # type: ignore[arg-type]  # literals
    try:
        yield embedder
    finally:
        await embedder.aclose()


async def told(generator: OpenAIGenerator) -> tuple[str, list[StreamEnding]]:
    items = [item async for item in generator.stream(QUESTION, PASSAGES)]
    text = "".join(item for item in items if isinstance(item, str))
    return text, [item for item in items if isinstance(item, StreamEnding)]


async def rest_of(stream: AsyncIterator[object]) -> list[object]:
    return [item async for item in stream]


async def correct(running: RunningProvider) -> str:
    async with generator_of(running, FaultMode.SLOW) as generator:
        running.provider.faults.end_all()
        return (await generator.generate(QUESTION, PASSAGES)).text


@pytest.mark.parametrize("mode", GOOD)
async def test_a_good_answer_of_another_form_is_the_same_answer(running: RunningProvider, mode: FaultMode) -> None:
    expected = (await correct(running)).split()
    async with generator_of(running, mode) as generator:
        whole = await generator.generate(QUESTION, PASSAGES)
        streamed, endings = await told(generator)
    for text in (whole.text, streamed):
        assert [word for word in text.split() if word != "\U0001f600"] == expected
        assert THOUGHT.strip() not in text
    assert {whole.finish_reason, *(ending.finish_reason for ending in endings)} == {"stop"}


async def test_an_answer_that_is_ended_early_says_so(running: RunningProvider) -> None:
    async with generator_of(running, FaultMode.LENGTH) as generator:
        assert (await generator.generate(QUESTION, PASSAGES)).finish_reason == "length"
        assert (await told(generator))[1] == [StreamEnding("length")]


@pytest.mark.parametrize("mode", sorted(BROKEN))
async def test_a_broken_answer_is_an_error_with_the_services_words(running: RunningProvider, mode: FaultMode) -> None:
    kind, says = (MalformedReplyError, "") if mode is FaultMode.NO_END else (ServiceError, SAID)
    async with generator_of(running, mode) as generator:
        with pytest.raises(kind) as raised:
            await generator.generate(QUESTION, PASSAGES)
        assert says in str(raised.value)
        stream = generator.stream(QUESTION, PASSAGES)
        assert await anext(stream)
        with pytest.raises(kind) as raised:
            await rest_of(stream)
        assert says in str(raised.value)


@pytest.mark.parametrize("mode", [FaultMode.CLOSING, *GOOD])
async def test_vectors_are_read_in_every_good_dialect(running: RunningProvider, mode: FaultMode) -> None:
    async with embedder_of(running, mode) as embedder:
        for _ in range(4):
            assert (await embedder.embed(QUESTION)).space == embedder.space


@pytest.mark.parametrize("mode", sorted(BROKEN))
async def test_an_error_instead_of_vectors_is_an_error(running: RunningProvider, mode: FaultMode) -> None:
    async with embedder_of(running, mode) as embedder:
        with pytest.raises(ComponentError):
            await embedder.embed(QUESTION)


async def test_a_service_that_refuses_base64_answers_if_floats_are_requested(running: RunningProvider) -> None:
    async with embedder_of(running, FaultMode.NO_BASE64) as embedder:
        with pytest.raises(InvalidRequestError, match="encoding_format must be float"):
            await embedder.embed(QUESTION)
    for form in ("float", "none"):
        async with embedder_of(running, FaultMode.NO_BASE64, encoding_format=form) as embedder:
            assert (await embedder.embed(QUESTION)).space == embedder.space


async def test_a_rate_limit_is_a_pause_until_its_reset(running: RunningProvider) -> None:
    async with generator_of(running, FaultMode.LIMIT) as generator:
        with pytest.raises(ThrottledError) as raised:
            await generator.generate(QUESTION, PASSAGES)
    assert raised.value.retry_after_s == 7.0


async def test_the_words_of_a_detail_are_repeated(running: RunningProvider) -> None:
    async with generator_of(running, FaultMode.DETAIL) as generator:
        with pytest.raises(ServiceError, match=r"HTTP 500: simulated server error \(body.model\)"):
            await generator.generate(QUESTION, PASSAGES)
