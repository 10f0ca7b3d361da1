"""Sentences end at the marks of their script, and not at abbreviations, numbers and ordinals."""

from __future__ import annotations

import pytest

from ha_rag.language.sentences import sentence_spans
from tests.cpu_time import cpu_s


@pytest.mark.parametrize(
    "sentences",
    [
        ["It costs 3.5 euros.", "See e.g. the VPN.", "Dr. Who?", "Yes!"],
        ["Am 1. Januar gilt das.", "Es kostet z. B. 5 Euro.", "Gut."],
        ["No end mark"],
        ["It recovers after 30 s.", "Then calls pass."],
        ['He said "no."', "She said yes."],
    ],
)
def test_sentences_with_spaces_between_them(sentences: list[str]) -> None:
    assert _sentences("  " + " ".join(sentences) + " ") == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["報銷單據什麼時候交？", "每月五日之前！", "「好的。」", "他說3.5元。"],
        ["設定方法は？", "画面を開く｡", "終わり"],
        ["यह एक है।", "वह दो है॥"],
        ["هل هذا صحيح؟", "نعم۔"],
        ["ភាសា។", "ខ្មែរ៕"],
        ["မြန်မာ။", "စာ။"],
    ],
)
def test_sentences_without_spaces_between_them(sentences: list[str]) -> None:
    assert _sentences("".join(sentences)) == sentences


def test_thai_sentences_end_at_a_space_with_enough_letters_on_both_sides() -> None:
    first = "พนักงานทุกคนต้องส่งใบเสร็จตัวจริงให้ฝ่ายบัญชีภายในวันที่ห้าของทุกเดือน"
    second = "ฝ่ายบัญชีจะจ่ายเงินคืนภายในสองสัปดาห์"
    assert _sentences(f"{first} {second}") == [first, second]
    assert _sentences(f"ใช้ {first}") == [f"ใช้ {first}"]
    assert _sentences(f"{first} ขอบคุณ") == [f"{first} ขอบคุณ"]


@pytest.mark.parametrize(
    "sentence",
    [
        "Am 1. Januar und am 14. Februar ist zu.",
        "Im 19. Jahrhundert z. B. war u. A. Müller da.",
        "Mr. J. R. R. Tolkien, cf. Ms. Shaw, vol. 3, No. 5 and Art. 7.",
        "12. Appendix",
        "ปี พ.ศ. 2540 และ ค.ศ. 1997",
    ],
)
def test_a_full_stop_of_an_abbreviation_or_ordinal_ends_no_sentence(sentence: str) -> None:
    assert _sentences(sentence) == [sentence]


@pytest.mark.parametrize(
    "sentences",
    [
        ["It takes 5 ms.", "Then it ends."],
        ["The answer is no.", "Nobody asked."],
        ["It is in section 3.", "There is more."],
        ["the wing was studied .", "the lift was larger ."],
        ["**It is done.**", "_Nobody_ knows."],
        ["Really?!", "Yes..."],
        ["Բարեւ։", "Ոչ։"],
    ],
)
def test_other_full_stops_end_one(sentences: list[str]) -> None:
    assert _sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize("piece", [".", ". ", " ", "ก ", "。", "。」", "a.\u201d", "A. ", "*. ", "1. "])
@pytest.mark.parametrize("around", [("", ""), ("a", "b")], ids=["alone", "within"])
def test_pathological_text_is_read_in_reasonable_time(piece: str, around: tuple[str, str]) -> None:
    text = around[0] + piece * 50_000 + around[1]
    assert cpu_s(lambda: sentence_spans(text)) < 5


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_no_text_has_no_sentence(text: str) -> None:
    assert sentence_spans(text) == []


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]
