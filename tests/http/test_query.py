"""POST /v1/query: requests, replies and refusals."""

from __future__ import annotations

import gzip

import pytest

from ha_rag.http.access import Access
from ha_rag.http.service import RequestLimits
from tests.http.app_client import StubReplica


async def test_an_answer_has_all_its_fields(client):
    reply = await client.call("POST", "/v1/query", {"question": "How?"})

    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == {
        "id": "a1",
        "question": "How?",
        "answer": "By a probe [1].",
        "answered": True,
        "simulated": False,
        "truncated": False,
        "finish_reason": "stop",
        "citations": [
            {
                "n": 1,
                "document": "breaker.md",
                "passage": "breaker.md#3",
                "text": "A probe closes it.",
                "quote": "",
                "quote_start": 0,
                "quote_end": 0,
                "score": 0.83,
            }
        ],
        "degraded": True,
        "degraded_stages": ["embedder"],
        "served_by": {"embedder": "secondary", "retriever": "primary"},
        "attempts": [
            {"circuit": "embedder.primary", "outcome": "rejected", "state": "open", "ms": 0.0},
            {"circuit": "embedder.secondary", "outcome": "ok", "state": "closed", "ms": 1.9},
        ],
        "quality": None,
        "shared_state": "fresh",
        "replica": "rag-1",
        "ms": 41.7,
    }


async def test_missing_fields_have_their_defaults(replica, client):
    await client.call("POST", "/v1/query", {"question": "How?"})

    assert replica.rag.queries == [("How?", 3, 30.0)]


async def test_null_for_an_optional_field_is_absence(replica, client):
    reply = await client.call("POST", "/v1/query", {"question": "How?", "top_k": None, "timeout_s": None})

    assert reply.status == 200
    assert replica.rag.queries == [("How?", 3, 30.0)]


async def test_null_for_a_required_field_is_refused(client):
    reply = await client.call("POST", "/v1/query", {"question": None})

    assert (reply.status, reply.error[1]) == (422, "question: must be text")


async def test_a_client_can_set_top_k_and_a_shorter_timeout(replica, client):
    await client.call("POST", "/v1/query", {"question": "How?", "top_k": 50, "timeout_s": 0.5})

    assert replica.rag.queries == [("How?", 50, 0.5)]


async def test_a_timeout_is_capped_at_the_servers_limit():
    replica = StubReplica(options={"limits": RequestLimits(request_timeout_s=2.0)})

    await replica.client().call("POST", "/v1/query", {"question": "How?", "timeout_s": 600})

    assert replica.rag.queries == [("How?", 3, 2.0)]


async def test_an_integer_may_be_written_with_a_decimal_point(replica, client):
    reply = await client.call("POST", "/v1/query", b'{"question": "How?", "top_k": 5.0}')

    assert (reply.status, replica.rag.queries) == (200, [("How?", 5, 30.0)])


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        ({}, "question: is required", "question"),
        ({"question": ""}, "question: must not be empty", "question"),
        ({"question": " \n\t "}, "question: must not be empty", "question"),
        ({"question": "\x00\x1b"}, "question: must not be empty", "question"),
        ({"question": "x" * 8_001}, "question: must have at most 8,000 characters", "question"),
        ({"question": None}, "question: must be text", "question"),
        ({"question": ["How?"]}, "question: must be text", "question"),
        ({"question": "How?", "top_k": 0}, "top_k: must be at least 1", "top_k"),
        ({"question": "How?", "top_k": 51}, "top_k: must be at most 50", "top_k"),
        ({"question": "How?", "top_k": "3"}, "top_k: must be a whole number", "top_k"),
        ({"question": "How?", "top_k": 3.5}, "top_k: must be a whole number", "top_k"),
        ({"question": "How?", "top_k": 1e300}, "top_k: must be at most 50", "top_k"),
        ({"question": "How?", "top_k": True}, "top_k: must be a whole number", "top_k"),
        ({"question": "How?", "timeout_s": 0}, "timeout_s: must be above 0", "timeout_s"),
        ({"question": "How?", "timeout_s": -1}, "timeout_s: must be above 0", "timeout_s"),
        ({"question": "How?", "timeout_s": 3601}, "timeout_s: must be at most 3600", "timeout_s"),
        ({"question": "How?", "model": "x"}, "model: is not a field of this request", "model"),
        (["How?"], "the body: must be a JSON object", None),
    ],
)
async def test_an_invalid_value_is_reported_with_its_field(replica, client, body, message, param):
    reply = await client.call("POST", "/v1/query", body)

    assert reply.status == 422
    assert reply.error == ("invalid_request", message, param)
    assert replica.rag.queries == []


@pytest.mark.parametrize("question", ["x" * 8_000, "<script>alert(1)</script>", "Ünïcödé 電路 🙂", "'; DROP TABLE"])
async def test_any_other_text_is_accepted_as_a_question(replica, client, question):
    reply = await client.call("POST", "/v1/query", {"question": question})

    assert reply.status == 200
    assert replica.rag.queries[0][0] == question


async def test_control_characters_become_blanks(replica, client):
    await client.call("POST", "/v1/query", {"question": "How\x00does\x1bit?"})

    assert replica.rag.queries[0][0] == "How does it?"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the body is empty"),
        (b"How?", "the body is not valid JSON"),
        (b'{"question": "How?"', "the body is not valid JSON"),
        (b'{"question": "\xff\xfe"}', "the body is not UTF-8 (the first invalid byte is at offset 14)"),
        (b'{"question": "\\ud800"}', "the body is not valid JSON"),
        (b'{"question": NaN}', "question: must be text"),
    ],
)
async def test_invalid_json_is_refused(client, content, message):
    reply = await client.call("POST", "/v1/query", content)

    assert reply.status in (400, 422)
    assert reply.error[1].startswith(message)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_is_not_declared_as_json_is_refused(client, kind):
    reply = await client.call("POST", "/v1/query", {"question": "How?"}, headers={"content-type": kind})

    assert reply.status == 415
    assert reply.error[0] == "unsupported_media_type"


async def test_a_charset_parameter_is_accepted(client):
    headers = {"content-type": "application/json; charset=utf-8"}

    assert (await client.call("POST", "/v1/query", {"question": "How?"}, headers=headers)).status == 200


async def test_without_a_valid_key_no_question_is_answered():
    replica = StubReplica(options={"access": Access(api_keys=("right",), admin_token="admin")})
    client = replica.client()
    tries = {
        None: 401,
        "Bearer wrong": 401,
        "right": 401,
        "Bearer right": 200,
        "bearer right": 200,
        "Bearer admin": 200,
    }

    for header, status in tries.items():
        headers = {"authorization": header} if header else {}
        reply = await client.call("POST", "/v1/query", {"question": "How?"}, headers=headers)
        assert reply.status == status, header
        if status == 401:
            assert reply.error[0] == "unauthorized"
            assert reply.headers["www-authenticate"] == "Bearer"
    assert len(replica.rag.queries) == 3


async def test_a_compressed_body_is_refused(replica, client):
    headers = {"content-encoding": "gzip"}

    reply = await client.call("POST", "/v1/query", gzip.compress(b'{"question": "How?"}'), headers=headers)

    assert (reply.status, reply.headers["accept-encoding"]) == (415, "identity")
    assert reply.error[1] == "send the body uncompressed: Content-Encoding 'gzip' is not supported"
    assert replica.rag.queries == []
