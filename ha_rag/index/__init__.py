"""The index: documents, their passages, one vector column for each space, and search by words; on disk, for a fleet."""

from ha_rag.index.document import Document, Piece
from ha_rag.index.embedding import Patience
from ha_rag.index.index import Held, Index
from ha_rag.index.ingest import ingest
from ha_rag.index.reading.files import Limits
from ha_rag.index.report import IngestReport, IngestStep, SpaceReport
from ha_rag.index.single import Added, add_document, delete_document
from ha_rag.index.splitting import Splitting
from ha_rag.index.writer import IndexWriter

__all__ = [
    "Added",
    "Document",
    "Held",
    "Index",
    "IndexWriter",
    "IngestReport",
    "IngestStep",
    "Limits",
    "Patience",
    "Piece",
    "SpaceReport",
    "Splitting",
    "add_document",
    "delete_document",
    "ingest",
]
