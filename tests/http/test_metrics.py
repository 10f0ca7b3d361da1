"""GET /metrics, and the log lines of unanswered questions."""

from __future__ import annotations

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ha_rag.http.app import endpoints
from ha_rag.http.endpoint_labels import EndpointLabels
from ha_rag.http.metrics import RequestCounter
from ha_rag.http.service import RequestLimits
from tests.http.app_client import StubReplica

QUESTION = {"question": "How does a circuit recover?"}


async def scraped(client):
    reply = await client.call("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(reply.body.decode())
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


async def test_requests_are_counted_by_endpoint_and_status(client):
    await client.call("POST", "/v1/query", QUESTION)
    await client.call("POST", "/v1/query", {"question": ""})
    await client.call("GET", "/v1/circuits/embedder.primary")

    samples = await scraped(client)

    assert samples["ha_rag_requests_total", "/v1/query", "200"] == 1
    assert samples["ha_rag_requests_total", "/v1/query", "422"] == 1
    assert samples["ha_rag_requests_total", "/v1/circuits/{name}", "200"] == 1
    assert samples["ha_rag_request_seconds_count", "/v1/query"] == 2


async def test_unknown_paths_do_not_add_labels(client):
    for n in range(20):
        await client.call("GET", f"/nothing/{n}")
        await client.call("GET", f"/v1/circuits/none-{n}")

    paths = {
        path for name, path, *_ in [key for key in await scraped(client) if key[0] == "ha_rag_request_seconds_count"]
    }

    assert paths == {"other", "/v1/circuits/{name}"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/query", "/v1/query"),
        ("/v1/circuits/embedder.primary/override", "/v1/circuits/{name}"),
        ("/v1/documents", "/v1/documents"),
        ("/v1/documents/a%2Fb", "/v1/documents/{document}"),
        ("/v1/documents/a/override", "/v1/documents/{document}"),
        ("/v1/queryx", "other"),
        ("/v1/embeddings", "other"),
        ("/health/ready", "/health/ready"),
        ("//v1/query", "other"),
    ],
)
def test_a_path_is_counted_under_its_endpoint(path, name, replica):
    assert EndpointLabels(endpoints(replica.service).every_route()).of(path) == name


async def test_every_described_endpoint_has_its_own_label(client, replica):
    described = (await client.call("GET", "/openapi.json")).json["paths"]
    labels = EndpointLabels(endpoints(replica.service).every_route())

    assert {path for path in described if labels.of(path) == "other"} == set()


async def test_a_request_is_in_flight_once_its_body_has_arrived(replica):
    seen = {}

    async def while_answering():
        seen["answering"] = (replica.service.receiving(), replica.service.in_flight())

    replica.rag.action = while_answering
    client = replica.client()
    scope = client._scope("POST", "/v1/query", {"host": "127.0.0.1", "content-type": "application/json"})
    pieces = iter([b'{"question":', b' "How?"}'])

    async def receive():
        seen.setdefault("before", (replica.service.receiving(), replica.service.in_flight()))
        piece = next(pieces)
        return {"type": "http.request", "body": piece, "more_body": piece.endswith(b":")}

    async def send(_):
        pass

    await client.app(scope | {"query_string": b""}, receive, send)

    assert seen == {"before": (1, 0), "answering": (0, 1)}
    assert (replica.service.receiving(), replica.service.in_flight()) == (0, 0)


async def test_no_request_adds_metric_series(replica):
    async def hostile(n):
        client = replica.client()
        await client.call("GET", f"/nothing/{n}?{n}", headers={"x-request-id": f"id-{n}"})
        await client.call(f"VERB{n}", f"/v1/{n}")
        await client.call("GET", f"/v1/circuits/hostile-{n}")
        await client.call("PUT", f"/v1/circuits/hostile-{n}/override", {"mode": "open", "reason": f"{n}"})
        await client.call("DELETE", f"/v1/documents/{n}")
        await client.call("POST", "/v1/query", {"question": f"Number {n}?"})
        return set(await scraped(client))

    await hostile(0)
    first = await hostile(1)
    for n in range(2, 50):
        last = await hostile(n)

    assert last == first


async def test_a_refused_question_is_logged_without_its_text(client, caplog):
    with caplog.at_level(logging.INFO, "ha_rag.answers"):
        await client.call("POST", "/v1/query", {"question": "Who is my doctor?", "top_k": 999})
        await client.call("POST", "/v1/query", QUESTION)
        await client.call("GET", "/v1/circuits/none")

    (line,) = caplog.messages
    assert line.startswith("no answer at /v1/query: refused with 422 after ")


async def test_refusals_at_capacity_are_not_logged(caplog):
    replica = StubReplica(options={"limits": RequestLimits(max_concurrent=0)})
    with caplog.at_level(logging.INFO, "ha_rag.answers"):
        assert (await replica.client().call("POST", "/v1/query", QUESTION)).status == 503

    assert caplog.messages == []


@pytest.mark.parametrize("started", [False, True])
async def test_a_client_that_disconnects_before_the_end_of_the_answer_is_logged(caplog, replica, started):
    counted = []

    async def gives_up(scope, receive, send):
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"By a", "more_body": True})

    async def nothing(*_):
        pass

    scope = {"type": "http", "path": "/v1/chat/completions", "method": "POST"}
    with caplog.at_level(logging.INFO, "ha_rag.answers"):
        labels = EndpointLabels(endpoints(replica.service).every_route())
        await RequestCounter(gives_up, lambda *facts: counted.append(facts[:2]), labels)(scope, nothing, nothing)

    assert caplog.messages[0].startswith("no answer at /v1/chat/completions: the client disconnected after ")
    assert counted == [("/v1/chat/completions", 200 if started else 499)]


async def test_an_unexpected_error_counts_as_a_500_and_is_logged_once(replica, caplog):
    async def fails():
        raise RuntimeError("unexpected")

    replica.rag.action = fails
    with caplog.at_level(logging.INFO):
        assert (await replica.client().call("POST", "/v1/query", QUESTION)).status == 500

    assert (await scraped(replica.client()))["ha_rag_requests_total", "/v1/query", "500"] == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
