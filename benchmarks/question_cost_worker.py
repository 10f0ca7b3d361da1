"""Answers questions with the local tiers of one version of ha_rag. Run by `benchmarks.question_cost`, also with 0.1.0.

    python question_cost_worker.py FOLDER CORPUS TOP_K [--onnx]

It therefore imports nothing but ha_rag, and of that only what both versions have. A line on the standard input is a
list of questions (JSON); the answer is a line with the processor time of each, in ms. The first line, an empty list,
says that the index is there.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
import time
from pathlib import Path
from typing import Any

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.generators.extractive import ExtractiveGenerator
from ha_rag.components.retrievers import LocalRetriever
from ha_rag.index import Index, ingest


def tiers(with_onnx: bool) -> tuple[Any, Any]:
    """The embedder of questions and the generator."""
    local: Any = LocalEmbedder()
    takes = inspect.signature(ExtractiveGenerator).parameters
    generator = ExtractiveGenerator(**({"embedder": local} if "embedder" in takes else {}))
    if with_onnx:
        return importlib.import_module("ha_rag.components.embedders.onnx").OnnxEmbedder(), generator
    return local, generator


async def main(folder: Path, corpus: Path, top_k: int, with_onnx: bool) -> None:
    embedder, generator = tiers(with_onnx)
    with Index(folder) as index:
        await ingest([corpus], index, {"first": embedder})
        index.refresh()
        retriever = LocalRetriever(index)
        print("[]", flush=True)
        for line in sys.stdin:
            took = []
            for question in json.loads(line):
                began = time.process_time()
                passages = await retriever.retrieve(question, await embedder.embed(question), top_k)
                await generator.generate(question, passages)
                took.append(1000 * (time.process_time() - began))
            print(json.dumps(took), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), "--onnx" in sys.argv))
