"""Sample documents: only in an index that never held anything else, and never again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ha_rag.index import Chunk, Document, Index, IngestReport, ingest
from ha_rag.index.single_document import add_document, delete_document
from tests.index.places import found, put, write_files
from tests.index.written_by_0_1_0 import INGESTS
from tests.version_0_1_0 import Version010

Change = Callable[[Index, Path], Awaitable[object]]


async def sampled(index: Index, samples: Path, *paths: Path) -> IngestReport:
    return await ingest(paths, index, {}, samples=sorted(samples.iterdir()))


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    return write_files(tmp_path / "package", {"a.md": "Zebras graze.", "b.md": "Owls hoot."})


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_files(tmp_path / "docs", {"a.md": "Newts swim."})


async def test_an_empty_index_has_samples_that_are_marked(index: Index, samples: Path) -> None:
    report = await sampled(index, samples)
    assert (report.samples, report.added, report.complete) == (2, 0, True)
    assert found(index, "zebras") == ["a.md"]
    with index.writer() as writer:
        assert sorted(known.source for known in writer.documents()) == ["sample:a.md", "sample:b.md"]


async def test_samples_that_are_unchanged_are_not_written_again_and_changed_ones_are(index, samples: Path) -> None:
    await sampled(index, samples)
    before = index.snapshot.generation
    assert (await sampled(index, samples)).samples == 2
    assert index.snapshot.generation == before
    (samples / "a.md").unlink()
    write_files(samples, {"b.md": "Lions sleep."})
    report = await sampled(index, samples)
    assert (report.samples, report.samples_out, index.documents) == (1, 0, 1)
    assert found(index, "lions") == ["b.md"]


async def by_ingest(index: Index, docs: Path) -> None:
    report = await ingest([docs], index, {})
    assert (report.added, report.changed, report.samples_out, report.renamed) == (1, 0, 2, ())


async def by_mirror(index: Index, docs: Path) -> None:
    await ingest([docs], index, {}, mirror=True)


async def by_post(index: Index, docs: Path) -> None:
    await add_document(index, {}, "a.md", "Newts swim.", "", {})


@pytest.mark.parametrize("change", [by_ingest, by_mirror, by_post])
async def test_the_first_document_takes_their_place_for_ever(index, samples: Path, docs: Path, change: Change) -> None:
    await sampled(index, samples)
    await change(index, docs)
    index.refresh()
    assert (found(index, "zebras"), found(index, "owls"), found(index, "newts")) == ([], [], ["a.md"])
    await delete_document(index, "a.md")
    assert (await sampled(index, samples)).samples == 0
    assert index.documents == 0


async def test_an_ingest_that_reads_nothing_leaves_them(index: Index, samples: Path, tmp_path: Path) -> None:
    await sampled(index, samples)
    await ingest([tmp_path / "nowhere", write_files(tmp_path / "empty", {"a.txt": ""})], index, {}, mirror=True)
    assert found(index, "zebras") == ["a.md"]


async def test_none_come_beside_documents_that_are_read_in_the_same_run(index, samples: Path, docs: Path) -> None:
    assert (await sampled(index, samples, docs)).samples == 0
    assert (found(index, "zebras"), found(index, "newts")) == ([], ["a.md"])


async def test_none_come_beside_documents_of_an_older_index(index: Index, samples: Path) -> None:
    put(index, {"told": "Bees hum."})
    assert (await sampled(index, samples)).samples == 0


async def test_a_sample_that_was_deleted_by_hand_does_not_come_back(index: Index, samples: Path) -> None:
    await sampled(index, samples)
    await delete_document(index, "a.md")
    await sampled(index, samples)
    assert (found(index, "zebras"), found(index, "owls")) == ([], ["b.md"])


async def test_samples_that_0_1_0_took_from_its_package_make_room_too(index: Index, docs: Path) -> None:
    with index.writer() as writer:
        source = "/usr/lib/python3.11/site-packages/ha_rag/samples/b.md"
        writer.put(Document(id="b.md", text="Zebras graze.", source=source), [Chunk(text="Zebras graze.")])
        writer.commit()
    index.refresh()
    assert found(index, "zebras") == ["b.md"]
    await ingest([docs], index, {})
    assert (found(index, "zebras"), found(index, "newts")) == ([], ["a.md"])


async def test_samples_that_0_1_0_took_from_a_checkout_make_room_too(
    index: Index, docs: Path, tmp_path: Path, version_0_1_0: Version010
) -> None:
    checkout = write_files(tmp_path / "checkout", {"docs/b.md": "Zebras graze.", "ha_rag/local_fleet/samples.py": ""})
    own = write_files(tmp_path / "mine", {"docs/c.md": "Bees hum."})
    files = [str(one.resolve()) for one in (checkout / "docs/b.md", own / "docs/c.md")]
    version_0_1_0.run(INGESTS, str(index.folder), files)
    index.refresh()
    assert (found(index, "zebras"), found(index, "bees")) == (["b.md"], ["c.md"])

    await ingest([docs], index, {})

    assert (found(index, "zebras"), found(index, "bees"), found(index, "newts")) == ([], ["c.md"], ["a.md"])


async def test_the_docs_of_a_checkout_that_this_version_was_given_are_no_samples(
    index: Index, docs: Path, tmp_path: Path
):
    checkout = write_files(tmp_path / "checkout", {"docs/b.md": "Zebras graze.", "ha_rag/local_fleet/samples.py": ""})
    await ingest([checkout / "docs"], index, {})
    await ingest([docs], index, {})
    assert found(index, "zebras") == ["b.md"]
