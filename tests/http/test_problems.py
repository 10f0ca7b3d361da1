"""Every error has one status and one form, and reveals no internals."""

from __future__ import annotations

import logging

import pytest

from ha_rag import errors
from ha_rag.http.problems import problem_of
from tests.http.app_client import StubReplica

KNOWN = [
    (errors.CircuitOpenError("embedder.primary", 4.2), 503, "circuit_open", "5"),
    (errors.CircuitOpenError("embedder.primary"), 503, "circuit_open", None),
    (errors.LedgerUnavailableError("gone"), 503, "shared_state_unavailable", "1"),
    (errors.LedgerRefusedError("READONLY"), 503, "shared_state_unavailable", "1"),
    (errors.ThrottledError("slow down", retry_after_s=0.2), 503, "service_throttled", "1"),
    (errors.ServiceTimeoutError("late"), 504, "service_timeout", None),
    (errors.InvalidRequestError("no"), 422, "refused_by_service", None),
    (errors.ServiceError("500"), 502, "service_failed", None),
    (errors.MalformedReplyError("html"), 502, "service_failed", None),
    (errors.IndexReadOnlyError("read-only"), 409, "index_read_only", None),
    (errors.IndexBusyError("busy"), 409, "index_busy", "1"),
    (errors.IndexTooNewError("newer"), 409, "index_too_new", None),
    (errors.IndexStoreError("broken"), 503, "index_unavailable", "1"),
    (errors.UnreadableDocumentError("a.pdf", "is no PDF"), 422, "unreadable_document", None),
    (errors.UnknownCircuitError("x"), 404, "not_found", None),
    (errors.ConfigurationError("no"), 422, "invalid_request", None),
]


@pytest.mark.parametrize(("error", "status", "kind", "wait"), KNOWN, ids=lambda value: type(value).__name__)
async def test_each_known_error_has_its_status(error, status, kind, wait):
    async def fails() -> None:
        raise error

    replica = StubReplica()
    replica.rag.action = fails

    reply = await replica.client().call("POST", "/v1/query", {"question": "How?"})

    assert (reply.status, reply.error[0], reply.headers.get("retry-after")) == (status, kind, wait)


def leaves(kind: type[errors.HaRagError]) -> list[type[errors.HaRagError]]:
    children = [child for child in kind.__subclasses__() if child.__module__ == "ha_rag.errors"]
    return [leaf for child in children for leaf in leaves(child)] if children else [kind]


def test_every_ha_rag_error_has_a_rule():
    assert [kind for kind in leaves(errors.HaRagError) if problem_of(kind.__new__(kind)).status == 500] == []


class PanicError(BaseException):
    """Like the panic of a library written in Rust, which is no Exception."""


@pytest.mark.parametrize("kind", [RuntimeError, PanicError])
async def test_an_unexpected_error_is_a_500_without_details(caplog, kind):
    async def fails() -> None:
        raise kind("password=hunter2 in /home/me")

    replica = StubReplica()
    replica.rag.action = fails
    with caplog.at_level(logging.ERROR):
        reply = await replica.client().call(
            "POST", "/v1/query", {"question": "How?"}, headers={"x-request-id": "abc-1"}
        )

    assert (reply.status, reply.error[0]) == (500, "internal")
    assert b"hunter2" not in reply.body
    assert "abc-1" in caplog.text
    assert reply.headers["x-request-id"] == "abc-1"


async def test_an_unknown_path_has_the_common_error_form(client):
    reply = await client.call("GET", "/v2/nothing")

    assert reply.status == 404
    assert reply.error == ("not_found", "there is nothing at /v2/nothing; see /docs", None)


async def test_a_wrong_method_gets_405_with_the_allowed_method(client):
    reply = await client.call("GET", "/v1/query")

    assert (reply.status, reply.error[0], reply.headers["allow"]) == (405, "method_not_allowed", "POST")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/query", "POST"),
        ("/v1/circuits/embedder.primary/override", "DELETE, PUT"),
        ("/v1/documents", "GET, HEAD, POST"),
        ("/v1/documents/a/b", "DELETE, GET, HEAD"),
        ("/health", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
        ("/v1/events", "GET"),
        ("/web/main.js", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_gets_the_allowed_methods_of_all_routes(client, path, allowed):
    for method in ("PATCH", "OPTIONS", "TRACE", "BREW"):
        reply = await client.call(method, path)

        assert (reply.status, reply.error[0], reply.headers["allow"]) == (405, "method_not_allowed", allowed)


@pytest.mark.parametrize("given", ["abc-1", "A.b_c-9", "x" * 128])
async def test_a_safe_request_id_is_returned(client, given):
    reply = await client.call("GET", "/health/live", headers={"x-request-id": given})

    assert reply.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["a b", "x" * 129, "a\tb", "é", "<x>"])
async def test_any_other_request_id_is_replaced(client, given):
    reply = await client.call("GET", "/health/live", headers={"x-request-id": given})

    assert reply.headers["x-request-id"] != given
    assert len(reply.headers["x-request-id"]) == 16


def test_a_message_that_quotes_a_client_changes_no_other_text_where_it_is_shown():
    body = problem_of(errors.UnreadableDocumentError("a\x1b[2J\u202e.md", "is no PDF")).body().decode()

    assert r"a\\x1b[2J\\u202e.md: is no PDF" in body
    assert body.isprintable()
