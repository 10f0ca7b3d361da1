"""The index on disk: documents, their passages, one vector column per space, and full-text search."""

from ha_rag.index.document import Chunk, Document
from ha_rag.index.embedding import RetryPolicy
from ha_rag.index.index import Index, SpaceCoverage
from ha_rag.index.ingest import ingest
from ha_rag.index.reading.files import ReadingLimits
from ha_rag.index.report import IngestReport, IngestStep, SpaceReport
from ha_rag.index.single_document import AddedDocument, add_document, delete_document
from ha_rag.index.splitting import Splitting
from ha_rag.index.writer import IndexWriter

__all__ = [
    "AddedDocument",
    "Chunk",
    "Document",
    "Index",
    "IndexWriter",
    "IngestReport",
    "IngestStep",
    "ReadingLimits",
    "RetryPolicy",
    "SpaceCoverage",
    "SpaceReport",
    "Splitting",
    "add_document",
    "delete_document",
    "ingest",
]
