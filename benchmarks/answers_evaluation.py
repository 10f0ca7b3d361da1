"""What each plan of one version finds and answers, as JSON. Run by `benchmarks.answers_table`, also with version 0.1.0.

    python answers_evaluation.py FOLDER OUTPUT.json [--onnx] < SETS.json

It therefore imports nothing but ha_rag, and of that only what both versions have. FOLDER is for the indexes. A set has
a `corpus` (a JSON Lines file) and `questions`. Written are, for each set and plan, the documents found for each
question, best first, the answer, and the processor time of a whole question.
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

import numpy as np

from ha_rag.components.embedders.hashing import HashingEmbedder
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.generators.extractive import ExtractiveGenerator
from ha_rag.components.generators.plain import PlainGenerator
from ha_rag.components.retrievers import LexicalRetriever, LocalRetriever, ReducedLocalRetriever
from ha_rag.index import Index, ingest
from ha_rag.messages import Embedding

RANKED = 20
"""Passages that are ranked; of a document with several passages the best counts."""
ANSWERED_FROM = 3
"""Passages that an answer is made from: the default of a question."""


class NoEmbedder:
    """What is left when every embedder is out: the zero vector."""

    async def embed(self, _: str) -> Embedding:
        return Embedding(np.zeros(1, np.float32), None)


def embedders(with_onnx: bool) -> dict[str, Any]:
    """By kind, the best first."""
    found: dict[str, Any] = {"local": LocalEmbedder(), "hashing": HashingEmbedder()}
    if with_onnx:
        module = importlib.import_module("ha_rag.components.embedders.onnx")
        found = {"onnx": module.OnnxEmbedder(), **found}
    return found


def extractive(local: Any) -> Any:
    """The generator that answers without a language model, with the local embedder where the version gives it one."""
    takes = inspect.signature(ExtractiveGenerator).parameters
    return ExtractiveGenerator(**({"embedder": local} if "embedder" in takes else {}))


def plans(index: Index, known: dict[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    """Embedder, retriever and generator of each plan. Answers are quoted, as when no language model can be reached."""
    first, *others = known
    hybrid, quoting = LocalRetriever(index), extractive(known["local"])
    found: dict[str, tuple[Any, Any, Any]] = {"all tiers up": (known[first], hybrid, quoting)}
    for n, kind in enumerate(others, start=2):
        found[f"embedder {n} ({kind})"] = (known[kind], hybrid, quoting)
    found["no embedder: words"] = (NoEmbedder(), LexicalRetriever(index), quoting)
    found["retriever `reduced`"] = (known[first], ReducedLocalRetriever(index), quoting)
    found["no generator: passages"] = (known[first], hybrid, PlainGenerator())
    return found


async def answered(embedder: Any, retriever: Any, generator: Any, question: str) -> dict[str, Any]:
    began = time.process_time()
    embedding = await embedder.embed(question)
    passages = await retriever.retrieve(question, embedding, ANSWERED_FROM)
    generation = await generator.generate(question, passages)
    ms = 1000 * (time.process_time() - began)
    ranked = await retriever.retrieve(question, embedding, RANKED)
    return {"documents": list(dict.fromkeys(p.document for p in ranked)), "answer": generation.text, "cpu_ms": ms}


async def main(folder: Path, output: Path, with_onnx: bool) -> None:
    known = embedders(with_onnx)
    results: dict[str, Any] = {}
    for name, data in json.load(sys.stdin).items():
        with Index(folder / name) as index:
            await ingest([Path(data["corpus"])], index, known)
            index.refresh()
            results[name] = {
                plan: [await answered(*tiers, question) for question in data["questions"]]
                for plan, tiers in plans(index, known).items()
            }
    output.write_text(json.dumps(results))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), "--onnx" in sys.argv))
