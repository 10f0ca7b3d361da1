"""Ingest: reads, splits, embeds and indexes documents, in batches that are committed one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ha_rag.cores import cores
from ha_rag.index.collector import Collector, SplitDocument
from ha_rag.index.document import searchable
from ha_rag.index.embedding import DEFAULT_RETRY_POLICY, Permitted, RetryPolicy, SpaceFiller
from ha_rag.index.index import Index
from ha_rag.index.reading.files import DEFAULT_LIMITS, ReadingLimits
from ha_rag.index.report import IngestReport, IngestStep, Progress, SpaceReport
from ha_rag.index.splitting import DEFAULT_SPLITTING, Splitting
from ha_rag.index.threads import in_thread
from ha_rag.index.writer import IndexWriter
from ha_rag.interfaces import Embedder
from ha_rag.messages import Space, Vector

GAPS_AT_ONCE = 512


async def ingest(
    paths: Sequence[Path | str],
    index: Index,
    embedders: Mapping[str, Embedder],
    *,
    progress: Progress = lambda step: None,
    permitted: Permitted | None = None,
    splitting: Splitting = DEFAULT_SPLITTING,
    limits: ReadingLimits = DEFAULT_LIMITS,
    retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY,
    mirror: bool = False,
) -> IngestReport:
    """Indexes the documents at `paths`, with a vector in the space of each of `embedders` (by name).

    Unchanged documents are skipped and changed ones are replaced. A document whose file has vanished stays, unless
    `mirror` is set: then documents whose files are not under `paths` are deleted at the end. Nothing is deleted if any
    file could not be read or none was found, so an unmounted share does not empty the index. A run after a crash
    continues with the documents that were not committed. An embedder that fails, or that `permitted` rejects, leaves
    passages without vectors, which the next ingest adds. `progress` is called from a worker thread.

    Raises IndexBusyError at once if another process is writing, IndexReadOnlyError, IndexTooNewError, and
    IndexStoreError for disk errors; committed batches stay. Files that cannot be read are listed in the report.
    """
    fillers = [
        SpaceFiller(name, embedder, permitted=permitted, retry_policy=retry_policy)
        for name, embedder in embedders.items()
    ]
    with index.writer(threads=cores()) as writer:
        collector = Collector([Path(path) for path in paths], writer, splitting, limits, progress)
        passages = 0
        while batch := await in_thread(collector.next_batch):
            passages += await write(writer, batch, fillers)
        removed = await in_thread(_delete_vanished, writer, collector) if mirror else 0
        spaces = [await _fill(writer, filler, progress) for filler in fillers]
    await in_thread(index.refresh)
    return IngestReport(
        added=collector.added,
        changed=collector.changed,
        unchanged=collector.unchanged,
        removed=removed,
        passages=passages,
        renamed=tuple(collector.renamed),
        unreadable=tuple(collector.unreadable),
        spaces=tuple(spaces),
    )


def _delete_vanished(writer: IndexWriter, collector: Collector) -> int:
    """Deletes the documents whose files were not seen. Documents added over HTTP have no file and stay."""
    if collector.unreadable or not collector.seen:
        return 0
    held = [known for known in writer.documents() if Path(known.source).is_absolute()]
    gone = [known.id for known in held if known.source not in collector.seen]
    for document in gone:
        writer.delete(document)
    writer.commit()
    return len(gone)


async def write(writer: IndexWriter, batch: Sequence[SplitDocument], fillers: Sequence[SpaceFiller]) -> int:
    """Embeds, writes and commits documents; returns their number of passages."""
    texts = [searchable(chunk.title, chunk.heading, chunk.text) for document in batch for chunk in document.chunks]
    columns = {filler.space: await filler.vectors(texts) for filler in fillers}
    await in_thread(_store, writer, batch, columns)
    return len(texts)


def _store(
    writer: IndexWriter, batch: Sequence[SplitDocument], columns: Mapping[Space, Sequence[Vector | None]]
) -> None:
    start = 0
    for split in batch:
        end = start + len(split.chunks)
        writer.put(split.document, split.chunks, {space: column[start:end] for space, column in columns.items()})
        start = end
    writer.commit()


async def _fill(writer: IndexWriter, filler: SpaceFiller, progress: Progress) -> SpaceReport:
    """Adds the vectors that are missing in the filler's space, until its embedder fails."""
    missing = total = await in_thread(writer.count_unembedded, filler.space)
    row = done = 0
    while missing and filler.down is None:
        progress(IngestStep("filling", done, total, filler.name))
        gaps = await in_thread(writer.unembedded, filler.space, GAPS_AT_ONCE, row)
        if not gaps:
            break
        vectors = await filler.vectors([gap.text for gap in gaps])
        await in_thread(_store_vectors, writer, filler.space, {g.row: v for g, v in zip(gaps, vectors, strict=True)})
        row, done = gaps[-1].row, done + len(gaps)
        missing -= sum(vector is not None for vector in vectors)
    why = filler.down or ("the embedder returned no vector for them" if missing else "")
    return SpaceReport(embedder=filler.name, space=filler.space, filled=filler.filled, missing=missing, why=why)


def _store_vectors(writer: IndexWriter, space: Space, vectors: Mapping[int, Vector | None]) -> None:
    writer.put_vectors(space, vectors)
    writer.commit()
