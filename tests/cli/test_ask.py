"""`ha-rag ask`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ha_rag.cli.ask import excerpt
from tests.hostile_text import HOSTILE, assert_harmless

ANSWER: dict[str, Any] = {
    "id": "a", "question": "How?", "answer": "By a probe [1].", "degraded": False, "degraded_stages": [],
    "citations": [
        {"n": 1, "document": "breaker.md", "passage": "breaker.md#3", "text": "A probe\ncloses it.", "score": 1}
    ],
    "served_by": {"embedder": "primary", "generator": "primary"}, "attempts": [], "quality": None,
    "shared_state": "fresh", "replica": "rag-1", "ms": 41.7,
}  # fmt: skip
QUERY = ("POST", "/v1/query")


def test_an_answer_comes_with_its_sources_and_who_served_it(run, replica):
    replica.replies[QUERY] = (200, ANSWER)

    result = run("ask", "How?", "--url", replica.url)

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "By a probe [1].",
        "",
        "  [1] breaker.md  A probe closes it.",
        "",
        "served by embedder: primary, generator: primary; 42 ms, replica rag-1",
    ]


def test_other_documents_with_the_same_text_are_named_beside_the_first(run, replica):
    citation = {**ANSWER["citations"][0], "also_in": ["copy.md", "old.md"]}
    replica.replies[QUERY] = (200, {**ANSWER, "citations": [citation]})

    result = run("ask", "How?", "--url", replica.url)

    assert "  [1] breaker.md, copy.md, old.md  A probe closes it." in result.stdout.splitlines()


def test_a_degraded_answer_says_so_and_why(run, replica):
    attempts = [
        {"circuit": "embedder.primary", "outcome": "rejected", "state": "open", "ms": 0.0},
        {"circuit": "embedder.secondary", "outcome": "timeout", "state": "closed", "ms": 9.0, "reason": "too late"},
        {"circuit": "embedder.third", "outcome": "ok", "state": "closed", "ms": 1.0},
    ]
    served = {"degraded_stages": ["embedder"], "served_by": {"embedder": "third"}, "attempts": attempts}
    replica.replies[QUERY] = (200, {**ANSWER, **served, "degraded": True})

    result = run("ask", "How?", "--url", replica.url)

    assert result.stdout.splitlines()[-1] == (
        "degraded: the embedder was third (embedder.primary was open, embedder.secondary timeout: too late)"
    )


QUALITY = {
    "expected": 0.391, "best": 0.399, "metric": "ndcg@10", "measured_on": "cranfield", "source": "profile",
    "answers": {"expected": 0.93, "best": 0.96, "metric": "gold"},
}  # fmt: skip
NOT_YOURS = "not on your documents: ha-rag evaluate measures yours"


@pytest.mark.parametrize(
    ("quality", "said"),
    [
        (
            QUALITY,
            [
                "quality to expect: search 0.391, at best 0.399 (nDCG@10); "
                "93 % of answers with the right words, at best 96 %",
                "measured by ha-rag evaluate with cranfield, on these documents",
            ],
        ),
        (
            {**QUALITY, "source": "shipped", "measured_on": "XQuAD (en), onnx in place of embedder openai"},
            [
                "quality to expect: search 0.391, at best 0.399 (nDCG@10); "
                "93 % of answers with the right words, at best 96 %",
                "measured by the authors of ha_rag with XQuAD (en), onnx in place of embedder openai, " + NOT_YOURS,
            ],
        ),
        (
            {**QUALITY, "source": "given", "measured_on": "", "answers": None},
            [
                "quality to expect: search 0.391, at best 0.399 (nDCG@10)",
                "given by the program that runs this replica, measured with data without a name",
            ],
        ),
        ({"expected": 0.5, "best": 0.6, "metric": "p@3"}, ["quality to expect: search 0.500, at best 0.600 (p@3)"]),
    ],
)
def test_the_quality_to_expect_is_said_with_who_measured_it(run, replica, quality, said):
    replica.replies[QUERY] = (200, {**ANSWER, "quality": quality})

    result = run("ask", "How?", "--url", replica.url)

    assert result.stdout.splitlines()[5:] == said


def test_what_is_asked_for_is_sent(run, replica):
    replica.replies[QUERY] = (200, ANSWER)

    run("ask", "How?", "--url", replica.url, "--top-k", "7", "--timeout", "2.5")

    assert replica.seen[0][3] == {"question": "How?", "top_k": 7, "timeout_s": 2.5}


def test_json_is_given_as_it_came(run, replica):
    replica.replies[QUERY] = (200, ANSWER)

    assert json.loads(run("ask", "How?", "--url", replica.url, "--json").stdout) == ANSWER


def test_a_document_s_control_codes_do_not_reach_the_terminal(run, replica):
    replica.replies[QUERY] = (200, {**ANSWER, "answer": "\x1b[31mred\x1b]0;owned\x07 [bold]text[/bold]"})

    out = run("ask", "How?", "--url", replica.url).stdout

    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[bold]text[/bold]" in out


@pytest.mark.parametrize("variable", ["HA_RAG_ADMIN_TOKEN", "HA_RAG_API_KEYS"])
def test_the_key_of_the_environment_is_sent(run, replica, monkeypatch, variable):
    monkeypatch.setenv(variable, "key-1")
    replica.replies[QUERY] = (200, ANSWER)

    run("ask", "How?", "--url", replica.url)

    assert replica.seen[0][2]["authorization"] == "Bearer key-1"


def test_a_refusal_is_told_in_the_replica_s_own_words(run, replica):
    message = "question: must not be empty"
    replica.replies[QUERY] = (422, {"error": {"type": "invalid_request", "message": message, "param": "question"}})

    result = run("ask", " ", "--url", replica.url)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"ha-rag: {message}\n")


def test_nobody_there_is_told_with_the_remedy(run):
    result = run("ask", "How?", "--url", "http://127.0.0.1:9")

    assert result.exit_code == 1
    assert result.stderr == (
        "ha-rag: nothing answers at http://127.0.0.1:9 (Connection refused); is it running? Start it with: ha-rag up\n"
    )


def test_somebody_else_there_is_told(run, replica):
    replica.replies[QUERY] = (200, b"<html>router</html>")

    result = run("ask", "How?", "--url", replica.url)

    assert (result.exit_code, "is no ha_rag" in result.stderr) == (1, True)


@pytest.mark.parametrize("url", ["localhost", "ftp://h", "http://", "http://h:x", "http://h:0", "http://[::"])
def test_what_is_no_address_is_a_usage_error(run, url):
    result = run("ask", "How?", "--url", url)

    assert (result.exit_code, "must be an http:// or https:// address" in result.stderr) == (2, True)


@pytest.mark.parametrize("words", [["ask"], ["ask", "How?", "--top-k", "0"], ["ask", "How?", "--nope"], ["nope"]])
def test_a_wrong_call_is_a_usage_error(run, words):
    assert run(*words).exit_code == 2


def test_an_excerpt_reads_as_one_line_of_prose():
    passage = "## How it opens\n\nIt opens when `min_samples` calls failed.\n\n> quoted\n\n| a | b |\n"
    assert excerpt(passage) == "How it opens: It opens when min_samples calls failed. quoted a b"


def test_a_long_excerpt_ends_at_a_word():
    short = excerpt("word " * 100)
    assert short.endswith("word ...")
    assert len(short) < 180


def test_a_question_that_is_no_text_is_told_so_before_anything_is_sent(run, replica):
    result = run("ask", "caf\udce9", "--url", replica.url)

    assert result.exit_code == 2
    assert result.stderr == "ha-rag: the question is not UTF-8 text (its character 4 is the first that is not)\n"
    assert replica.seen == []


def test_what_happened_to_several_tiers_alike_is_told_once(run, replica):
    attempts = [
        {"circuit": f"retriever.{name}", "outcome": "failed", "state": "closed", "ms": 0.1, "reason": "no index"}
        for name in ("primary", "lexical")
    ]
    served = {"degraded_stages": ["retriever"], "served_by": {"retriever": "none"}, "attempts": attempts}
    replica.replies[QUERY] = (200, {**ANSWER, **served, "degraded": True})

    assert run("ask", "How?", "--url", replica.url).stdout.splitlines()[-1] == (
        "degraded: the retriever was none (retriever.primary and retriever.lexical failed: no index)"
    )


def test_a_hostile_answer_keeps_its_lines_and_changes_no_others(run, replica):
    cited = [{**ANSWER["citations"][0], "document": HOSTILE, "text": HOSTILE}]
    attempts = [{"circuit": "embedder.primary", "outcome": "failed", "state": "closed", "ms": 1.0, "reason": HOSTILE}]
    served = {**ANSWER["served_by"], "embedder": HOSTILE}
    answer = {
        **ANSWER, "answer": f"One.\r\n\tTwo.{HOSTILE}", "citations": cited, "replica": HOSTILE, "served_by": served,
        "attempts": attempts, "degraded": True, "degraded_stages": ["embedder"],
    }  # fmt: skip
    replica.replies[QUERY] = (200, answer)

    first, second, *rest = run("ask", "How?", "--url", replica.url).stdout.split("\n")

    assert (first, second.lstrip()[:11]) == ("One.", "Two.<b>[red")
    assert rest[0].startswith("all is well"), "an answer has lines of its own"
    assert_harmless("\n".join([first, second, *rest[1:]]))
