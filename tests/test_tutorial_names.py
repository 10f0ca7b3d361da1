"""The names used in tutorials: they work without setup, in memory, and fail as scripted."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from ha_rag import (
    CachedEmbedder,
    CircuitBreaker,
    CircuitOpenError,
    CircuitPolicy,
    CircuitRegistry,
    CircuitState,
    ComponentStatus,
    ComponentType,
    ConfigurationError,
    Embedding,
    FallbackGenerator,
    FallbackStrategy,
    HighAvailabilityRAG,
    InvalidRequestError,
    Passage,
    PrimaryEmbedder,
    PrimaryGenerator,
    PrimaryRetriever,
    ReducedRetriever,
    Script,
    SecondaryEmbedder,
    ServiceError,
)

EXAMPLE = Path(__file__).parents[1] / "examples" / "three_tiers.py"
DOCUMENTS = {
    "recovery.md": "# Recovery\n\nA circuit recovers by itself: a probe is let through after its recovery timeout.",
    "opening.md": "A circuit opens when half of its calls fail.",
    "fallback.md": "While a circuit is open, the next tier answers.",
}
QUESTION = "How does a circuit recover?"
PASSAGES = [Passage(document="recovery.md", id="recovery.md#1", text="A circuit recovers by a probe.", score=1.0)]


def rag_of(
    embedder: Script | None = None, retriever: Script | None = None, generator: Script | None = None
) -> HighAvailabilityRAG:
    return HighAvailabilityRAG(
        FallbackStrategy(
            embedders=[PrimaryEmbedder(script=embedder), SecondaryEmbedder(), CachedEmbedder()],
            retrievers=[PrimaryRetriever(DOCUMENTS, script=retriever), ReducedRetriever(DOCUMENTS)],
            generators=[PrimaryGenerator(script=generator), FallbackGenerator()],
        )
    )


async def test_a_question_is_answered_from_a_few_documents_in_memory() -> None:
    async with rag_of() as rag:
        answer = await rag.query(QUESTION)
    assert "recovers by itself" in str(answer)
    assert answer.citations[0].document == "recovery.md"
    assert answer.served_by == {"embedder": "primary", "retriever": "primary", "generator": "primary"}
    assert not answer.degraded


@pytest.mark.parametrize("stage", ["embedder", "retriever", "generator"])
async def test_if_the_first_tier_fails_the_second_answers_and_the_answer_says_so(stage: str) -> None:
    async with rag_of(**{stage: Script.always()}) as rag:
        answer = await rag.query(QUESTION)
    assert answer.served_by[ComponentType(stage)] == "secondary"
    assert answer.degraded_stages == (stage,)
    assert "probe" in str(answer)


async def test_the_stages_can_be_called_one_by_one() -> None:
    async with rag_of() as rag:
        embedding = await rag.get_embedding(QUESTION)
        passages = await rag.get_relevant_documents(embedding, 2, question=QUESTION)
        generation = await rag.generate_response(QUESTION, passages)
    assert passages[0].document == "recovery.md"
    assert len(passages) <= 2
    assert "[1]" in generation.text


def test_a_program_without_an_event_loop_asks_with_query_sync() -> None:
    rag = rag_of()
    try:
        assert "recovers by itself" in str(rag.query_sync(QUESTION))
    finally:
        rag.close()


async def test_system_health_counts_calls_and_failures_of_each_component() -> None:
    async with rag_of(embedder=Script.failing(first=1)) as rag:
        await rag.query(QUESTION)
        await rag.query(QUESTION)
        health = rag.get_system_health()
    assert list(health)[:2] == ["embedder.primary", "embedder.secondary"]
    status = health["embedder.primary"]
    assert isinstance(status, ComponentStatus)
    assert (status.component_type, status.state, status.calls, status.failures) == ("embedder", "closed", 2, 1)
    assert status.get_failure_rate() == 0.5
    assert "failed on purpose" in status.last_error


async def test_embeddings_are_normalised_numpy_vectors_in_their_embedders_space() -> None:
    first, second = await PrimaryEmbedder().embed(QUESTION), await SecondaryEmbedder().embed(QUESTION)
    assert first.vector.shape == (256,)
    assert np.linalg.norm(first.vector) == pytest.approx(1.0)
    assert first.space != second.space


async def test_the_cached_embedder_knows_only_what_it_has_seen() -> None:
    cached, seen = CachedEmbedder(), await PrimaryEmbedder().embed(QUESTION)
    with pytest.raises(InvalidRequestError):
        await cached.embed(QUESTION)
    await cached.remember(QUESTION, seen)
    assert (await cached.embed(QUESTION)).vector is seen.vector


@pytest.mark.parametrize(("top_k", "expected"), [(1, 1), (2, 2), (3, 2)])
async def test_the_reduced_retriever_gives_at_most_two_passages(top_k: int, expected: int) -> None:
    embedding = await PrimaryEmbedder().embed("circuit")
    assert len(await PrimaryRetriever(DOCUMENTS).retrieve("circuit", embedding, 3)) == 3
    assert len(await ReducedRetriever(DOCUMENTS).retrieve("circuit", embedding, top_k)) == expected


@pytest.mark.parametrize("embedder", [PrimaryEmbedder(), SecondaryEmbedder()])
async def test_documents_are_found_by_vector_in_both_embedders_spaces(
    embedder: PrimaryEmbedder | SecondaryEmbedder,
) -> None:
    retriever = PrimaryRetriever(list(DOCUMENTS.values()))
    found = await retriever.retrieve("", await embedder.embed(QUESTION), 1)  # an empty question, so no keyword search
    assert [passage.document for passage in found] == ["document-1"]


async def test_a_vector_of_another_space_is_never_used_for_search() -> None:
    alien = Embedding((await PrimaryEmbedder().embed(QUESTION)).vector, PrimaryEmbedder(128).space)
    assert await PrimaryRetriever(DOCUMENTS).retrieve("", alien, 3) == []


@pytest.mark.parametrize("documents", [{}, [], "one text", {"a": " "}])
def test_a_retriever_without_documents_is_refused(documents: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="documents"):
        PrimaryRetriever(documents)


def test_a_retriever_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    retriever = PrimaryRetriever(DOCUMENTS)
    assert len(list(tmp_path.iterdir())) == 1
    del retriever
    gc.collect()
    assert list(tmp_path.iterdir()) == []


async def test_the_fallback_generator_is_shorter_with_and_without_context() -> None:
    primary, fallback = PrimaryGenerator(), FallbackGenerator()
    for passages in (PASSAGES, []):
        long, short = await primary.generate(QUESTION, passages), await fallback.generate(QUESTION, passages)
        assert 0 < len(short.text) < len(long.text)


async def test_a_circuit_breaker_executes_until_it_is_open_and_then_refuses() -> None:
    async def charge() -> None:
        raise ServiceError("out")

    async with CircuitRegistry.connect() as circuits:
        breaker = circuits.breaker("payments", CircuitPolicy(min_samples=2, failure_threshold=0.5))
        assert isinstance(breaker, CircuitBreaker)
        for _ in range(2):
            with pytest.raises(ServiceError):
                await breaker.execute(charge)
        assert breaker.state is CircuitState.OPEN
        with pytest.raises(CircuitOpenError) as refused:
            await breaker.execute(charge)
        assert refused.value.retry_after_s == pytest.approx(11.0, abs=1.5)


async def test_the_example_shows_a_fallback_an_open_circuit_and_its_recovery() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(EXAMPLE), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    rows = [line.split("embedder: ")[1].split() for line in out.decode().splitlines() if "embedder: " in line]
    assert (process.returncode, err) == (0, b"")
    assert rows == [
        ["secondary", "failed", "circuit:", "closed"],
        ["secondary", "failed", "circuit:", "closed"],
        ["secondary", "failed", "circuit:", "open"],
        ["secondary", "rejected", "circuit:", "open"],
        ["secondary", "rejected", "circuit:", "open"],
        ["primary", "ok", "circuit:", "half_open"],
        ["primary", "ok", "circuit:", "closed"],
        ["primary", "ok", "circuit:", "closed"],
    ]
