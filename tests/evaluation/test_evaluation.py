"""A whole evaluation: every plan and generator, stored beside the index; stopped runs are continued."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ha_rag.assembly.configuration import settings_of
from ha_rag.errors import ComponentError, ConfigurationError
from ha_rag.evaluation import measuring
from ha_rag.evaluation.candidates import Candidates
from ha_rag.evaluation.datasets import read_dataset
from ha_rag.evaluation.evaluation import Subject, evaluated
from ha_rag.evaluation.journal import Journal
from ha_rag.evaluation.measuring import EvaluationStoppedError
from ha_rag.evaluation.run import evaluate_into
from ha_rag.index import Index, ingest
from ha_rag.interfaces import Embedder
from ha_rag.messages import Embedding, Generation, Passage, Space
from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.profiles.profile import QualityProfile
from ha_rag.profiles.stored import stored_profile
from ha_rag.settings import Settings, read_environment
from ha_rag.strategy import FallbackStrategy
from tests.evaluation.datasets_on_disk import QUESTIONS, TEXTS, beir, corpus, lines, questions, squad

SPACE = Space("scripted", "1", 2)
PLANS = [(e, r, "none") for e in ("primary", "secondary", "zero") for r in ("primary", "reduced", "lexical", "none")]


def settings(folder: Path) -> Settings:
    return settings_of({"index": {"path": str(folder / "index")}}, read_environment({}))


async def indexed(folder: Path) -> None:
    with Index(folder / "index") as index:
        await ingest([corpus(folder / "documents")], index, {})


class Finder:
    """Finds all documents; the one that has a word of the question first. Fails while `broken` is above 0."""

    space = SPACE
    dimension = 2
    broken = 0
    calls = 0

    async def embed(self, text: str) -> Embedding:
        import numpy as np

        return Embedding(np.array([1.0, 0.0], np.float32), SPACE)

    async def embed_many(self, texts):
        raise NotImplementedError

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        self.calls += 1
        if self.broken:
            self.broken -= 1
            raise ComponentError("HTTP 503")
        wanted = [name for name in TEXTS if name in question]
        names = [*wanted, *(name for name in TEXTS if name not in wanted)]
        return [Passage(name, f"{name}#1", TEXTS[name]) for name in names][:top_k]

    async def rerank(self, question: str, passages):
        return [float(n) for n in range(len(passages))]  # turns the order round

    async def generate(self, question: str, passages) -> Generation:
        return Generation(f"{passages[0].text} [1]") if passages else Generation("The documents do not say.")


def scripted(finder: Finder) -> Subject:
    strategy = FallbackStrategy(embedders=[finder], retrievers=[finder], rerankers=[finder], generators=[finder])
    return Subject(candidates=Candidates.of(strategy), components={}, corpus=CorpusVersion(3, ()))


async def measured(tmp_path: Path, finder: Finder, name: str = "town") -> QualityProfile:
    data = read_dataset(questions(tmp_path / name))
    with Journal(tmp_path / "work" / "journal", "these") as journal:
        return await evaluated(data, scripted(finder), journal, lambda done, total: None)


async def test_every_plan_and_every_generator_is_measured(tmp_path):
    assert isinstance(Finder(), Embedder)
    profile = await measured(tmp_path, Finder())

    by_plan = {(plan.embedder, plan.retriever, plan.reranker): plan for plan in profile.plans}
    assert by_plan.keys() == {
        (e, r, k)
        for e in ("primary", "zero")
        for r, k in (("primary", "none"), ("primary", "primary"), ("none", "none"))
    }
    kept, turned = by_plan["primary", "primary", "none"], by_plan["primary", "primary", "primary"]
    assert (kept.ndcg, kept.mrr, kept.recall_at_3) == (1, 1, 1)
    assert turned.mrr == pytest.approx(1 / 3, abs=1e-4)
    assert [answer.generator for answer in kept.answers] == ["primary", "plain"]
    assert (kept.answers[0].gold, turned.answers[0].gold) == (1, 0)
    assert by_plan["zero", "none", "none"].ndcg == 0
    assert by_plan["zero", "none", "none"].time is None
    assert kept.time is not None
    assert turned.time is not None
    assert kept.answers[0].time is not None
    assert 0 < kept.time.p50_ms < turned.time.p50_ms, "a plan's time includes its reranker's"
    called = ("embedder.primary", "retriever.primary", "reranker.primary", "generator.primary", "generator.plain")
    assert profile.times.keys() == set(called)


async def test_a_failed_call_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "PAUSES_S", (0.0, 0.0))
    finder = Finder()
    finder.broken = 2

    assert (await measured(tmp_path, finder)).questions == 3


async def test_a_component_that_stays_out_stops_the_run_which_goes_on_later(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "PAUSES_S", (0.0, 0.0))
    data, finder = read_dataset(questions(tmp_path / "town")), Finder()

    def second_question_fails(done: int, total: int) -> None:
        finder.broken = 3 if done == 1 else 0

    with (
        Journal(tmp_path / "journal", "these") as journal,
        pytest.raises(EvaluationStoppedError, match=r"retriever.primary failed three times in a row: HTTP 503") as said,
    ):
        await evaluated(data, scripted(finder), journal, second_question_fails)
    assert "(question 'q2'); 1 of 3 questions are measured and kept" in str(said.value)

    finder.broken, finder.calls = 0, 0
    with Journal(tmp_path / "journal", "these") as journal:
        seen: list[int] = []
        await evaluated(data, scripted(finder), journal, lambda done, total: seen.append(done))
    assert seen == [1, 1, 2, 3]
    assert finder.calls == 2 * 3  # two embedders, the two questions left, and one to warm up


async def test_questions_about_the_index_make_its_profile(tmp_path):
    await indexed(tmp_path)

    evaluation = await evaluate_into(settings(tmp_path), read_dataset(beir(tmp_path / "town")))

    assert evaluation.stored == tmp_path / "index" / "quality.json"
    profile = stored_profile(tmp_path / "index")
    assert profile == evaluation.profile
    assert sorted((p.embedder, p.retriever, p.reranker) for p in profile.plans) == sorted(PLANS)
    assert max(plan.ndcg for plan in profile.plans) > 0.9
    assert profile.components["embedder.secondary"].kind == "hashing"
    assert profile.corpus.documents == 3
    assert list((tmp_path / "index" / "evaluation").iterdir()) == []


async def test_other_documents_are_measured_apart_and_are_no_profile_of_the_index(tmp_path):
    await indexed(tmp_path)

    evaluation = await evaluate_into(settings(tmp_path), read_dataset(squad(tmp_path / "town.json", impossible=True)))

    assert evaluation.stored is None
    assert "3 of the 3 documents that the questions are judged by are not in the index" in evaluation.notes[0]
    assert stored_profile(tmp_path / "index") is None
    best = evaluation.profile.plans[0]
    assert best.ndcg > 0.9
    assert best.answers[0].refused_rightly is not None
    assert list((tmp_path / "index" / "evaluation").iterdir()) == []


async def test_documents_of_the_same_names_and_other_texts_are_others(tmp_path):
    await indexed(tmp_path)
    folder = beir(tmp_path / "town")
    lines(folder / "corpus.jsonl", ({"_id": name, "text": f"{name} flies to Mars"} for name in TEXTS))

    evaluation = await evaluate_into(settings(tmp_path), read_dataset(folder))

    assert "the document 'bridge' of the index" in evaluation.notes[0]


async def test_documents_without_spaces_between_words_are_known_again(tmp_path):
    text = "黑豹队的防守只丢了308分。在联赛中排名第六。同时也以24次拦截领先国家橄榄球联盟。并且四次入选职业碗。" * 20
    folder = tmp_path / "zh"
    lines(folder / "corpus.jsonl", [{"_id": "d", "text": text}])
    lines(folder / "questions.jsonl", [{"_id": "q", "text": "黑豹队丢了多少分", "passage": "d", "answers": ["308"]}])
    with Index(tmp_path / "index") as index:
        await ingest([folder / "corpus.jsonl"], index, {})
        assert index.passages > 1

    assert (await evaluate_into(settings(tmp_path), read_dataset(folder))).stored is not None


async def test_documents_that_change_in_the_middle_make_no_profile(tmp_path):
    await indexed(tmp_path)
    (tmp_path / "well.md").write_text("The well is deep.")

    def a_document_is_added(what: str, done: int, total: int) -> None:
        if done == 1:
            command = [sys.executable, "-m", "ha_rag", "ingest", str(tmp_path / "well.md")]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
            (tmp_path / "ha_rag.toml").write_text(f'[index]\npath = "{tmp_path / "index"}"\n')
            subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)

    with pytest.raises(EvaluationStoppedError, match="changed while they were measured"):
        await evaluate_into(settings(tmp_path), read_dataset(beir(tmp_path / "town")), a_document_is_added)

    assert stored_profile(tmp_path / "index") is None


async def test_questions_about_documents_that_are_nowhere_are_refused(tmp_path):
    await indexed(tmp_path)
    file = lines(tmp_path / "mine.jsonl", [*QUESTIONS, {"_id": "q4", "text": "Who?", "passage": "castle"}])

    with pytest.raises(ConfigurationError, match=r"1 of the 4 documents .* are not in the index at .* \('castle'\)"):
        await evaluate_into(settings(tmp_path), read_dataset(file))


KILLED = """
import os, signal
from ha_rag.cli import main
from ha_rag.evaluation.journal import Journal

add = Journal.add

def add_and_die(journal, question, record):
    add(journal, question, record)
    if len(journal.done) == 21:
        os.kill(os.getpid(), signal.SIGKILL)

Journal.add = add_and_die
main()
"""


def test_a_run_that_was_killed_is_continued(tmp_path):
    """kill -9 in the middle: the questions measured before are not asked again."""
    many = [{**QUESTIONS[n % 3], "_id": f"q{n}"} for n in range(400)]
    folder = questions(tmp_path / "town")
    lines(folder / "questions.jsonl", many)
    words = ["evaluate", str(folder), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    journal = tmp_path / ".ha_rag" / "evaluation" / "town.journal"

    killed = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=tmp_path, env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert journal.read_bytes().count(b"\n") == 1 + 21, "the head, and what was measured"

    command = [sys.executable, "-m", "ha_rag", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout)["questions"] == 400
    assert not journal.exists()
