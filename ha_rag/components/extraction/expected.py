"""What kind of answer a question expects, and whether a text has one: a number, a date, a name, steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_WHEN = (
    r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b|\bwann\b|"
    r"\bwelche[mnrs]? (?:jahr\w*|datum|tag|monat|jahrzehnt)\b|\b(?:quand|cuándo|quando)\b"
)
_WHEN_SIGNS = (
    "什么时候|什麼時候|何时|何時|哪一年|哪年|哪一天|哪天|哪个世纪|什么年|年份|几月|いつ|何年|何月|"
    "เมื่อไ|เมื่อใด|ปีใด|ปีไหน|ปีอะไร|ปีที่เท่า|วันที่เท่า|วันที่ใด|วันไหน|ศตวรรษใด"
)
_HOW_MANY = (
    r"\bhow (?:many|much|long|old|far|often|tall|big|large|high|fast|deep|wide|late|early|heavy)\b|"
    r"\bwhat (?:percent\w*|number|amount|age|share|distance|temperature|price|cost)\b|"
    r"\bwhat is the (?:price|cost|number|limit|rate)\b|"
    r"\bwie ?(?:viele?|lange|alt|hoch|weit|oft|groß|spät|schnell|teuer|schwer)\b|"
    r"\bwelche[mnrs]? (?:prozent\w*|anteil|anzahl)\b|"
    r"\b(?:combien|cuántos?|cuántas?|quanti|quante|quantos|quantas)\b"
)
_HOW_MANY_SIGNS = "多少|几|幾|多大|多长|多長|多高|多远|多遠|多久|百分比|いくら|いくつ|何人|何個|กี่|เท่าไ|เท่าใด|ร้อยละ"
LONGEST_QUESTION = 1_500
"""Characters, a third of them from its beginning. More would hold up other questions."""


class _Asks:
    """Whether a question asks for something: by words of Latin letters, or by signs of scripts without cases.

    Apart, because the signs begin with few letters: where none of them occurs is seen in a third of the time.
    """

    def __init__(self, words: str, signs: str) -> None:
        self._words = re.compile(words, re.IGNORECASE)
        self._signs = re.compile(signs)

    def __call__(self, question: str) -> bool:
        signs = None if question.isascii() else self._signs.search(question)
        return bool(signs or (_LATIN.search(question) and self._words.search(question)))

    def without(self, question: str) -> str:
        """The question with a space in place of what says so."""
        return self._signs.sub(" ", self._words.sub(" ", question))


_LATIN = re.compile("[a-zA-Z]")
_asks_when = _Asks(_WHEN, _WHEN_SIGNS)
_asks_for_a_number = _Asks(f"{_HOW_MANY}|{_WHEN}", f"{_HOW_MANY_SIGNS}|{_WHEN_SIGNS}")
_asks_who = _Asks(r"\bwho(?:m|se)?\b|\bwer\b|\bwem\b|\bwen\b|\bwessen\b", "谁|誰|何人|哪位|だれ|ใคร|ผู้ใด")
_asks_how = _Asks(
    r"\bhow (?:do|can|to|should|must|does one|would)\b|\b(?:steps|procedure|instructions)\b|"
    r"\bwhat (?:do|should|must) (?:i|we) do\b|"
    r"\bwhat now\b|\bwie (?:kann|muss|soll|geht|richte|setze|mache|starte|lege|stelle|melde|beantrage)|\bschritte\b|"
    r"\bcomment\b|\bcómo\b",
    "如何|怎么|怎樣|怎样|どうやって|方法|อย่างไร|ยังไง|วิธี",
)
_asks_for_several = _Asks(
    r"\b(?:list|name|show|give)\b.{0,12}\b(?:all|the|every)\b|\bwhat are (?:all|the)\b|"
    r"\b(?:which|what) [\w -]{2,40}\b(?:are there|do you)\b|"
    r"\b(?:the (?:most|least|fewest)|compared?|comparison|versus|vs)\b|"
    r"\b(?:cheap|dear|larg|small|bigg|high|low|long|short|heavi|light|fast|slow|earli|lat|strong|weak|old|young|new|quick)est\b|"
    r"\b(?:differences?|differ) (?:between|from)\b|\bbetter\b|"
    r"\b(?:billigste|teuerste|größte|kleinste|höchste|niedrigste|längste|kürzeste|schnellste|langsamste|schwerste|leichteste|"
    r"meiste|wenigste|günstigste)[nrs]?\b|\bwelche[rsn]? .{2,40}gibt es|"
    r"\bliste\b.{0,20}\balle\b|\bvergleich\w*|\bunterschied\w*",
    "哪些|所有|全部|最[大小高低长短贵快慢便多少]",
)
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER_WORDS = frozenset({
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "dozen",
    "hundred", "thousand", "million", "billion", "half", "third", "quarter", "once", "twice", "daily", "weekly",
    "monthly", "yearly", "ein", "eine", "einen", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun",
    "zehn", "elf", "zwölf", "hundert", "tausend", "millionen", "milliarden", "hälfte", "drittel", "täglich",
    "wöchentlich", "monatlich", "jährlich",
})  # fmt: skip
_NUMBER_SIGN = re.compile("[一二三四五六七八九十百千万两半]|หนึ่ง|สอง|สาม|สี่|ห้า|หก|เจ็ด|แปด|เก้า|สิบ|ร้อย|พัน|ล้าน")
_DATE_WORDS = frozenset({
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", "januar", "februar", "märz", "mai", "juni", "juli", "oktober", "dezember", "century",
    "centuries", "jahrhundert", "jahrhunderts", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
    "sunday", "mondays", "tuesdays", "wednesdays", "thursdays", "fridays", "saturdays", "sundays", "montag",
    "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag", "montags", "dienstags", "mittwochs",
    "donnerstags", "freitags", "samstags", "sonntags",
})  # fmt: skip
_YEAR = re.compile(r"(?<!\d)\d{3,4}(?!\d)|\d:\d\d")
_DATE_SIGN = re.compile(r"\d{1,4}[年月]|世纪|世紀|ศตวรรษ|ปี|เดือน")
_NAME = re.compile(r"(?<=[^\W\d_A-Z] )[A-ZÄÖÜ]\w+|(?<=[,;)] )[A-ZÄÖÜ]\w+|·")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a question asks for. `given`: its words and numbers, which do not answer it."""

    number: bool
    date: bool
    name: bool
    how: bool
    several: bool
    given: frozenset[str]

    def has_number(self, text: str) -> bool:
        """Whether a number or a date is asked for and there."""
        return self.number and (not _numbers_in(text) <= self.given or _has_number_word(text))

    def has_date(self, text: str) -> bool:
        """Whether a date is asked for and there."""
        numbers = _numbers_in(text) if self.date else frozenset()
        return self.date and _has_date(text) and not (numbers and numbers <= self.given)

    def has_name(self, text: str) -> bool:
        """Whether somebody is asked for and named."""
        return self.name and not _names_in(text) <= self.given


@lru_cache(maxsize=1024)
def expected_of(question: str) -> Expected:
    """What a question asks for, by its question words."""
    return Expected(
        _asks_for_a_number(question),
        _asks_when(question),
        _asks_who(question),
        _asks_how(question),
        _asks_for_several(question),
        frozenset((*_DIGITS.findall(question), *re.findall(r"\w+", question))),
    )


@lru_cache(maxsize=1024)
def subject_of(question: str) -> str:
    """The question without words that ask to list or to compare: documents need not have them. Long ones are cut."""
    if len(question) > LONGEST_QUESTION:
        question = f"{question[: LONGEST_QUESTION // 3]} {question[-2 * LONGEST_QUESTION // 3 :]}"
    if not expected_of(question).several:
        return question
    subject = _asks_for_several.without(question)
    return subject if any(map(str.isalnum, subject)) else question


@lru_cache(maxsize=4096)
def _numbers_in(text: str) -> frozenset[str]:
    return frozenset(_DIGITS.findall(text))


@lru_cache(maxsize=4096)
def _has_number_word(text: str) -> bool:
    return not _NUMBER_WORDS.isdisjoint(_words_in(text)) or bool(not text.isascii() and _NUMBER_SIGN.search(text))


@lru_cache(maxsize=4096)
def _has_date(text: str) -> bool:
    return (
        bool(_YEAR.search(text))
        or not _DATE_WORDS.isdisjoint(_words_in(text))
        or bool(not text.isascii() and _DATE_SIGN.search(text))
    )


@lru_cache(maxsize=4096)
def _names_in(text: str) -> frozenset[str]:
    return frozenset(_NAME.findall(text))


def _words_in(text: str) -> list[str]:
    return _WORD.findall(text.lower())
