"""Programs for 0.1.0: one writes an index (folder, texts by id, space, whether to build graphs), one ingests files."""

from __future__ import annotations

WRITES = """
import os
import numpy as np
from ha_rag.components.embedders.hashing import hashed
from ha_rag.index import Document, Index, Piece
from ha_rag.messages import Space
import ha_rag.index.folding as folding

folder, texts, space, graphs = given
# 0.1.0 builds graphs with as many threads as there are processors; with several, some runs leave a vector unreachable.
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
if graphs:
    folding.EXACT_FLOATS = 32 * 20
space = Space(*space)
with Index(folder) as index:
    with index.writer() as writer:
        for name, text in texts.items():
            writer.put(Document(id=name, text=text, source=name, digest=text), [Piece(text=text)],
                       {space: [hashed(text, space.dimension)]})
        writer.commit()
print("null")
"""

INGESTS = """
import asyncio
from pathlib import Path
from ha_rag.index import Index, ingest

folder, files = given
with Index(folder) as index:
    asyncio.run(ingest([Path(file) for file in files], index, {}))
print("null")
"""
"""A program for 0.1.0 that ingests files: the index's folder and their paths."""
