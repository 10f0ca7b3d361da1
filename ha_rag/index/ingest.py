"""Ingest: documents are read, split, embedded and indexed, in portions that each survive on their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ha_rag.components.interfaces import Embedder
from ha_rag.cores import cores
from ha_rag.index.collecting import Change, Collector
from ha_rag.index.document import searchable
from ha_rag.index.embedding import DEFAULT_PATIENCE, Patience, Permitted, SpaceFiller
from ha_rag.index.index import Index
from ha_rag.index.reading.files import DEFAULT_LIMITS, Limits
from ha_rag.index.report import IngestReport, IngestStep, Progress, SpaceReport
from ha_rag.index.splitting import DEFAULT_SPLITTING, Splitting
from ha_rag.index.threads import in_thread
from ha_rag.index.writer import IndexWriter
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
    limits: Limits = DEFAULT_LIMITS,
    patience: Patience = DEFAULT_PATIENCE,
    mirror: bool = False,
) -> IngestReport:
    """Brings the documents at `paths` into the index, with a vector in the space of each of `embedders` (by name).

    Unchanged documents are skipped, changed ones replaced in one step; a document whose file has vanished stays, unless
    `mirror` is set: then documents of files that `paths` do not hold are taken out, once everything was read. Where
    something could not be read, or nothing was there, nothing is: a share that is not mounted empties no index.
    Killed in the middle, the next run goes on where this one was. An embedder that fails, or that `permitted`
    refuses, leaves gaps which the next ingest fills; its documents are indexed all the same. `progress` is called
    from a worker thread.

    Raises IndexBusyError at once where another process is writing, IndexReadOnlyError, IndexTooNewError, and
    IndexStoreError where the disk refuses; what was committed stays. What cannot be read is in the report.
    """
    fillers = [SpaceFiller(name, one, permitted=permitted, patience=patience) for name, one in embedders.items()]
    with index.writer(threads=cores()) as writer:
        collector = Collector([Path(path) for path in paths], writer, splitting, limits, progress)
        passages = 0
        while changes := await in_thread(collector.portion):
            passages += await write(writer, changes, fillers)
        removed = await in_thread(_take_out, writer, collector) if mirror else 0
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


def _take_out(writer: IndexWriter, collector: Collector) -> int:
    """Deletes the documents whose files were not seen. What came over HTTP has no file, and stays."""
    if collector.unreadable or not collector.seen:
        return 0
    held = [known for known in writer.documents() if Path(known.source).is_absolute()]
    gone = [known.id for known in held if known.source not in collector.seen]
    for document in gone:
        writer.delete(document)
    writer.commit()
    return len(gone)


async def write(writer: IndexWriter, changes: Sequence[Change], fillers: Sequence[SpaceFiller]) -> int:
    """Embeds, writes and commits documents; returns how many passages they have."""
    texts = [searchable(piece.title, piece.heading, piece.text) for change in changes for piece in change.pieces]
    columns = {filler.space: await filler.vectors(texts) for filler in fillers}
    await in_thread(_store, writer, changes, columns)
    return len(texts)


def _store(writer: IndexWriter, changes: Sequence[Change], columns: Mapping[Space, Sequence[Vector | None]]) -> None:
    start = 0
    for change in changes:
        end = start + len(change.pieces)
        writer.put(change.document, change.pieces, {space: column[start:end] for space, column in columns.items()})
        start = end
    writer.commit()


async def _fill(writer: IndexWriter, filler: SpaceFiller, progress: Progress) -> SpaceReport:
    """Gives a vector to every passage that lacks one in the filler's space, as far as its embedder answers."""
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
    why = filler.down or ("the embedder gave no vector for them" if missing else "")
    return SpaceReport(embedder=filler.name, space=filler.space, filled=filler.filled, missing=missing, why=why)


def _store_vectors(writer: IndexWriter, space: Space, vectors: Mapping[int, Vector | None]) -> None:
    writer.put_vectors(space, vectors)
    writer.commit()
