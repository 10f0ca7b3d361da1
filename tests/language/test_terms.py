"""Words are cut alike in documents and questions, in any script and however they are written."""

from __future__ import annotations

import unicodedata

import pytest

from ha_rag.language.folding import composed, folded
from ha_rag.language.terms import distinct_terms, question_terms, terms_of, words_of
from ha_rag.language.unspaced import RUN, ideographs, letters, lone_letters, single_letters
from tests.language.test_detection import DECLARATION


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Reise\u00adkosten", "Reisekosten"),
        ("Reise\u200bkosten", "Reisekosten"),
        ("\ufeffReise\u2060kosten", "Reisekosten"),
        (unicodedata.normalize("NFD", "Ünïcode Überprüfung"), "Ünïcode Überprüfung"),
        (unicodedata.normalize("NFD", "휴가 신청서"), "휴가 신청서"),
        ("\uff36\uff30\uff2e \uff12\uff10\uff12\uff14", "VPN 2024"),
        ("\uff83\uff9e\uff70\uff80", "データ"),
        ("\ufb01ne", "fine"),
        ("ΟΔΟΣ", "οδός"),
        ("STRASSE", "Straße"),
        ("İSTANBUL", "istanbul"),
        ("๒๕๖๗ ٢٠٢٤ २०२४", "2567 2024 2024"),
    ],
)
def test_the_same_word_in_other_code_points_is_the_same_term(one: str, other: str) -> None:
    assert terms_of(one, "") == terms_of(other, "") != []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Café's VPN-gateway, max_retries=3", ["the", "café", "s", "vpn", "gateway", "max", "retries", "3"]),
        ("使用VPN連接公司", ["使用", "vpn", "連接", "接公", "公司"]),
        ("2024年", ["2024", "年"]),
        ("データベース", ["デー", "ータ", "タベ", "ベー", "ース"]),
        ("ทั้งหมด", ["ทั้ง", "งห", "หม", "มด"]),
        ("ខ្មែរ", ["ខ្មែរ"]),
        ("휴가 신청", ["휴가", "신청"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("", []),
        ("?!", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("language", ["th", "lo", "km", "my", "ko", "ja", "zh"])
def test_no_mark_of_a_script_without_spaces_is_lost(language: str) -> None:
    for run in RUN.findall(folded(DECLARATION[language])):
        assert "".join(letters(run)) == run


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("recovering circuits", "a circuit recovers", "en"),
        ("die Rechnungen", "Rechnung", "de"),
        ("les réservations", "reservation", "fr"),
        ("los gestores", "el gestor", "es"),
        ("отпуска", "отпуск", "ru"),
    ],
)
def test_forms_of_a_word_have_the_same_term_in_its_language(one: str, other: str, language: str) -> None:
    assert sorted(terms_of(one, language)) == sorted(terms_of(other, language))


def test_words_are_stemmed_as_english_only_where_they_are() -> None:
    assert terms_of("Versicherungen the", "de") == ["versicher", "the"]
    assert terms_of("Versicherungen the", "") == ["versicherungen", "the"]
    assert terms_of("Versicherungen the", "en") == ["versicherungen"]


@pytest.mark.parametrize(
    ("question", "language", "spoken", "terms"),
    [
        ("How do people die?", "en", "en", ["peopl", "die"]),
        ("Wie wird die Rechnung bezahlt?", "de", "de", ["rechnung", "bezahlt"]),
        ("Wie wird die Rechnung bezahlt?", "en", "de", ["rechnung", "bezahlt"]),
        ("What is it that you do?", "en", "en", []),
        ("What does the WHO recommend?", "en", "en", ["recommend", "who"]),
        ("WHO IS WHO?", "en", "en", []),
        ("VPN vpn Vpn", "en", "", ["vpn"]),
    ],
)
def test_a_question_is_freed_of_the_common_words_of_its_language(
    question: str, language: str, spoken: str, terms: list[str]
) -> None:
    assert question_terms(question, language, spoken) == terms


def test_letters_by_themselves() -> None:
    assert single_letters("用 VPN 連接") == ["用", "連", "接"]
    assert lone_letters("用 VPN 連接") == ["用"]
    assert lone_letters("VPN") == []


def test_ideographs_are_chinese_characters_and_no_letters_of_an_alphabet() -> None:
    assert ideographs("請用 VPN 連接、請") == ["請", "用", "連", "接"]
    assert ideographs("設定のしかた") == ["設", "定"]
    assert ideographs("วีพีเอ็น 안녕 VPN") == []


def test_what_is_invisible_is_gone() -> None:
    assert composed("a\u200eb\u00adc\u2063d\ufe0f") == "abcd"


SIGNS = (
    "100 ฿ต่อวัน ฯลฯ ๆ Gateway ของเรา",
    "゠データ゠〻 30 ℃",
    "ខ្.មែរ។ ក៖",
    "휴가 신청 in German: die Häuser",
    "ก" + "\u0e47" * 60 + "ข",
)


@pytest.mark.parametrize("language", ["th", "zh", "en", "de", "ru", "ar", ""])
@pytest.mark.parametrize("text", [*DECLARATION.values(), *SIGNS, "", "?!", "Plain words, and MORE words"])
def test_distinct_terms_are_those_of_the_text_in_any_script_and_with_any_sign(text: str, language: str) -> None:
    assert distinct_terms(text, language) == frozenset(terms_of(text, language))


@pytest.mark.parametrize("language", ["th", "en", ""])
@pytest.mark.parametrize("question", ["ราคา 100 ฿ ต่อวัน ราคา", "ก๊าซ VPN คืออะไร", "データ゠ベース"])
def test_the_terms_of_a_question_in_a_script_without_spaces_are_those_of_a_text(question: str, language: str) -> None:
    assert question_terms(question, language, "") == list(dict.fromkeys(terms_of(question, language)))
