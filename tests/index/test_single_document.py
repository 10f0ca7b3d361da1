"""Documents added and deleted one at a time."""

from __future__ import annotations

import pytest

from ha_rag.components.script import Script
from ha_rag.errors import IndexBusyError, UnreadableDocumentError
from ha_rag.index import Index, RetryPolicy, add_document, delete_document
from ha_rag.index.listing import DocumentList
from ha_rag.index.single_document import MediaType
from tests.index.places import TestEmbedder, found, nearest, put

ONE_ATTEMPT = RetryPolicy(attempts=1)


async def test_an_added_document_is_found_on_return(index: Index) -> None:
    added = await add_document(index, {"primary": TestEmbedder()}, "notes/1", "# Zebras\n\nThey graze.", "Animals")
    assert (added.id, added.passages, added.replaced, added.unchanged, added.missing) == (
        "notes/1",
        1,
        False,
        False,
        {},
    )
    assert found(index, "zebra") == found(index, "animals") == ["notes/1"]
    assert nearest(index, "zebras graze")[0] == "notes/1"


async def test_adding_a_document_again_replaces_it_unless_it_is_unchanged(index: Index) -> None:
    embedder = TestEmbedder()
    await add_document(index, {"primary": embedder}, "a", "zebra")
    again = await add_document(index, {"primary": embedder}, "a", "zebra")
    assert (again.unchanged, embedder.asked) == (True, [1])
    assert (await add_document(index, {"primary": embedder}, "a", "lion")).replaced
    assert (found(index, "zebra"), found(index, "lion"), index.documents) == ([], ["a"], 1)


async def test_a_document_without_an_id_gets_a_stable_one(index: Index) -> None:
    first = await add_document(index, {}, None, "zebra")
    assert (await add_document(index, {}, None, "zebra")).id == first.id
    assert index.documents == 1


async def test_html_is_read_as_html(index: Index) -> None:
    page = "<title>Owls</title><p>hoot<script>evil()</script></p>"
    await add_document(index, {}, "a", page, media_type="text/html")
    assert found(index, "owls") == ["a"]
    assert found(index, "evil script") == []


async def test_an_embedder_that_is_down_is_named_and_the_document_kept(index: Index) -> None:
    down = TestEmbedder(script=Script.always())
    added = await add_document(index, {"primary": down}, "a", "zebra", retry_policy=ONE_ATTEMPT)
    assert added.missing == {"primary": "failed on purpose"}
    assert found(index, "zebra") == ["a"]


@pytest.mark.parametrize(("name", "text"), [("", "x"), ("x" * 513, "x"), ("\x00", "x"), ("a", " \n"), ("a", "---")])
async def test_a_document_without_text_or_a_usable_id_is_refused(index: Index, name: str, text: str) -> None:
    with pytest.raises(UnreadableDocumentError):
        await add_document(index, {}, name, text)
    assert not index.exists


async def test_a_deleted_document_is_gone_on_return(index: Index) -> None:
    put(index, {"a": "zebra"})
    assert await delete_document(index, "a")
    assert not await delete_document(index, "a")
    assert found(index, "zebra") == []


async def test_deleting_from_a_missing_index_does_not_create_it(index: Index) -> None:
    assert not await delete_document(index, "a")
    assert not index.exists


async def test_changes_are_refused_while_another_writer_is_active(index: Index) -> None:
    with index.writer(), pytest.raises(IndexBusyError):
        await add_document(index, {}, "a", "zebra")


MARKDOWN = "---\nauthor: Anna\nyear: 1999\n---\n# Zebras\n\n![a herd](data:image/png;base64,iVBORw0KGgo=) They graze.\n"


@pytest.mark.parametrize(
    ("name", "media_type", "is_read"),
    [
        ("a", "text/markdown", True),
        ("a.md", None, True),
        ("docs/A.MDX", None, True),
        ("a.txt", "text/markdown", True),
        ("a", None, False),
        ("a.txt", None, False),
        ("a.md", "text/plain", False),
    ],
)
async def test_what_says_that_it_is_markdown_is_read_as_an_ingest_reads_it(
    index: Index, name: str, media_type: MediaType | None, is_read: bool
) -> None:
    await add_document(index, {}, name, MARKDOWN, metadata={"year": 2026}, media_type=media_type)

    details = DocumentList(index.folder).document(name, 10)

    assert details is not None
    text = "".join(passage.text for passage in details.passages)
    assert ("author: Anna" in text, "base64" in text, "a herd" in text) == (not is_read, not is_read, True)
    assert details.metadata == ({"author": "Anna", "year": 2026} if is_read else {"year": 2026})
    assert details.listed.title == ("Zebras" if is_read else "")


async def test_a_title_that_is_given_is_kept(index: Index) -> None:
    await add_document(index, {}, "a.md", MARKDOWN, "Animals")

    assert found(index, "animals") == ["a.md"]


async def test_markdown_without_text_is_refused(index: Index) -> None:
    with pytest.raises(UnreadableDocumentError, match="contains no text"):
        await add_document(index, {}, "a.md", "---\nauthor: Anna\n---\n")


@pytest.mark.parametrize("text", ["zebra \0 graze", "\ufeffzebra", "zebra \ud800", "zebra\x85graze", "þÿ zebra"])
@pytest.mark.parametrize("media_type", ["text/markdown", "text/html"])
async def test_any_text_can_be_read(index: Index, text: str, media_type: MediaType) -> None:
    await add_document(index, {}, "a", text, media_type=media_type)

    assert found(index, "zebra") == ["a"]


@pytest.mark.parametrize("name", ["a ", " a", "a\n", "A", "\udcff"])
async def test_no_other_spelling_deletes_a_document(index: Index, name: str) -> None:
    put(index, {"a": "zebra"})
    generation = index.snapshot.generation

    assert not await delete_document(index, name)
    assert found(index, "zebra") == ["a"]
    index.refresh()
    assert index.snapshot.generation == generation
