"""How words are cut: what is found by them, and what indexing and searching cost, beside the form of version 0.1.0.

    python -m benchmarks.words [--passages 5000]

Needs XQuAD and Cranfield (HA_RAG_XQUAD, HA_RAG_CRANFIELD; default ../shared/data). Found: the share of questions whose
first result is the right paragraph (XQuAD; those at even and at odd places) or nDCG@10 (Cranfield). Times are CPU
microseconds, of an index in which the passages are repeated until there are so many.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import tantivy

from ha_rag.index.document import PassageText, searchable
from ha_rag.index.english_words import EnglishWords
from ha_rag.index.lexical import HEAP_BYTES, LexicalSearch, write_lexical
from ha_rag.language.detection import language_of

XQUAD = Path(os.environ.get("HA_RAG_XQUAD", "../shared/data/xquad"))
CRANFIELD = Path(os.environ.get("HA_RAG_CRANFIELD", "../shared/data/cranfield"))
LANGUAGES = ("en", "de", "zh", "th")

Write = Callable[[Path, Iterable[int], Iterable[PassageText]], None]


@dataclass(frozen=True)
class Collection:
    """`wanted`: for each question the documents that answer it. `first`: only the first result counts."""

    name: str
    passages: list[PassageText]
    questions: list[str]
    wanted: list[set[str]]
    first: bool


def lines(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def passages_in(file: Path) -> list[PassageText]:
    found = [line for line in lines(file) if line["text"].strip()]
    return [PassageText(row, one["_id"], one.get("title", ""), "", one["text"]) for row, one in enumerate(found)]


def xquad(language: str) -> Collection:
    asked = lines(XQUAD / language / "questions.jsonl")
    wanted = [{one["passage"]} for one in asked]
    passages = passages_in(XQUAD / language / "corpus.jsonl")
    return Collection(f"XQuAD {language}", passages, [one["text"] for one in asked], wanted, first=True)


def cranfield() -> Collection:
    wanted = defaultdict[str, set[str]](set)
    for line in (CRANFIELD / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        question, document, _ = line.split("\t")
        wanted[question].add(document)
    asked = [one for one in lines(CRANFIELD / "queries.jsonl") if one["_id"] in wanted]
    passages = passages_in(CRANFIELD / "corpus.jsonl")
    return Collection(
        "Cranfield", passages, [one["text"] for one in asked], [wanted[one["_id"]] for one in asked], first=False
    )


def write_form_1(folder: Path, removed: Iterable[int], added: Iterable[PassageText]) -> None:
    """As version 0.1.0 wrote it."""
    writer = EnglishWords().opened(folder).writer(HEAP_BYTES, 1)
    for one in added:
        writer.delete_documents_by_term("row", one.row)
        writer.add_document(tantivy.Document(row=one.row, text=searchable(one.title, one.heading, one.text)))
    writer.commit()
    writer.wait_merging_threads()


def gain(ranked: list[str], wanted: set[str], *, first: bool) -> float:
    """1 if the first result is wanted, else 0; or nDCG@10."""
    if first:
        return float(not wanted.isdisjoint(ranked[:1]))
    found = sum(1 / math.log2(rank + 2) for rank, document in enumerate(ranked[:10]) if document in wanted)
    return found / sum(1 / math.log2(rank + 2) for rank in range(min(10, len(wanted))))


def found_by(collection: Collection, write: Write) -> str:
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), (), collection.passages)
        search = LexicalSearch.open(Path(name))
        ranked = [search.search(question, 20) for question in collection.questions]
    documents = [[collection.passages[row].document for row, _ in hits] for hits in ranked]
    gains = [
        gain(found, wanted, first=collection.first) for found, wanted in zip(documents, collection.wanted, strict=True)
    ]
    parts = (gains, gains[::2], gains[1::2])
    return " | ".join(f"{sum(part) / len(part):.3f}" for part in parts)


def cost_of(collection: Collection, write: Write, passages: int) -> str:
    times = -(-passages // len(collection.passages))
    many = (one._replace(row=n) for n, one in enumerate(islice(collection.passages * times, passages)))
    with tempfile.TemporaryDirectory() as name:
        began_s = time.process_time()
        write(Path(name), (), many)
        indexing_us = (time.process_time() - began_s) / passages * 1e6
        search = LexicalSearch.open(Path(name))
        took = []
        for question in collection.questions[:400]:
            began_s = time.thread_time()
            search.search(question, 50)
            took.append((time.thread_time() - began_s) * 1e6)
        size = sum(file.stat().st_size for file in Path(name).iterdir())
    return f"{indexing_us:.0f} | {sorted(took)[len(took) // 2]:.0f} | {size / passages:.0f}"


def detected(collection: Collection, language: str) -> str:
    began_s = time.process_time()
    told = [language_of(one.text) for one in collection.passages]
    us = (time.process_time() - began_s) / len(told) * 1e6
    asked = [language_of(question) for question in collection.questions]
    wrong = sum(one not in (language, "") for one in asked)
    return f"{told.count(language) / len(told):.3f} | {us:.0f} | {asked.count(language) / len(asked):.3f} | {wrong}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=5_000, help="in the index whose cost is measured")
    passages = parser.parse_args().passages
    collections = [(xquad(language), language) for language in LANGUAGES] + [(cranfield(), "en")]
    print("| collection | form | found | even | odd | indexing us | question us | bytes a passage |")
    print("|---|---|---|---|---|---|---|---|")
    for collection, _ in collections:
        for form, write in (("of 0.1.0", write_form_1), ("present", write_lexical)):
            found, cost = found_by(collection, write), cost_of(collection, write, passages)
            print(f"| {collection.name} | {form} | {found} | {cost} |", flush=True)
    print("\n| collection | passages told | us | questions told | told wrongly |\n|---|---|---|---|---|")
    for collection, language in collections:
        print(f"| {collection.name} | {detected(collection, language)} |")


if __name__ == "__main__":
    main()
