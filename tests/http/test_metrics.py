"""/metrics: what Prometheus reads of one replica."""

from __future__ import annotations

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ha_rag.http.app import endpoints
from ha_rag.http.endpoint_labels import EndpointLabels
from ha_rag.http.metrics import RequestCounter
from ha_rag.http.service import RequestLimits
from tests.http.street import House

QUESTION = {"question": "How does a circuit recover?"}


async def scraped(street):
    reply = await street.call("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(reply.body.decode())
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


async def test_requests_are_counted_by_endpoint_and_status(street):
    await street.call("POST", "/v1/query", QUESTION)
    await street.call("POST", "/v1/query", {"question": ""})
    await street.call("GET", "/v1/circuits/embedder.primary")

    samples = await scraped(street)

    assert samples["ha_rag_requests_total", "/v1/query", "200"] == 1
    assert samples["ha_rag_requests_total", "/v1/query", "422"] == 1
    assert samples["ha_rag_requests_total", "/v1/circuits/{name}", "200"] == 1
    assert samples["ha_rag_request_seconds_count", "/v1/query"] == 2


async def test_whatever_is_asked_for_there_are_few_paths(street):
    for n in range(20):
        await street.call("GET", f"/nothing/{n}")
        await street.call("GET", f"/v1/circuits/none-{n}")

    paths = {
        path for name, path, *_ in [key for key in await scraped(street) if key[0] == "ha_rag_request_seconds_count"]
    }

    assert paths == {"other", "/v1/circuits/{name}"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/query", "/v1/query"),
        ("/v1/circuits/embedder.primary/override", "/v1/circuits/{name}"),
        ("/v1/documents/a%2Fb", "/v1/documents/{document}"),
        ("/v1/queryx", "other"),
        ("/v1/embeddings", "other"),
        ("/health/ready", "/health/ready"),
        ("//v1/query", "other"),
    ],
)
def test_a_path_counts_under_its_endpoint(path, name, house):
    assert EndpointLabels(endpoints(house.service).every_route()).of(path) == name


async def test_every_endpoint_that_is_described_has_a_name_of_its_own(street, house):
    described = (await street.call("GET", "/openapi.json")).json["paths"]
    labels = EndpointLabels(endpoints(house.service).every_route())

    assert {path for path in described if labels.of(path) == "other"} == set()


async def test_a_request_is_queued_while_its_body_is_on_its_way_and_at_work_once_it_is_here(house):
    seen = {}

    async def while_answering():
        seen["answering"] = (house.service.arriving(), house.service.at_work())

    house.rag.does = while_answering
    street = house.street()
    scope = street._scope("POST", "/v1/query", {"host": "127.0.0.1", "content-type": "application/json"})
    pieces = iter([b'{"question":', b' "How?"}'])

    async def receive():
        seen.setdefault("before", (house.service.arriving(), house.service.at_work()))
        piece = next(pieces)
        return {"type": "http.request", "body": piece, "more_body": piece.endswith(b":")}

    async def send(_):
        pass

    await street.app(scope | {"query_string": b""}, receive, send)

    assert seen == {"before": (1, 0), "answering": (0, 1)}
    assert (house.service.arriving(), house.service.at_work()) == (0, 0)


async def test_nothing_that_a_caller_sends_makes_more_series(house):
    async def hostile(n):
        street = house.street()
        await street.call("GET", f"/nothing/{n}?{n}", headers={"x-request-id": f"id-{n}"})
        await street.call(f"VERB{n}", f"/v1/{n}")
        await street.call("GET", f"/v1/circuits/hostile-{n}")
        await street.call("PUT", f"/v1/circuits/hostile-{n}/override", {"mode": "open", "reason": f"{n}"})
        await street.call("DELETE", f"/v1/documents/{n}")
        await street.call("POST", "/v1/query", {"question": f"Number {n}?"})
        return set(await scraped(street))

    await hostile(0)
    first = await hostile(1)
    for n in range(2, 50):
        last = await hostile(n)

    assert last == first


async def test_a_question_that_is_refused_has_a_line_in_the_log_without_its_text(street, caplog):
    with caplog.at_level(logging.INFO, "ha_rag.answers"):
        await street.call("POST", "/v1/query", {"question": "Who is my doctor?", "top_k": 999})
        await street.call("POST", "/v1/query", QUESTION)
        await street.call("GET", "/v1/circuits/none")

    (line,) = caplog.messages
    assert line.startswith("no answer at /v1/query: refused with 422 after ")


async def test_a_full_replica_does_not_write_a_line_for_each_that_it_refuses(caplog):
    house = House(options={"limits": RequestLimits(max_concurrent=0)})
    with caplog.at_level(logging.INFO, "ha_rag.answers"):
        assert (await house.street().call("POST", "/v1/query", QUESTION)).status == 503

    assert caplog.messages == []


@pytest.mark.parametrize("begun", [False, True])
async def test_an_asker_who_leaves_before_the_end_of_the_answer_is_told_of(caplog, house, begun):
    counted = []

    async def gives_up(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"By a", "more_body": True})

    async def nothing(*_):
        pass

    scope = {"type": "http", "path": "/v1/chat/completions", "method": "POST"}
    with caplog.at_level(logging.INFO, "ha_rag.answers"):
        labels = EndpointLabels(endpoints(house.service).every_route())
        await RequestCounter(gives_up, lambda *facts: counted.append(facts[:2]), labels)(scope, nothing, nothing)

    assert caplog.messages[0].startswith("no answer at /v1/chat/completions: the client disconnected after ")
    assert counted == [("/v1/chat/completions", 200 if begun else 499)]


async def test_what_nobody_foresaw_counts_as_a_500_and_has_its_own_line_with_the_traceback_alone(house, caplog):
    async def falls():
        raise RuntimeError("the floor is gone")

    house.rag.does = falls
    with caplog.at_level(logging.INFO):
        assert (await house.street().call("POST", "/v1/query", QUESTION)).status == 500

    assert (await scraped(house.street()))["ha_rag_requests_total", "/v1/query", "500"] == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
