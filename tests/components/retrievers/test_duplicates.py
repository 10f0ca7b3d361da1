"""The same text once."""

from __future__ import annotations

import pytest

from ha_rag.components.retrievers.duplicates import distinct
from ha_rag.messages import Passage

RULE = "Refunds are paid within 14 days of the request, to the card that was used."


def _kept(*texts: str) -> list[tuple[str, tuple[str, ...]]]:
    """The documents that are kept, and where else their texts were found. Documents are called a, b, c ..."""
    found = [(n, Passage(chr(97 + n), f"{chr(97 + n)}#0", text)) for n, text in enumerate(texts)]
    return [(passage.document, passage.also_in) for _, passage in distinct(found)]


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(RULE, id="the same text"),
        pytest.param(RULE.upper(), id="capitals"),
        pytest.param(RULE.replace(" ", "\n  "), id="spacing"),
        pytest.param(RULE.replace("14 days", "**14 days**").replace(",", ";"), id="Markdown and punctuation"),
        pytest.param(f"# A copy of the refund rules\n\n{RULE}", id="another heading"),
        pytest.param("paid within 14 days of the request, to the card", id="part of it"),
    ],
)
def test_a_text_that_repeats_a_better_one_is_named_beside_it(copy: str) -> None:
    assert _kept(RULE, "Something else.", copy) == [("a", ("c",)), ("b", ())]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(RULE.replace("14", "30"), id="another number"),
        pytest.param(RULE.replace("are paid", "are not paid"), id="the opposite"),
        pytest.param(f"{RULE} This does not apply to gift cards.", id="more text"),
        pytest.param("14 days", id="a few words that occur in it"),
        pytest.param("", id="an empty text"),
    ],
)
def test_a_text_that_says_something_else_is_kept(other: str) -> None:
    assert _kept(RULE, other) == [("a", ()), ("b", ())]


def test_texts_without_letters_are_compared_as_they_are() -> None:
    assert _kept("***", "---", "***") == [("a", ("c",)), ("b", ())]


def test_a_document_that_repeats_itself_is_not_named_beside_itself() -> None:
    found = [(n, Passage("a", f"a#{n}", RULE)) for n in range(3)]
    assert distinct(found) == found[:1]


def test_each_document_with_a_copy_is_named_once_in_the_order_of_the_ranking() -> None:
    assert _kept(*[RULE] * 4) == [("a", ("b", "c", "d"))]


def test_texts_of_other_scripts_are_compared_too() -> None:
    text = "断路器在失败后打开、过一会儿让一个探测通过、成功后再关闭。" * 2
    assert _kept(text, text.replace("、", " ")) == [("a", ("b",))]
