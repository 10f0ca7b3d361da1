"""Words are found in any language and script: as they are written, by their forms, and by the parts of compounds."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from ha_rag.index import Index, ingest
from ha_rag.index.document import PassageText
from ha_rag.index.lexical import LexicalSearch, write_lexical
from ha_rag.index.passage_languages import with_languages
from tests.index.places import found, put, texts_of, write_files

TEXTS = {
    "en": "Expense receipts are handed in by the fifth day of the month. The VPN is set up by the service desk.",
    "de": "Die Reisekostenabrechnung ist bis zum fünften Tag des Monats abzugeben. Der Zugang wird freigeschaltet.",
    "fr": "Les notes de frais sont à rendre avant le cinq du mois. Les réservations sont faites par le secrétariat.",
    "zh": "報銷單據每月五日之前交給財務部。使用VPN連接公司網絡需要申請。車輛由行政部管理。",
    "ja": "経費の領収書は毎月五日までに提出してください。パスワードは九十日ごとに変更します。",
    "th": "พนักงานต้องส่งใบเสร็จภายในวันที่ห้าของทุกเดือน ฝ่ายบัญชีจะจ่ายเงินคืนภายในสองสัปดาห์",
    "km": "បុគ្គលិកត្រូវដាក់បង្កាន់ដៃមុនថ្ងៃទីប្រាំនៃខែនីមួយៗ។",
    "lo": "ພະນັກງານຕ້ອງສົ່ງໃບບິນກ່ອນວັນທີຫ້າຂອງທຸກໆເດືອນ",
    "my": "ဝန်ထမ်းများသည် လစဉ်ငါးရက်နေ့မတိုင်မီ ပြေစာများကို ပေးပို့ရမည်။",
    "ko": "휴가 신청서는 이 주 전에 제출해야 합니다. 출장비는 매월 정산합니다.",
    "ru": "Отпуск согласуется с руководителем за две недели. Пропуск выдаёт охрана.",
    "el": "Η άδεια εγκρίνεται από τον προϊστάμενο δύο εβδομάδες πριν.",
    "ar": "يجب تقديم طلب الإجازة قبل أسبوعين من موعدها إلى المدير.",
    "hi": "कर्मचारियों को हर महीने की पाँच तारीख तक रसीदें जमा करनी होती हैं।",
}
QUESTIONS = [
    ("When must I hand in a receipt?", "en"),
    ("WHEN MUST I HAND IN A RECEIPT", "en"),
    ("Bis wann muss ich meine Reisekosten abrechnen?", "de"),
    ("Wie schaltet man den Zugang frei?", "de"),
    ("Wer macht eine Abrechnung?", "de"),
    ("Comment faire une reservation ?", "fr"),
    ("報銷單據什麼時候交？", "zh"),
    ("車", "zh"),
    ("領収書の提出はいつまで？", "ja"),
    ("\uff8a\uff9f\uff7d\uff9c\uff70\uff84\uff9e", "ja"),
    ("ส่งใบเสร็จเมื่อไหร่", "th"),
    ("បង្កាន់ដៃ", "km"),
    ("ໃບບິນ", "lo"),
    ("ပြေစာ", "my"),
    (unicodedata.normalize("NFD", "출장비 정산"), "ko"),
    ("Кто согласует отпуска?", "ru"),
    ("ΑΔΕΙΑ", "el"),
    ("الإجازات", "ar"),
    ("रसीद कब जमा करें", "hi"),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    index = Index(tmp_path_factory.mktemp("languages"))
    put(index, TEXTS, space=None)
    return index


@pytest.mark.parametrize(("question", "language"), QUESTIONS)
def test_a_question_finds_its_passage_by_words_among_those_of_all_languages(
    index: Index, question: str, language: str
) -> None:
    assert found(index, question)[0] == language


def test_a_latin_word_inside_a_text_without_spaces_is_found(index: Index) -> None:
    assert set(found(index, "VPN")) == {"en", "zh"}
    assert set(found(index, "\uff36\uff30\uff2e")) == {"en", "zh"}


@pytest.mark.parametrize("question", ["", "？！", "des de la", "Wie ist das?", "\u200b\u00ad"])
def test_common_words_and_signs_find_nothing(index: Index, question: str) -> None:
    assert found(index, question) == []


def test_the_common_words_of_the_questions_language_find_nothing_in_another_one(index: Index) -> None:
    put(index, {"dying": "Many die young."}, space=None)
    assert "dying" not in found(index, "Wie lange dauert die Abrechnung?")
    assert found(index, "How do people die?")[0] == "dying"


@pytest.mark.parametrize("text", ["Reise\u00adkosten", "Reise\u200bkosten", "\ufeffReisekosten", "REISEKOSTEN"])
def test_invisible_characters_do_not_part_words(tmp_path: Path, text: str) -> None:
    write_lexical(tmp_path, (), texts_of({1: text}))
    assert LexicalSearch.open(tmp_path).search("Reisekosten", 5) != []


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Abrechnung", [2, 1]),
        ("Reisekosten", [1]),
        ("Reisekostenabrechnung", [1]),
        ("Monatsabrechnung", [2]),
        ("Hausabrechnung", [2, 4]),
    ],
)
def test_german_compounds_are_found_by_their_parts_and_their_parts_by_them(
    tmp_path: Path, question: str, rows: list[int]
) -> None:
    texts = {
        1: "Die Reisekostenabrechnung ist vor dem fünften Tag abzugeben.",
        2: "Am Ende des Monats wird die Abrechnung für alle gemacht.",
        3: "Der Urlaub ist beim Vorgesetzten zu beantragen.",
        4: "Das Haus ist am Sonntag geschlossen.",
    }
    write_lexical(tmp_path, (), texts_of(texts))
    hits = [row for row, _ in LexicalSearch.open(tmp_path).search(question, 5)]
    assert set(rows) <= set(hits)
    assert 3 not in hits


def test_chinese_characters_count_beside_their_pairs_but_less(tmp_path: Path) -> None:
    write_lexical(tmp_path, (), texts_of({1: "公司車輛由行政部管理", 2: "火車站的行李", 3: "密碼每季更換"}))
    hits = LexicalSearch.open(tmp_path).search("誰管車輛？", 10)
    assert [row for row, _ in hits] == [1, 2]
    assert hits[0][1] > 2 * hits[1][1]


def test_a_chinese_character_in_most_passages_finds_nothing_by_itself(tmp_path: Path) -> None:
    write_lexical(tmp_path, (), texts_of({1: "人事部", **{n: f"人工{n}" for n in range(2, 32)}}))
    assert LexicalSearch.open(tmp_path).search("某人", 10) == []
    assert [row for row, _ in LexicalSearch.open(tmp_path).search("某事", 10)] == [1]


def test_letters_of_other_scripts_without_spaces_do_not(tmp_path: Path) -> None:
    write_lexical(tmp_path, (), texts_of({1: "สวัสดี", 2: "안녕하세요"}))
    assert LexicalSearch.open(tmp_path).search("ดีส 하녕", 10) == []


def test_a_word_in_the_title_counts_more_than_one_in_the_text(tmp_path: Path) -> None:
    filler = "and more about other things that matter here"
    passages = [
        PassageText(1, "a", "Notes", "", f"The zebra {filler}"),
        PassageText(2, "b", "Zebra", "", f"The notes {filler}"),
    ]
    write_lexical(tmp_path, (), passages)
    assert [row for row, _ in LexicalSearch.open(tmp_path).search("zebra", 5)] == [2, 1]


def test_a_passage_that_does_not_tell_its_language_has_that_of_its_document() -> None:
    german = "Die Abrechnung ist bis zum Ende des Monats abzugeben."
    passages = [PassageText(1, "a", "", "", german), PassageText(2, "a", "", "", "Rechnungen, Belege")]
    alone = [PassageText(3, "b", "", "", "Team plan: 29 euros"), PassageText(4, "c", "", "", "Łódź")]
    assert [language for _, language in with_languages([*passages, *alone])] == ["de", "de", "en", "pl"]


async def test_files_in_five_languages_are_found_by_words(tmp_path: Path) -> None:
    languages = ("en", "de", "zh", "ja", "th")
    docs = write_files(tmp_path / "docs", {f"{one}.txt": TEXTS[one] for one in languages})
    with Index(tmp_path / "index") as index:
        await ingest([docs], index, {})
        for question, language in QUESTIONS:
            if language in languages:
                assert found(index, question)[0] == f"{language}.txt", question


def test_a_deleted_document_is_not_found_any_more(tmp_path: Path) -> None:
    index = Index(tmp_path)
    put(index, {"zh": TEXTS["zh"], "th": TEXTS["th"]}, space=None)
    with index.writer() as writer:
        writer.delete("zh")
        writer.commit()
    index.refresh()
    assert found(index, "報銷單據") == found(index, "車") == []
