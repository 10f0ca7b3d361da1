"""Errors within replies: in which forms they are found, what they say, and which status they name."""

from __future__ import annotations

from typing import Any

import pytest

from ha_rag.components.complaint import Complaint, complaint_in, described

CHOICES = {"choices": [{"delta": {"content": "a"}}]}


@pytest.mark.parametrize(
    ("reply", "words", "status"),
    [
        ({"error": {"message": "no", "code": 503}}, "no", 503),
        ({"error": {"message": "no", "code": "429"}}, "no", 429),
        ({"error": {"message": "no", "type": "rate_limit_error"}}, "no", 429),
        ({"error": {"message": "no", "status": "RESOURCE_EXHAUSTED", "code": 429}}, "no", 429),
        ({"error": {"code": "overloaded"}}, "overloaded", None),
        ({"error": {"message": None, "type": "server_error"}}, "server_error", None),
        ({"error": "no"}, "no", None),
        ({"error": True, "message": "no", "status": 401}, "no", 401),
        ({"error": ["no", {"msg": "never"}]}, "no; never", None),
        ({"errors": [{"message": "no", "code": 7}]}, "no", None),
        ({"object": "error", "message": "no", "code": 400}, "no", 400),
        ({"type": "error", "error": {"message": "no"}}, "no", None),
        ({"detail": "no"}, "no", None),
        ({"detail": [{"loc": ["body", 0, "input"], "msg": "no"}]}, "no (body.0.input)", None),
        ({"title": "Bad", "detail": "no", "status": 500}, "no", 500),
        ({"code": 1305, "msg": "no"}, "no", None),
        ({"code": "Busy"}, "Busy", None),
        ({"Message": "no"}, "no", None),
        ({"success": False}, "", None),
        ({"status": "failed"}, "failed", None),
        ({"base_resp": {"status_code": 1002, "status_msg": "no"}}, "no", None),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": "no"}}},
            "Provider returned error (no)",
            None,
        ),
        ([{"error": {"message": "no"}}], "no", None),
        ({**CHOICES, "error": {"message": "no"}}, "no", None),
        ({"choices": [{"error": {"message": "no", "code": 502}}]}, "no", 502),
        ({**CHOICES, "object": "error", "message": "no"}, "no", None),
    ],
    ids=str,
)
def test_an_error_is_found_with_its_words_and_status(reply: Any, words: str, status: int | None) -> None:
    assert complaint_in(reply) == Complaint(words, status)


@pytest.mark.parametrize(
    "more",
    [
        {"error": None},
        {"error": ""},
        {"error": {}},
        {"error": []},
        {"error": False},
        {"error": 0},
        {"error": "null"},
        {"error": {"code": 0, "message": "ok"}},
        {"error": {"code": None, "message": ""}},
        {"error": [{}]},
        {"errors": []},
        {"detail": "beside an answer"},
        {"message": "beside an answer"},
        {"code": 200, "msg": "success"},
        {"success": True, "errors": []},
        {"base_resp": {"status_code": 0, "status_msg": ""}},
        {"status": "ok"},
    ],
    ids=str,
)
def test_beside_an_answer_only_an_error_that_says_something_is_one(more: dict[str, Any]) -> None:
    assert complaint_in({**CHOICES, **more}) is None


@pytest.mark.parametrize(
    "reply",
    [CHOICES, {"usage": {"prompt_tokens": 1}}, {"choices": []}, {}, [], [1], 5, "a", None, {"code": 0, "msg": "ok"}],
    ids=str,
)
def test_what_reports_no_error_has_none(reply: Any) -> None:
    assert complaint_in(reply) is None


def test_a_result_may_have_another_key() -> None:
    assert complaint_in({"data": [1], "message": "ok"}, "data") is None
    assert complaint_in({"data": [], "message": "no"}, "data") == Complaint("no")


@pytest.mark.parametrize(
    "wrap", [lambda value: {"error": value}, lambda value: [value], lambda value: {"detail": [value]}]
)
def test_what_is_nested_too_deeply_says_nothing(wrap: Any) -> None:
    value: Any = "no"
    for _ in range(200):
        value = wrap(value)
    assert described(value).words == ""
