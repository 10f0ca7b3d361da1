"""The simulated `/v1/rerank` over a real port: both forms, every kind of garbage, and the same faults as elsewhere."""

from __future__ import annotations

import aiohttp
import pytest

from ha_rag.components.rerankers.http import FORMS, HttpReranker
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import InvalidRequestError, MalformedReplyError, ServiceError, ServiceTimeoutError, ThrottledError
from ha_rag.messages import Passage
from ha_rag.simulation.dialects import ERRORS
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, GarbageKind, Target
from ha_rag.simulation.provider import running_provider
from tests.waiting import PATIENCE_S

PASSAGES = [
    Passage("cake.md", "cake.md#0", "Butter the tin before you pour in the dough."),
    Passage("breaker.md", "breaker.md#0", "A circuit rests. After its rest the circuit recovers by one good probe."),
]
GOOD_DIALECTS = [FaultMode.LENIENT, FaultMode.DONE_AFTER, FaultMode.MISLABELLED, FaultMode.BIG_HEADERS]
QUESTION = "How does a circuit recover?"


@pytest.fixture
async def running():
    async with running_provider() as running:
        yield running


async def scores(running, *, form="cohere", timeout_s=PATIENCE_S, passages=PASSAGES):
    base_url = running.url if form == "tei" else running.base_url
    headers = {"X-HA-RAG-Replica": "a"}
    reranker = HttpReranker(
        ServiceConfig(base_url=base_url, timeout_s=timeout_s, headers=headers), model="rerank-v3.5", form=form
    )
    try:
        return await reranker.rerank(QUESTION, passages)
    finally:
        await reranker.aclose()


async def posted(running, path, **body):
    async with aiohttp.ClientSession() as session, session.post(running.url + path, json=body) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("form", FORMS)
async def test_the_passage_on_the_question_has_the_higher_score_in_every_form(running, form):
    cake, breaker = await scores(running, form=form)
    assert breaker > cake + 0.1
    counts = running.provider.counts.as_json(1)
    assert counts["rerank"] == {"received": 1, "outcomes": {"ok": 1}}


async def test_results_come_best_first_with_their_documents_if_asked_and_no_more_than_wanted(running):
    asked = {"model": "m", "query": QUESTION, "documents": [p.text for p in PASSAGES], "top_n": 1}
    status, reply = await posted(running, "/v1/rerank", **asked, return_documents=True)
    assert status == 200
    assert [result["index"] for result in reply["results"]] == [1]
    assert reply["results"][0]["document"] == {"text": PASSAGES[1].text}
    _, reply = await posted(running, "/v1/rerank", **asked)
    assert "document" not in reply["results"][0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/rerank", {"query": "q", "documents": ["a"]}),
        ("/v1/rerank", {"model": "m", "documents": ["a"]}),
        ("/v1/rerank", {"model": "m", "query": "q", "documents": []}),
        ("/v1/rerank", {"model": "m", "query": "q", "documents": [1]}),
        ("/v1/rerank", {"model": "m", "query": "q", "documents": ["a"] * 1001}),
        ("/v1/rerank", {"model": "m", "query": "q", "documents": ["a"], "top_n": 0}),
        ("/rerank", {"query": "q", "documents": ["a"]}),
    ],
)
async def test_what_a_service_would_refuse_is_refused(running, path, body):
    status, reply = await posted(running, path, **body)
    assert status == 400
    assert reply["error"]["message"]


@pytest.mark.parametrize("kind", GarbageKind)
async def test_every_kind_of_garbage_is_malformed(running, kind):
    running.provider.faults.start(Target.RERANK, Fault(mode=FaultMode.GARBAGE, kind=kind))
    with pytest.raises(MalformedReplyError):
        await scores(running)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(mode=FaultMode.ERROR, status=503), ServiceError),
        (Fault(mode=FaultMode.ERROR, status=422), InvalidRequestError),
        (Fault(mode=FaultMode.THROTTLE), ThrottledError),
        (Fault(mode=FaultMode.RESET), ServiceError),
        (Fault(mode=FaultMode.TRUNCATE), ServiceError),
        (Fault(mode=FaultMode.NO_END), MalformedReplyError),
        *((Fault(mode=mode), ServiceError) for mode in ERRORS),
    ],
    ids=lambda each: str(each.mode) if isinstance(each, Fault) else "",
)
async def test_a_fault_is_the_error_that_it_stands_for(running, fault, error):
    running.provider.faults.start(Target.RERANK, fault)
    with pytest.raises(error):
        await scores(running)


async def test_a_service_that_hangs_is_given_up(running):
    running.provider.faults.start(Target.RERANK, Fault(mode=FaultMode.HANG))
    with pytest.raises(ServiceTimeoutError):
        await scores(running, timeout_s=0.2)


@pytest.mark.parametrize("mode", GOOD_DIALECTS)
@pytest.mark.parametrize("form", FORMS)
async def test_a_good_ranking_in_another_dialect_is_read(running, mode, form):
    running.provider.faults.start(Target.RERANK, Fault(mode=mode))
    cake, breaker = await scores(running, form=form)
    assert breaker > cake


async def test_a_fault_of_another_endpoint_does_not_touch_it(running):
    running.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.ERROR))
    assert len(await scores(running)) == 2
