"""Adding and deleting documents over HTTP."""

from __future__ import annotations

import pytest

from ha_rag.errors import IndexBusyError, IndexReadOnlyError


async def test_a_document_is_added_under_its_id(replica, client):
    reply = await client.call("POST", "/v1/documents", {"id": "a/b.md", "text": "# Title", "title": "T"})

    assert reply.json == {"document": "a/b.md", "passages": 1, "replaced": False, "missing": {}}
    assert replica.documents.texts == {"a/b.md": "# Title"}


async def test_a_document_with_the_same_id_is_replaced(client):
    await client.call("POST", "/v1/documents", {"id": "a", "text": "one"})

    assert (await client.call("POST", "/v1/documents", {"id": "a", "text": "two"})).json["replaced"] is True


async def test_a_document_with_slashes_in_its_id_can_be_deleted(replica, client):
    replica.documents.texts["a/b.md"] = "x"

    assert (await client.call("DELETE", "/v1/documents/a/b.md")).json == {"document": "a/b.md", "deleted": True}
    assert replica.documents.texts == {}


async def test_deleting_an_unknown_document_is_a_404(client):
    reply = await client.call("DELETE", "/v1/documents/nobody")

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
async def test_an_invalid_document_is_refused_with_its_field(replica, client, body, param):
    reply = await client.call("POST", "/v1/documents", body)

    assert reply.status == 422
    assert (reply.error[2] or "").startswith(param)
    assert replica.documents.texts == {}


@pytest.mark.parametrize("value", [b"[1]", b"null", b"1e999", b"{}"])
async def test_invalid_metadata_is_reported_by_its_key(client, value):
    reply = await client.call("POST", "/v1/documents", b'{"text": "x", "metadata": {"year": %s}}' % value)

    assert reply.status == 422
    assert reply.error[1:] == ("metadata.year: must be text, a finite number, true or false", "metadata.year")


@pytest.mark.parametrize("name", ["../../etc/passwd", "<script>", "مرحبا", "a;b", "%0d%0a", "x" * 512])
async def test_any_other_one_line_id_is_accepted_unchanged(replica, client, name):
    reply = await client.call("POST", "/v1/documents", {"id": name, "text": "x"})

    assert (reply.status, reply.json["document"], list(replica.documents.texts)) == (200, name, [name])


@pytest.mark.parametrize(
    ("error", "kind"),
    [(IndexReadOnlyError("ingest on host a"), "index_read_only"), (IndexBusyError("busy"), "index_busy")],
)
@pytest.mark.parametrize(
    ("method", "path", "body"), [("POST", "/v1/documents", {"text": "x"}), ("DELETE", "/v1/documents/x", None)]
)
async def test_an_index_that_cannot_be_written_is_a_409(replica, client, error, kind, method, path, body):
    replica.documents.error = error

    reply = await client.call(method, path, body)

    assert (reply.status, reply.error[0], reply.error[1]) == (409, kind, str(error))


async def test_null_for_an_optional_field_of_a_document_is_absence(replica, client):
    body = {"text": "Text.", "id": None, "title": None, "metadata": None}

    assert (await client.call("POST", "/v1/documents", body)).status == 200
    assert replica.documents.texts == {"text-1": "Text."}
