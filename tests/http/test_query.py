"""POST /v1/query: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import gzip

import pytest

from ha_rag.http.access import Access
from ha_rag.http.service import RequestLimits
from tests.http.street import House


async def test_an_answer_tells_the_whole_truth_about_itself(street):
    reply = await street.call("POST", "/v1/query", {"question": "How?"})

    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json == {
        "id": "a1",
        "question": "How?",
        "answer": "By a probe [1].",
        "citations": [
            {"n": 1, "document": "breaker.md", "passage": "breaker.md#3", "text": "A probe closes it.", "score": 0.83}
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


async def test_what_is_left_out_has_its_default(house, street):
    await street.call("POST", "/v1/query", {"question": "How?"})

    assert house.rag.asked == [("How?", 3, 30.0)]


async def test_a_client_may_want_more_passages_and_less_time(house, street):
    await street.call("POST", "/v1/query", {"question": "How?", "top_k": 50, "timeout_s": 0.5})

    assert house.rag.asked == [("How?", 50, 0.5)]


async def test_nobody_gets_more_time_than_the_server_allows():
    house = House(options={"limits": RequestLimits(request_timeout_s=2.0)})

    await house.street().call("POST", "/v1/query", {"question": "How?", "timeout_s": 600})

    assert house.rag.asked == [("How?", 3, 2.0)]


async def test_a_whole_number_may_be_written_as_json_has_it(house, street):
    reply = await street.call("POST", "/v1/query", b'{"question": "How?", "top_k": 5.0}')

    assert (reply.status, house.rag.asked) == (200, [("How?", 5, 30.0)])


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
        ({"question": "How?", "model": "x"}, "model: is no field of this request", "model"),
        (["How?"], "the body: must be a JSON object", None),
    ],
)
async def test_a_broken_rule_is_told_with_its_field(house, street, body, message, param):
    reply = await street.call("POST", "/v1/query", body)

    assert reply.status == 422
    assert reply.error == ("invalid_request", message, param)
    assert house.rag.asked == []


@pytest.mark.parametrize("question", ["x" * 8_000, "<script>alert(1)</script>", "Ünïcödé 電路 🙂", "'; DROP TABLE"])
async def test_any_other_text_is_a_question(house, street, question):
    reply = await street.call("POST", "/v1/query", {"question": question})

    assert reply.status == 200
    assert house.rag.asked[0][0] == question


async def test_control_characters_are_asked_as_blanks(house, street):
    await street.call("POST", "/v1/query", {"question": "How\x00does\x1bit?"})

    assert house.rag.asked[0][0] == "How does it?"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the body is empty"),
        (b"How?", "the body is not valid JSON"),
        (b'{"question": "How?"', "the body is not valid JSON"),
        (b'{"question": "\xff\xfe"}', "the body is not UTF-8 (byte 14 is the first that is not)"),
        (b'{"question": "\\ud800"}', "the body is not valid JSON"),
        (b'{"question": NaN}', "question: must be text"),
    ],
)
async def test_what_is_no_json_is_refused(street, content, message):
    reply = await street.call("POST", "/v1/query", content)

    assert reply.status in (400, 422)
    assert reply.error[1].startswith(message)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_is_not_declared_as_json_is_refused(street, kind):
    reply = await street.call("POST", "/v1/query", {"question": "How?"}, headers={"content-type": kind})

    assert reply.status == 415
    assert reply.error[0] == "unsupported_media_type"


async def test_a_charset_beside_the_type_does_no_harm(street):
    headers = {"content-type": "application/json; charset=utf-8"}

    assert (await street.call("POST", "/v1/query", {"question": "How?"}, headers=headers)).status == 200


async def test_without_a_key_where_keys_are_wanted_nothing_is_asked():
    house = House(options={"access": Access(api_keys=("right",), admin_token="admin")})
    street = house.street()
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
        reply = await street.call("POST", "/v1/query", {"question": "How?"}, headers=headers)
        assert reply.status == status, header
        if status == 401:
            assert reply.error[0] == "unauthorized"
            assert reply.headers["www-authenticate"] == "Bearer"
    assert len(house.rag.asked) == 3


async def test_a_compressed_body_is_named_as_what_it_is(house, street):
    headers = {"content-encoding": "gzip"}

    reply = await street.call("POST", "/v1/query", gzip.compress(b'{"question": "How?"}'), headers=headers)

    assert (reply.status, reply.headers["accept-encoding"]) == (415, "identity")
    assert reply.error[1] == "send the body as it is: Content-Encoding 'gzip' is not read here"
    assert house.rag.asked == []
