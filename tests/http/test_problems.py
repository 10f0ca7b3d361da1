"""Every error has one status and one form, and tells nothing of the inside."""

from __future__ import annotations

import logging

import pytest

from ha_rag import errors
from ha_rag.http.problems import problem_of
from tests.http.street import House

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
async def test_each_of_our_errors_has_its_status(error, status, kind, wait):
    async def fails() -> None:
        raise error

    house = House()
    house.rag.does = fails

    reply = await house.street().call("POST", "/v1/query", {"question": "How?"})

    assert (reply.status, reply.error[0], reply.headers.get("retry-after")) == (status, kind, wait)


def leaves(kind: type[errors.HaRagError]) -> list[type[errors.HaRagError]]:
    below = [child for child in kind.__subclasses__() if child.__module__ == "ha_rag.errors"]
    return [leaf for child in below for leaf in leaves(child)] if below else [kind]


def test_no_error_of_the_tree_is_left_without_a_rule():
    assert [kind for kind in leaves(errors.HaRagError) if problem_of(kind.__new__(kind)).status == 500] == []


async def test_what_nobody_foresaw_is_a_500_that_tells_nothing_but_its_name_in_the_log(caplog):
    async def fails() -> None:
        raise RuntimeError("password=hunter2 in /home/me")

    house = House()
    house.rag.does = fails
    with caplog.at_level(logging.ERROR):
        reply = await house.street().call("POST", "/v1/query", {"question": "How?"}, headers={"x-request-id": "abc-1"})

    assert (reply.status, reply.error[0]) == (500, "internal")
    assert b"hunter2" not in reply.body
    assert "abc-1" in caplog.text
    assert reply.headers["x-request-id"] == "abc-1"


async def test_an_unknown_path_is_told_in_the_same_form(street):
    reply = await street.call("GET", "/v2/nothing")

    assert reply.status == 404
    assert reply.error == ("not_found", "there is nothing at /v2/nothing; see /docs", None)


async def test_a_wrong_method_names_the_right_ones(street):
    reply = await street.call("GET", "/v1/query")

    assert (reply.status, reply.error[0], reply.headers["allow"]) == (405, "method_not_allowed", "POST")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/query", "POST"),
        ("/v1/circuits/embedder.primary/override", "DELETE, PUT"),
        ("/v1/documents/a/b", "DELETE"),
        ("/health", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
        ("/metrics", "GET"),
        ("/web/main.js", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_names_all_the_right_ones_of_all_routes(street, path, allowed):
    for method in ("PATCH", "OPTIONS", "TRACE", "BREW"):
        reply = await street.call(method, path)

        assert (reply.status, reply.error[0], reply.headers["allow"]) == (405, "method_not_allowed", allowed)


@pytest.mark.parametrize("given", ["abc-1", "A.b_c-9", "x" * 128])
async def test_a_harmless_request_id_is_given_back(street, given):
    reply = await street.call("GET", "/health/live", headers={"x-request-id": given})

    assert reply.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["a b", "x" * 129, "a\tb", "é", "<x>"])
async def test_any_other_request_id_is_replaced(street, given):
    reply = await street.call("GET", "/health/live", headers={"x-request-id": given})

    assert reply.headers["x-request-id"] != given
    assert len(reply.headers["x-request-id"]) == 16
