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
        ({"text": " \u200b*** \x00"}, "text"),
        ({"text": "x", "id": ""}, "id"),
        ({"text": "x", "id": "i" * 513}, "id"),
        ({"text": "x", "id": "a\nb"}, "id"),
        ({"text": "x", "id": " a"}, "id"),
        ({"text": "x", "id": "a\x1b[31m"}, "id"),
        ({"text": "x", "id": "a\u2028b"}, "id"),
        ({"text": "x", "metadata": {"a": ["b"]}}, "metadata"),
        ({"text": "x", "url": "http://h"}, "url"),
    ],
)
async def test_a_wrong_document_is_refused_by_its_field(house, street, body, param):
    reply = await street.call("POST", "/v1/documents", body)

    assert reply.status == 422
    assert (reply.error[2] or "").startswith(param)
    assert house.documents.held == {}


@pytest.mark.parametrize("value", [b"[1]", b"null", b"1e999", b"{}"])
async def test_a_fact_of_a_wrong_kind_is_told_by_its_name_and_not_by_ours(street, value):
    reply = await street.call("POST", "/v1/documents", b'{"text": "x", "metadata": {"year": %s}}' % value)

    assert reply.status == 422
    assert reply.error[1:] == ("metadata.year: must be a text, a finite number, or true or false", "metadata.year")


@pytest.mark.parametrize("name", ["../../etc/passwd", "<script>", "مرحبا", "a;b", "%0d%0a", "x" * 512])
async def test_any_other_id_of_one_line_is_a_name_and_nothing_else(house, street, name):
    reply = await street.call("POST", "/v1/documents", {"id": name, "text": "x"})

    assert (reply.status, reply.json["document"], list(house.documents.held)) == (200, name, [name])


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
