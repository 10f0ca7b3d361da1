"""The list of documents over HTTP, and one document with its passages."""

from __future__ import annotations

import pytest

from ha_rag.errors import IndexStoreError, IndexTooNewError
from ha_rag.index.listed import DocumentFilter

LISTED = {
    "id": "a", "title": "", "origin": "http", "source": None, "state": "searchable", "reason": None, "passages": 1,
    "vectors": {"m/8": 1}, "indexed_at": 1.5,
}  # fmt: skip


async def test_documents_are_listed(replica, client):
    replica.documents.texts["a"] = "Bees hum."

    reply = await client.call("GET", "/v1/documents")

    assert reply.json == {"documents": [LISTED], "total": 1, "next": None}
    assert replica.documents.asked == [(DocumentFilter(), 50, b"")]


async def test_pages_follow_each_other_with_any_ids(replica, client):
    names = sorted(["a", "b/c", "grüße", "%2F", "..", "z" * 512, "\U0001f41d"])
    replica.documents.texts |= dict.fromkeys(names, "x")
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        reply = (await client.call("GET", "/v1/documents", query={"limit": "2", "after": after})).json
        found += [document["id"] for document in reply["documents"]]
        after = reply["next"]

    assert found == names


async def test_a_filter_is_passed_on(replica, client):
    query = {"words": "zebra Ä", "state": "waiting", "origin": "file", "limit": "7"}

    assert (await client.call("GET", "/v1/documents", query=query)).status == 200
    assert replica.documents.asked[0][:2] == (DocumentFilter(words="zebra Ä", state="waiting", origin="file"), 7)


@pytest.mark.parametrize(
    ("path", "query", "param"),
    [
        ("/v1/documents", {"limit": "0"}, "limit"),
        ("/v1/documents", {"limit": "501"}, "limit"),
        ("/v1/documents", {"limit": "1e2"}, "limit"),
        ("/v1/documents", {"after": "ä"}, "after"),
        ("/v1/documents", {"after": "a"}, "after"),
        ("/v1/documents", {"after": "a" * 8193}, "after"),
        ("/v1/documents", {"words": "a" * 501}, "words"),
        ("/v1/documents", {"state": "lost"}, "state"),
        ("/v1/documents", {"origin": ""}, "origin"),
        ("/v1/documents/a", {"limit": "1001"}, "limit"),
        ("/v1/documents/a", {"after": "-2"}, "after"),
        ("/v1/documents/a", {"after": "9" * 30}, "after"),
    ],
)
async def test_an_invalid_parameter_is_refused_by_name(replica, client, path, query, param):
    replica.documents.texts["a"] = "x"

    reply = await client.call("GET", path, query=query)

    assert (reply.status, reply.error[2]) == (422, param)


async def test_a_document_is_shown_with_its_passages(replica, client):
    replica.documents.texts["a"] = "Bees hum."
    replica.documents.metadata = {"year": 2026}

    reply = await client.call("GET", "/v1/documents/a")

    texts = [{"passage": "a#0", "title": "", "heading": "", "text": "Bees hum.", "problem": None}]
    assert reply.json == {**LISTED, "metadata": {"year": 2026}, "texts": texts, "next": None}


@pytest.mark.parametrize("value", ["\ud800", 10**30, ["\udfff"], [[[]]], float("nan"), "[" * 100_000])
async def test_metadata_that_json_cannot_hold_is_shown_as_text(replica, client, value):
    replica.documents.texts["a"] = "Bees hum."
    replica.documents.metadata = {"x": value, "\ud801": 1}

    reply = await client.call("GET", "/v1/documents/a")

    assert reply.status == 200
    assert len(reply.json["metadata"]) == 2


async def test_an_unknown_document_is_a_404(client):
    reply = await client.call("GET", "/v1/documents/nobody")

    assert (reply.status, reply.error[2]) == (404, "document")


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/documents/a"])
@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [(IndexStoreError("gone"), 503, "index_unavailable"), (IndexTooNewError("newer"), 409, "index_too_new")],
)
async def test_an_index_that_cannot_be_read_is_said(replica, client, path, error, status, kind):
    replica.documents.error = error

    reply = await client.call("GET", path)

    assert (reply.status, reply.error[0], reply.error[1]) == (status, kind, str(error))


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/documents/a"])
async def test_head_is_answered_as_get_without_a_body(replica, client, path):
    replica.documents.texts["a"] = "x"

    reply = await client.call("HEAD", path)

    assert (reply.status, reply.body) == (200, b"")
