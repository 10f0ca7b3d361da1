"""Answers of the extractive generator, measured: gold words in them, their length, and what is refused.

    python -m benchmarks.answers [--languages en de zh th] [--json]

XQuAD's questions are asked of its own paragraphs (they answer) and of Cranfield's abstracts, and Cranfield's questions
of XQuAD's paragraphs (they do not). Passages are the first three of the default retriever. The generator's constants
were tuned on the even questions (half 0) and are reported on both halves. XQuAD is read from HA_RAG_XQUAD, Cranfield
from HA_RAG_CRANFIELD (default ../shared/data). A word is what stands between spaces, for Chinese and Thai a character.
`one`: the gold words are in the best sentence alone. `cpu ms`: processor time of an answer, first with nothing cached.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.generators.extractive import ExtractiveGenerator
from ha_rag.components.generators.refusal import is_refusal
from ha_rag.components.retrievers import LocalRetriever
from ha_rag.index import Index, ingest
from ha_rag.messages import Passage
from ha_rag.threads import size_this_process

DATA = Path("../shared/data")
XQUAD = Path(os.environ.get("HA_RAG_XQUAD", DATA / "xquad"))
CRANFIELD = Path(os.environ.get("HA_RAG_CRANFIELD", DATA / "cranfield"))
LANGUAGES = ("en", "de", "zh", "th")
BY_CHARACTER = {"zh", "th"}
TOP_K = 3
_CITATION = re.compile(r" \[\d+\]")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the words that answer it (none: nothing does) and the passages found."""

    text: str
    gold: tuple[str, ...]
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of some questions. `gold`, `one`, `refused`: shares. `words`: of an answer, on average."""

    asked: str
    half: int
    questions: int
    gold: float
    one: float
    words: float
    refused: float
    cpu_ms: float


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", nargs="+", default=LANGUAGES, choices=LANGUAGES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(measured(options.languages))
    if options.json:
        print(json.dumps([asdict(one) for one in figures], indent=1))
    else:
        show(figures)


async def measured(languages: Sequence[str]) -> list[Figures]:
    """All figures."""
    size_this_process(asyncio.get_running_loop())
    cranfield = CRANFIELD / "corpus.jsonl"
    figures: list[Figures] = []
    questions = {language: _lines(XQUAD / language / "questions.jsonl") for language in languages}
    aerodynamic = _lines(CRANFIELD / "queries.jsonl")
    for language in languages:
        corpus = XQUAD / language / "corpus.jsonl"
        figures += _figures(language, language, await _asked(corpus, questions[language]))
        figures += _figures(f"cranfield of {language}", language, await _asked(corpus, _without_gold(aerodynamic)))
    figures += _figures("cranfield", "en", await _asked(cranfield, _without_gold(aerodynamic)))
    for language in languages:
        asked = await _asked(cranfield, _without_gold(questions[language]))
        figures += _figures(f"{language} of cranfield", language, asked)
    return figures


async def _asked(corpus: Path, questions: Sequence[dict[str, object]]) -> list[Asked]:
    embedder = LocalEmbedder()
    with tempfile.TemporaryDirectory() as folder, Index(Path(folder)) as index:
        await ingest([corpus], index, {"local": embedder})
        retriever = LocalRetriever(index)
        found = []
        for question in questions:
            text = str(question["text"])
            passages = await retriever.retrieve(text, await embedder.embed(text), TOP_K)
            gold = question.get("answers", [])
            found.append(Asked(text, tuple(map(str, gold if isinstance(gold, list) else ())), tuple(passages)))
    return found


def _figures(name: str, language: str, asked: Sequence[Asked]) -> list[Figures]:
    return [_of_half(name, language, asked[half::2], half) for half in (0, 1)]


def _of_half(name: str, language: str, asked: Sequence[Asked], half: int) -> Figures:
    generator = ExtractiveGenerator(embedder=LocalEmbedder())
    single = ExtractiveGenerator(1, embedder=LocalEmbedder())
    began = time.process_time()
    answers = [generator.answer(one.text, one.passages).text for one in asked]
    took = time.process_time() - began
    plain = [_CITATION.sub("", text) for text in answers]
    firsts = [_CITATION.sub("", single.answer(one.text, one.passages).text) if one.gold else "" for one in asked]
    lengths = [len(text) if language in BY_CHARACTER else len(text.split()) for text in plain]
    return Figures(
        asked=name,
        half=half,
        questions=len(asked),
        gold=_share(_has(text, one.gold) for text, one in zip(plain, asked, strict=True)),
        one=_share(_has(text, one.gold) for text, one in zip(firsts, asked, strict=True)),
        words=sum(lengths) / len(lengths),
        refused=_share(map(is_refusal, answers)),
        cpu_ms=1000 * took / len(asked),
    )


def _has(text: str, gold: Sequence[str]) -> bool:
    return any(words.lower() in text.lower() for words in gold)


def _share(values: Iterable[bool]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _without_gold(questions: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    return [{"text": question["text"]} for question in questions]


def _lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def show(figures: Sequence[Figures]) -> None:
    """Prints a table."""
    table = Table("asked", "half", "questions", "gold", "one", "words", "refused", "cpu ms")
    for one in figures:
        shares = [f"{one.gold:.3f}", f"{one.one:.3f}", f"{one.words:.1f}", f"{one.refused:.3f}", f"{one.cpu_ms:.2f}"]
        table.add_row(one.asked, str(one.half), str(one.questions), *shares)
    Console(width=118).print(table)


if __name__ == "__main__":
    main()
