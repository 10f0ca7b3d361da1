"""`ha-rag evaluate`: its table, its JSON, what is stored, and what is said of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evaluation.datasets_on_disk import QUESTIONS, beir, corpus, lines, questions

MODEL = """
[[generators]]
name = "cloud"
kind = "openai"
base_url = "{url}/v1"
model = "gpt"

[[generators]]
name = "extractive"
kind = "extractive"
"""
CHAT = ("POST", "/v1/chat/completions")


def reply(text: str) -> tuple[int, dict[str, object]]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return 200, {"id": "1", "object": "chat.completion", "choices": [choice]}


def test_the_table_shows_every_plan_and_where_it_is_stored(run, own_folder):
    assert run("ingest", str(corpus(own_folder / "documents"))).exit_code == 0

    result = run("evaluate", str(questions(own_folder / "town")))

    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["town:", "3", "questions,", "3", "documents"]
    assert ["zero", "lexical", "none"] in [row[:3] for row in rows]
    assert ["zero", "lexical", "none", "extractive"] in [row[:4] for row in rows]
    assert result.stdout.splitlines()[-1] == "stored in .ha_rag/quality.json; replicas of this index take it up at once"
    assert (own_folder / ".ha_rag" / "quality.json").exists()


def test_the_json_holds_the_figures_for_programs(run, own_folder):
    result = run("evaluate", str(beir(own_folder / "town")), "--limit", "2", "--json")

    told = json.loads(result.stdout)
    assert (told["dataset"], told["questions"], told["stored"]) == ("town", 2, None)
    assert "there is no index at .ha_rag" in told["notes"][0]
    assert {
        "embedder",
        "retriever",
        "reranker",
        "ndcg",
        "recall_at_3",
        "recall_at_10",
        "mrr",
        "answers",
        "time",
    } == set(told["plans"][0])
    assert told["times"]["retriever.lexical"].keys() == {"p50_ms", "p95_ms"}


def test_without_answers_only_searches_are_measured(run, own_folder):
    result = run("evaluate", str(questions(own_folder / "town")), "--no-answers", "--json")

    told = json.loads(result.stdout)
    assert not any(plan["answers"] for plan in told["plans"])
    assert "generator.extractive" not in told["times"]


def test_after_it_a_check_says_what_was_measured_and_whether_it_still_fits(run, own_folder):
    (own_folder / "ha_rag.toml").write_text('[strategy]\nchoose = "quality"\n')
    assert run("ingest", str(corpus(own_folder / "documents"))).exit_code == 0

    def said() -> tuple[str, str]:
        found = {one["part"]: one for one in json.loads(run("check", "--json").stdout)["findings"]}
        return found["quality"]["verdict"], found["quality"]["text"]

    assert said() == (
        "warning", '[strategy] choose = "quality", but nothing was measured on this index: list order is used',
    )  # fmt: skip
    assert run("evaluate", str(questions(own_folder / "town"))).exit_code == 0
    verdict, text = said()
    assert (verdict, text.startswith("measured on town, 3 questions, "), text.endswith(": chooses the tiers")) == (
        "ok", True, True,
    )  # fmt: skip
    (own_folder / "well.md").write_text("The well is deep.")
    assert run("ingest", "well.md").exit_code == 0
    verdict, text = said()
    assert verdict == "warning"
    assert "of its 3 documents and the 4 here 75 % are the same" in text


def test_bad_data_sets_are_named_line_by_line(run, own_folder):
    file = questions(own_folder / "town") / "questions.jsonl"
    lines(file, [QUESTIONS[0], {**QUESTIONS[1], "passage": "castle"}, {"text": "?"}])

    result = run("evaluate", str(file.parent))

    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == f"ha-rag: {file}, line 2: the passage 'castle' is not in corpus.jsonl"
    assert run("evaluate", "nothing").exit_code == 2
    assert "name the data set" in run("evaluate").stderr


def test_a_language_model_makes_questions_from_the_index(run, own_folder, replica):
    (own_folder / "ha_rag.toml").write_text(MODEL.format(url=replica.url))
    text = "The bridge over the river Aare was built in 1894 by the engineer Rosa Keller, who was born in Bern."
    lines(own_folder / "documents.jsonl", [{"_id": "bridge", "text": text}])
    assert run("ingest", "documents.jsonl").exit_code == 0
    replica.replies[CHAT] = reply("Question: When was the bridge built? [1]\nAnswer: 1894 [1]")

    result = run("evaluate", "--questions", "5", "--json")

    assert result.exit_code == 0, result.output
    made = [json.loads(line) for line in Path("questions.jsonl").read_text().splitlines()]
    assert made == [
        {"_id": "bridge#0", "text": "When was the bridge built?", "passage": ["bridge"], "answers": ["1894"]}
    ]  # fmt: skip
    told = json.loads(result.stdout)
    assert told["stored"] == ".ha_rag/quality.json"
    assert {answer["generator"] for answer in told["plans"][0]["answers"]} == {"cloud", "extractive", "plain"}


def test_questions_of_the_simulated_provider_are_marked_as_such(run, own_folder, replica):
    (own_folder / "ha_rag.toml").write_text(MODEL.format(url=replica.url))
    lines(own_folder / "documents.jsonl", [{"_id": "bridge", "text": "The bridge was built in 1894. " * 5}])
    assert run("ingest", "documents.jsonl").exit_code == 0
    replica.replies[CHAT] = reply("(Simulated answer) Question: When was it built?\nAnswer: 1894")

    told = json.loads(run("evaluate", "--questions", "5", "--json").stdout)

    assert json.loads(Path("questions.jsonl").read_text())["simulated"] is True
    assert told["dataset"] == "questions (simulated questions)"


def test_without_a_language_model_making_questions_is_refused(run, own_folder):
    result = run("evaluate", "--questions", "5")

    assert result.exit_code == 2
    assert "--questions: needs a language model, and none of the generators is one: extractive" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I would rather not.", "made no question of any of the 1 passages"),
        ("Question: When?\nAnswer: words that are not in the passage", "made no question of any of the 1 passages"),
    ],
)
def test_a_model_that_makes_no_questions_is_named(run, own_folder, replica, text, said):
    (own_folder / "ha_rag.toml").write_text(MODEL.format(url=replica.url))
    lines(own_folder / "documents.jsonl", [{"_id": "bridge", "text": "The bridge was built in 1894. " * 5}])
    assert run("ingest", "documents.jsonl").exit_code == 0
    replica.replies[CHAT] = reply(text)

    result = run("evaluate", "--questions", "5")

    assert result.exit_code != 0
    assert f"generator.cloud {said}" in result.stderr
