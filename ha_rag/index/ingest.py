"""Ingest: reads, splits, embeds and indexes documents, in batches that are committed one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ha_rag.cores import cores
from ha_rag.index.collector import Collector, SplitDocument
from ha_rag.index.document import searchable
from ha_rag.index.embedding import DEFAULT_RETRY_POLICY, Permitted, RetryPolicy, SpaceFiller
from ha_rag.index.index import Index
from ha_rag.index.indexed_documents import committed_documents
from ha_rag.index.reading.files import DEFAULT_LIMITS, ReadingLimits
from ha_rag.index.reading.walking import resolved
from ha_rag.index.report import Announce, IngestReport, IngestStep, Progress, Reembedding, SpaceReport
from ha_rag.index.splitting import DEFAULT_SPLITTING, Splitting
from ha_rag.index.taking_out import TakingOut, decide, take_out
from ha_rag.index.threads import in_reading_thread, in_thread, side_by_side
from ha_rag.index.upgrading import services
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
    announce: Announce = lambda reembedding: None,
    permitted: Permitted | None = None,
    splitting: Splitting = DEFAULT_SPLITTING,
    limits: ReadingLimits = DEFAULT_LIMITS,
    retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY,
    mirror: bool = False,
    even_if_empty: bool = False,
    samples: Sequence[Path] = (),
) -> IngestReport:
    """Indexes the documents at `paths`, with a vector in the space of each of `embedders` (by name).

    Unchanged documents are skipped and changed ones are replaced. What a file that was looked at no longer holds is
    taken out, also where nothing can be read from it any more. A document whose file has vanished stays, unless
    `mirror` is set: then what `paths` no longer hold is taken out at the end, and nothing else. What could not be
    looked at stays, and so do the documents of a path that has nothing left and may not be mounted, unless
    `even_if_empty`.
    A run after a crash continues with the documents that were not committed. An embedder that fails, or that
    `permitted` rejects, leaves passages without vectors, which the next ingest adds. `progress` and `announce` are
    called from a worker thread. `samples`: files to index as samples if the index never held anything else, until it
    does. `announce`: before the first request, for each embedder that is a service and has to embed passages again only
    because an earlier version of this program read them.

    First the whole index is examined. Damaged vectors are made again. Documents with a damaged passage are read again;
    one whose source is not under `paths` is named in the report.

    Raises IndexBusyError at once if another process is writing, IndexReadOnlyError, IndexTooNewError, and
    IndexStoreError for disk errors; committed batches stay. Files that cannot be read are listed in the report.
    """
    fillers = [
        SpaceFiller(name, embedder, permitted=permitted, retry_policy=retry_policy)
        for name, embedder in embedders.items()
    ]
    with index.writer(threads=cores()) as writer, committed_documents(index.folder) as indexed:
        damage = await in_thread(writer.mend)
        await in_thread(_announce_again, writer, paths, embedders, announce)
        collector = Collector([Path(path) for path in paths], indexed, splitting, limits, progress)
        passages = await _write_all(writer, collector, fillers)
        decision = await in_thread(_take_out, writer, collector, mirror, even_if_empty)
        sampled = Collector(samples, indexed, splitting, limits, progress, samples=True)
        if samples and writer.wants_samples():
            passages += await _write_all(writer, sampled, fillers)
            await in_thread(_end_older_samples, writer, sampled)
        spaces = [await _fill(writer, filler, progress) for filler in fillers]
        damaged = await in_thread(writer.still_damaged)
    await in_thread(index.refresh)
    return IngestReport(
        added=collector.added,
        changed=collector.changed,
        unchanged=collector.unchanged,
        taken_out=decision.taken_out,
        kept=decision.kept,
        samples=sampled.added + sampled.changed + sampled.unchanged,
        samples_out=writer.samples_out,
        passages=passages,
        renamed=tuple(collector.renamed),
        unreadable=tuple(collector.unreadable),
        mended=max(0, len(damage.documents) + len(damage.unnamed) - len(damaged)),
        damaged=tuple(damaged),
        spaces=tuple(spaces),
        notices=tuple(collector.notices),
        passed_over=tuple(collector.survey.passed_over),
    )


def _announce_again(
    writer: IndexWriter, paths: Sequence[Path | str], embedders: Mapping[str, Embedder], announce: Announce
) -> None:
    for name, space in services(embedders).items():
        outdated = writer.count_outdated(space, [Path(path) for path in paths])
        if outdated:
            announce(Reembedding(name, outdated))


async def _write_all(writer: IndexWriter, collector: Collector, fillers: Sequence[SpaceFiller]) -> int:
    """Writes what is new or has changed; returns the number of passages.

    While a batch is written, the next one is read and embedded.
    """
    passages = 0
    batch = await _next_batch(collector, fillers)
    while batch.documents:
        passages += sum(len(split.chunks) for split in batch.documents)
        batch, _ = await side_by_side(_next_batch(collector, fillers), in_thread(_store, writer, batch))
    return passages


def _end_older_samples(writer: IndexWriter, sampled: Collector) -> None:
    """Deletes the samples that another version of this program had and this one does not have."""
    if sampled.found_any:
        writer.end_other_samples(sampled.ids)
        writer.commit()


def _take_out(writer: IndexWriter, collector: Collector, mirror: bool, even_if_empty: bool) -> TakingOut:
    if collector.found_any:
        writer.end_samples()
    for document, source in collector.moved.items():
        writer.move(document, source)
    decision = decide(writer.documents(), collector.looked(), mirror=mirror, even_if_empty=even_if_empty)
    take_out(writer, [one.document for one in decision.taken_out])
    # That a path is not there is no error if that is why documents were taken out, or are asked about.
    explained = [one.error for one in collector.survey.unreached if resolved(one.path) in decision.explained]
    collector.unreadable = [error for error in collector.unreadable if error not in explained]
    return decision


@dataclass(frozen=True, slots=True)
class _Batch:
    """Documents to write. `columns`: in each space a vector, or None, for each of their chunks."""

    documents: Sequence[SplitDocument]
    columns: Mapping[Space, Sequence[Vector | None]]


async def _next_batch(collector: Collector, fillers: Sequence[SpaceFiller]) -> _Batch:
    documents = await in_reading_thread(collector.next_batch)
    texts = [searchable(chunk.title, chunk.heading, chunk.text) for split in documents for chunk in split.chunks]
    return _Batch(documents, {filler.space: await filler.vectors(texts) for filler in fillers})


def _store(writer: IndexWriter, batch: _Batch) -> None:
    start = 0
    for split in batch.documents:
        end = start + len(split.chunks)
        writer.put(split.document, split.chunks, {space: column[start:end] for space, column in batch.columns.items()})
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
