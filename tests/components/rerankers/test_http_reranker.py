from __future__ import annotations

import pytest

from ha_rag.components.rerankers.http import HttpReranker
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ConfigurationError, InvalidRequestError, MalformedReplyError, ServiceError, ThrottledError
from ha_rag.interfaces import Reranker
from ha_rag.messages import Passage
from tests.components.canned import canned_service, json_reply, reply

PASSAGES = [Passage("a.md", "a.md#0", "first"), Passage("b.md", "b.md#0", "second \ud800")]
RANKED = {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}


def reranker(base_url, **settings):
    return HttpReranker(ServiceConfig(base_url=base_url), **{"model": "m", **settings})


async def reranked(service, **settings):
    asked = reranker(service.base_url, **settings)
    try:
        return await asked.rerank("why?", PASSAGES)
    finally:
        await asked.aclose()


def test_it_is_a_reranker_of_thirty_candidates():
    made = reranker("http://localhost/v1")
    assert made.candidates == 30
    assert isinstance(made, Reranker)


COMMON = {"model": "m", "query": "why?", "documents": ["first", "second ?"], "top_n": 2}
REQUESTS = {
    "cohere": COMMON,
    "jina": {**COMMON, "return_documents": False},
    "tei": {"query": "why?", "texts": ["first", "second ?"], "truncate": True},
}


@pytest.mark.parametrize("form", REQUESTS)
async def test_each_form_has_its_request_and_any_form_of_reply_is_read(form):
    async with canned_service(json_reply(RANKED)) as service:
        assert await reranked(service, form=form) == [0.1, 0.9]
        assert service.body() == REQUESTS[form]
        assert service.requests[0].startswith(b"POST /v1/rerank ")


async def test_parameters_are_added_and_replace_nothing():
    async with canned_service(json_reply(RANKED)) as service:
        await reranked(service, parameters={"max_tokens_per_doc": 512, "query": "another"})
        assert service.body() == {**COMMON, "max_tokens_per_doc": 512}


FAILURES = {
    "down": (json_reply({"message": "no"}, "500 Internal Server Error"), ServiceError, "HTTP 500: no"),
    "too many": (json_reply({}, "429 Too Many Requests", Retry_After="7"), ThrottledError, "retry after 7 s"),
    "too long": (json_reply({"error": "Payload too large"}, "413 Too Large"), InvalidRequestError, "Payload too large"),
    "a redirect": (reply(b"", "302 Found", Location="http://example.com/"), ServiceError, "a redirect"),
    "other indexes": (
        json_reply([{"index": 7, "score": 1}, {"index": 8, "score": 1}]),
        MalformedReplyError,
        "not from 0 to 1",
    ),
    "10 MB": (reply(b"[" + b" " * 10_000_000 + b"]"), MalformedReplyError, r"longer than 8388608 bytes"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_is_an_error_that_says_what_was_wrong(failure):
    canned, kind, said = FAILURES[failure]
    async with canned_service(canned) as service:
        with pytest.raises(kind, match=said):
            await reranked(service)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"form": "voyage"}, "form = 'voyage': must be one of cohere, jina, tei"),
        ({"candidates": 1}, "candidates = 1: must be between 2 and 50"),
        ({"candidates": 51}, "candidates = 51"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ConfigurationError, match=said):
        reranker("http://localhost/v1", **settings)
