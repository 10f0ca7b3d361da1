"""Changing what can be found, over HTTP."""

from __future__ import annotations

import pytest

from ha_rag.errors import IndexBusyError, IndexReadOnlyError


async def test_a_document_is_taken_in_and_named(house, street):
    reply = await street.call("POST", "/v1/documents", {"id": "a/b.md", "text": "# Title", "title": "T"})

    assert reply.json == {"document": "a/b.md", "passages": 1, "replaced": False, "missing": {}}
    assert house.documents.held == {"a/b.md": "# Title"}


async def test_a_second_one_of_the_same_id_replaces_the_first(street):
    await street.call("POST", "/v1/documents", {"id": "a", "text": "one"})

    assert (await street.call("POST", "/v1/documents", {"id": "a", "text": "two"})).json["replaced"] is True


async def test_a_document_with_slashes_in_its_id_can_be_deleted(house, street):
    house.documents.held["a/b.md"] = "x"

    assert (await street.call("DELETE", "/v1/documents/a/b.md")).json == {"document": "a/b.md", "deleted": True}
    assert house.documents.held == {}


async def test_a_document_that_is_not_there_cannot_be_deleted(street):
    reply = await street.call("DELETE", "/v1/documents/nobody")

    assert (reply.status, reply.error[2]) == (404, "document")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": 1}, "text"),
        ({"text": "x", "id": ""}, "id"),
        ({"text": "x", "id": "i" * 513}, "id"),
        ({"text": "x", "metadata": {"a": ["b"]}}, "metadata"),
        ({"text": "x", "url": "http://h"}, "url"),
    ],
)
async def test_a_wrong_document_is_refused_by_its_field(house, street, body, param):
    reply = await street.call("POST", "/v1/documents", body)

    assert reply.status == 422
    assert (reply.error[2] or "").startswith(param)
    assert house.documents.held == {}


@pytest.mark.parametrize(
    ("error", "kind"),
    [(IndexReadOnlyError("ingest on host a"), "index_read_only"), (IndexBusyError("busy"), "index_busy")],
)
@pytest.mark.parametrize(
    ("method", "path", "body"), [("POST", "/v1/documents", {"text": "x"}), ("DELETE", "/v1/documents/x", None)]
)
async def test_an_index_that_cannot_be_written_from_here_says_so(house, street, error, kind, method, path, body):
    house.documents.fails = error

    reply = await street.call(method, path, body)

    assert (reply.status, reply.error[0], reply.error[1]) == (409, kind, str(error))
