"""Data sets: the layouts that are read, and what is said of one that is not whole, by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ha_rag.errors import ConfigurationError
from ha_rag.evaluation.datasets import Dataset, JudgedQuestion, read_dataset
from tests.evaluation.datasets_on_disk import QUESTIONS, TEXTS, beir, lines, questions, squad


def problems_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        read_dataset(path)
    return raised.value.problems


def test_the_layout_of_beir(tmp_path):
    data = read_dataset(beir(tmp_path / "town"))

    assert data.name == "town"
    assert data.questions[2] == JudgedQuestion("q3", "How high is the tower?", {"tower": 2, "mill": 1})
    assert data.documents is not None
    assert data.documents.keys() == TEXTS.keys()
    assert not data.has_gold


def test_questions_with_passages_and_answers(tmp_path):
    data = read_dataset(questions(tmp_path / "town"))

    assert data.questions[0] == JudgedQuestion("q1", "When was the bridge built?", {"bridge": 1}, ("1894",))
    assert data.has_gold


def test_questions_about_the_documents_of_the_index_bring_none(tmp_path):
    data = read_dataset(lines(tmp_path / "mine.jsonl", QUESTIONS))

    assert (data.name, data.documents) == ("mine", None)
    assert data.judged == set(TEXTS)


def test_the_json_of_squad(tmp_path):
    data = read_dataset(squad(tmp_path / "town.json", impossible=True))

    assert data.documents is not None
    assert data.documents["0-1"].text == TEXTS["mill"]
    assert data.questions[0] == JudgedQuestion("q1", "When was the bridge built?", {"0-0": 1}, ("1894",))
    assert data.questions[1] == JudgedQuestion("q4", "Who owns the aeroplane?", impossible=True)


def test_a_byte_order_mark_windows_line_ends_and_empty_lines_do_no_harm(tmp_path):
    folder = beir(tmp_path / "town")
    for file in (folder / "queries.jsonl", folder / "qrels" / "test.tsv"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")

    assert len(read_dataset(folder).questions) == 3


def test_questions_that_nothing_is_judged_for_are_counted(tmp_path):
    folder = beir(tmp_path / "town")
    lines(folder / "queries.jsonl", [*QUESTIONS, {"_id": "q9", "text": "What else?"}])

    assert (len(read_dataset(folder).questions), read_dataset(folder).unjudged) == (3, 1)


def test_a_sample_is_taken_at_even_distances():
    data = Dataset("many", tuple(JudgedQuestion(str(n), "?") for n in range(10)), None, "abc")

    assert [question.id for question in data.sample(4).questions] == ["0", "2", "5", "7"]
    assert data.sample(10) is data
    assert data.sample(4).digest != data.digest


def test_the_digest_changes_with_any_of_its_files(tmp_path):
    before = read_dataset(beir(tmp_path / "town")).digest
    with (tmp_path / "town" / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "well", "text": "The well is deep."}\n')

    assert read_dataset(tmp_path / "town").digest != before


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named(tmp_path, name):
    (beir(tmp_path) / name).unlink()

    assert problems_of(tmp_path) == (f"{tmp_path / name}: no such file",)


def test_unknown_ids_are_named_with_file_and_line(tmp_path):
    file = beir(tmp_path) / "qrels" / "test.tsv"
    with file.open("a") as rows:
        rows.write("q7\tmill\t1\nq1\tcastle\t1\nq1\tmill\tmuch\nq1 mill 1\n")

    assert problems_of(tmp_path) == (
        f"{file}, line 7: the question 'q7' is not in queries.jsonl",
        f"{file}, line 8: the document 'castle' is not in corpus.jsonl",
        f"{file}, line 9: the relevance 'much' must be a whole number",
        f"{file}, line 10: must be query, document and relevance with tabs between them, not 'q1 mill 1'",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("[1]", "not a JSON object"),
        ('{"text": "When?"}', 'has no "_id"'),
        ('{"_id": "q8", "text": " "}', '"text" must be a string that is not empty'),
        ('{"_id": "q1", "text": "Again?"}', "has the id 'q1', as an earlier line has"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path, line, said):
    file = beir(tmp_path) / "queries.jsonl"
    with file.open("a") as opened:
        opened.write(line + "\n")

    assert problems_of(tmp_path) == (f"{file}, line 4: {said}",)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"passage": "castle"}, "the passage 'castle' is not in corpus.jsonl"),
        ({"passage": None}, '"passage" must be the id of the document that answers, or a list of ids'),
        ({"answers": [""]}, '"answers" must be a list of strings'),
        ({"answers": {"text": "1894"}}, '"answers" must be a list of strings'),
    ],
)
def test_a_question_without_its_passage_or_answers_is_named(tmp_path, fields, said):
    file = questions(tmp_path) / "questions.jsonl"
    lines(file, [QUESTIONS[0], {**QUESTIONS[1], **fields}])

    assert problems_of(tmp_path) == (f"{file}, line 2: {said}",)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_an_empty_file_is_named(tmp_path, name):
    (beir(tmp_path) / name).write_text("\n")

    assert problems_of(tmp_path)[0].startswith(f"{tmp_path / name}: holds no ")


def test_judgements_that_find_nothing_relevant_are_said(tmp_path):
    file = beir(tmp_path) / "qrels" / "test.tsv"
    file.write_text("query-id\tcorpus-id\tscore\nq1\tbridge\t0\n")

    assert problems_of(tmp_path) == (f"{file}: judges no document to be relevant to any question",)


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path):
    file = beir(tmp_path) / "queries.jsonl"
    file.write_bytes(file.read_bytes() + b'{"_id": "q4", "text": "caf\xe9"}\n')

    assert problems_of(tmp_path) == (f"{file}, line 4: is not UTF-8 text",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"data": [\n}', ", line 2: not JSON (Expecting value)"),
        ("[]", ': "data" must be a list, as in the JSON files of SQuAD'),
        (
            json.dumps({"data": [{"title": "x"}]}),
            ', data[0]: "paragraphs" must be a list, as in the JSON files of SQuAD',
        ),
        (json.dumps({"data": []}), ": holds no questions"),
        (
            json.dumps(
                {"data": [{"paragraphs": [{"context": "x", "qas": [{"id": 1, "question": "?", "answers": 5}]}]}]}
            ),
            ', data[0], paragraphs[0], qas[0]: "answers" must be a list of objects with a "text"',
        ),
        (
            json.dumps({"data": [{"paragraphs": [{"context": "x", "qas": [{"id": 1, "question": "?"}]}]}]}),
            ", data[0], paragraphs[0], qas[0]: has no answers, and is not said to be impossible",
        ),
    ],
)
def test_json_that_is_not_of_squad_is_named_by_its_place(tmp_path, content, said):
    file = tmp_path / "town.json"
    file.write_text(content)

    assert problems_of(file) == (f"{file}{said}",)


def test_many_problems_are_counted_after_the_first_twenty(tmp_path):
    file = beir(tmp_path) / "qrels" / "test.tsv"
    file.write_text("".join(f"q1\tno-{n}\t1\n" for n in range(1, 51)))

    told = problems_of(tmp_path)
    assert len(told) == 21
    assert told[-1] == "and 30 more problems; is this the right data set?"


def test_what_is_no_data_set_is_told_what_one_is(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")

    for path in (tmp_path, tmp_path / "notes.txt", tmp_path / "missing"):
        assert "a data set is" in problems_of(path)[0] or "data set, which is" in problems_of(path)[0]
