"""make_questions: has a configured language model make questions from the documents in the index.

Each is made from one passage, with words of it as the answer, and written to a questions.jsonl that `evaluate` reads
and a person can correct. A run that was stopped is continued: a passage that has its question is not asked again.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

from ha_rag.assembly.replica import closed
from ha_rag.assembly.tiers import generator_tiers
from ha_rag.components.generators.refusal import is_simulated
from ha_rag.disk_space import reason
from ha_rag.errors import ComponentError, ConfigurationError
from ha_rag.evaluation.datasets.dataset import JudgedQuestion
from ha_rag.evaluation.datasets.questions import read_questions
from ha_rag.evaluation.measures import has_gold
from ha_rag.evaluation.measuring import EvaluationStoppedError
from ha_rag.index.schema import DATABASE, LIVE, open_for_reading, translated
from ha_rag.interfaces import Generator
from ha_rag.messages import ComponentType, Passage
from ha_rag.settings import Settings
from ha_rag.settings.tables import ServiceTable

WISH = (
    "Write one question that somebody who has not seen the passage might ask and that only this passage answers. Write "
    "it in the passage's language. Reply with two lines and nothing else:\n"
    "Question: the question\nAnswer: the few words of the passage that answer it, copied exactly"
)
SHORTEST = 80
"""Characters of a passage that says enough to be asked about."""
MISSES = 10
"""So many replies in a row that hold no question, and the model is given up."""
_REPLY = re.compile(r"question:\s*(?P<question>.+?)\s*\n+\W*answer:\s*(?P<answer>.+)", re.IGNORECASE | re.DOTALL)
_CITATION = re.compile(r"\s*\[\d+\]")


async def make_questions(
    settings: Settings,
    file: Path,
    count: int,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> None:
    """Adds questions to `file` until it holds `count`, or every passage was asked about.

    Raises ConfigurationError if no language model is configured, the index is empty, or `file` is no questions.jsonl;
    EvaluationStoppedError if the model fails, or replies with something else.
    """
    known = _known(file)
    async with _language_model(settings) as (name, model):
        passages = _passages(settings.index_folder, {question.id for question in known}, count - len(known))
        made, misses = len(known), 0
        for passage in passages:
            if made >= count:
                break
            progress("made", made, count)
            reply = await _reply(name, model, passage)
            question = _question(passage, reply)
            if question is None:
                misses += 1
                if misses == MISSES:
                    raise EvaluationStoppedError(
                        f"{name} made no question of {MISSES} passages in a row; use another model"
                    )
                continue
            made, misses = made + 1, 0
            _add(file, question, simulated=is_simulated(reply))
    if not made:
        raise EvaluationStoppedError(
            f"{name} made no question of any of the {len(passages)} passages; use another model"
        )


def _known(file: Path) -> Sequence[JudgedQuestion]:
    """The questions that the file holds already."""
    if file.suffix != ".jsonl" or file.is_dir():
        raise ConfigurationError(f"{file}: --questions writes to a file whose name ends in .jsonl")
    return read_questions(file, file.stem).questions if file.exists() else ()


@asynccontextmanager
async def _language_model(settings: Settings) -> AsyncIterator[tuple[str, Generator]]:
    """The first generator that is a language model, with its circuit's name. Raises ConfigurationError without one."""
    names = {table.name for table in settings.generators if isinstance(table, ServiceTable)}
    if not names:
        kinds = ", ".join(f"{table.name} ({table.kind})" for table in settings.generators)
        raise ConfigurationError(
            f"--questions: needs a language model, and none of the generators is one: {kinds}; add a [[generators]] "
            'with kind = "openai", or write questions.jsonl by hand'
        )
    tiers = generator_tiers(settings)
    try:
        tier = next(tier for tier in tiers if tier.name in names)
        yield f"{ComponentType.GENERATOR}.{tier.name}", tier.component
    finally:
        for each in tiers:
            await closed(each.component)


async def _reply(name: str, model: Generator, passage: Passage) -> str:
    try:
        text = (await model.generate(WISH, [passage])).text
    except ComponentError as error:
        raise EvaluationStoppedError(f"{name} failed: {error}; the questions made so far are kept") from None
    return text


def _question(passage: Passage, reply: str) -> JudgedQuestion | None:
    """The question in a reply; None if there is none, or its answer is not in the passage."""
    found = _REPLY.search(reply)
    if found is None:
        return None
    text, answer = (_CITATION.sub("", found[part]).strip(" \n*\"'") for part in ("question", "answer"))
    if not text or not answer or "\n" in text or not has_gold(passage.text, [answer]):
        return None
    return JudgedQuestion(passage.id, text, {passage.document: 1}, (answer,))


def _passages(folder: Path, asked: set[str], count: int) -> Sequence[Passage]:
    """Passages that can be asked about, at even distances over the whole index, and then all the others."""
    if not (folder / DATABASE).exists():
        raise ConfigurationError(f"--questions: there is no index at {folder} yet; ingest documents first")
    query = (
        "SELECT document, number, title, heading, text FROM passages WHERE state = ? AND length(text) >= ? ORDER BY row"
    )
    with translated(folder), closing(open_for_reading(folder)) as connection:
        rows = connection.execute(query, (LIVE, SHORTEST)).fetchall()
    found = [Passage(d, f"{d}#{n}", text, 1.0, title, heading) for d, n, title, heading, text in rows]
    left = [passage for passage in found if passage.id not in asked]
    if not found:
        raise ConfigurationError(
            f"--questions: the index at {folder} holds no passage of {SHORTEST} characters or more"
        )
    step = max(1, len(left) // max(1, count))
    return [passage for start in range(step) for passage in left[start::step]]


def _add(file: Path, question: JudgedQuestion, *, simulated: bool) -> None:
    fields: dict[str, object] = {
        "_id": question.id, "text": question.text, "passage": list(question.relevant), "answers": list(question.gold),
    }  # fmt: skip
    if simulated:
        fields["simulated"] = True
    try:
        with file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(fields, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written ({reason(error)})") from None
