"""The language of a text is told by its script and its function words, and not told where nothing tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ha_rag.language.detection import language_of

DECLARATION = dict(
    line.split(": ", 1)
    for line in Path(__file__).with_name("declaration.txt").read_text(encoding="utf-8").splitlines()[1:]
)


@pytest.mark.parametrize("language", sorted(set(DECLARATION) - {"da", "no"}))
def test_the_language_of_a_sentence_or_two(language: str) -> None:
    assert language_of(DECLARATION[language]) == language


@pytest.mark.parametrize("language", ["da", "no"])
def test_danish_and_norwegian_are_not_taken_for_a_third_language(language: str) -> None:
    assert language_of(DECLARATION[language]) in {"da", "no", ""}


@pytest.mark.parametrize(
    "text", ["", "VPN", "Anna Prüfer, Ulm", "2024-11-05 14:03", "?!", "\x00", "\ud800", "max_retries=3"]
)
def test_names_and_numbers_are_in_no_language(text: str) -> None:
    assert language_of(text) == ""


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("How long is the recovery timeout?", "en"),
        ("Wie lange dauert die Genehmigung?", "de"),
        ("Quand faut-il rendre les notes de frais ?", "fr"),
        ("報銷單據什麼時候交？", "zh"),
        ("VPNの設定方法は？", "ja"),
        ("วิธีตั้งค่า VPN คืออะไร", "th"),
        ("HOW LONG IS THE TIMEOUT", "en"),
    ],
)
def test_the_language_of_a_question(question: str, language: str) -> None:
    assert language_of(question) == language


def test_a_foreign_name_does_not_change_the_language() -> None:
    assert language_of("The city of 東京 is the capital of Japan, and it is called Tokyo in English.") == "en"
