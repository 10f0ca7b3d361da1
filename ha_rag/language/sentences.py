"""Where sentences end, in the scripts of the world."""

from __future__ import annotations

import re
from collections.abc import Iterator

SPACED_ENDS = ".!?\u2026"
"""These end a sentence only before a space: they are in numbers, names and addresses as well."""
ENDS = (
    "\u3002\uff01\uff1f\uff0e\uff61\ufe52\ufe56\ufe57\u203c\u2047\u2048\u2049\u0589\u061f\u06d4\u0700\u0701"
    "\u0702\u0964\u0965\u104a\u104b\u17d4\u17d5\u0f0d\u0f0e\u1362\u1367\u1368\u1803\u1809\U00011141\U00011142"
)
"""These end a sentence wherever they are (Sentence_Terminal in UAX 44)."""
CLOSERS = "\"')]\u201d\u2019\u00bb\u203a\u300d\u300f\uff09\u3011\u3009\u300b"
"""What can follow an end and still belongs to the sentence."""
SHORTEST_CLAUSE = 60
"""Code points. Thai, Lao, Khmer and Burmese put a space after sentences, and after clauses and names too: a shorter
part stays with the next one."""

_CLAUSED = "\u0e01-\u0e4e\u0e81-\u0ede\u1000-\u1049\u1780-\u17d3"
_CLOSING = f"[{re.escape(CLOSERS)}*_`]{{0,4}}"  # with Markdown's marks
_BREAK = re.compile(
    f"[{ENDS}{re.escape(SPACED_ENDS)}{_CLAUSED}](?:"
    f"(?<=[{ENDS}])(?P<anywhere>{_CLOSING})\\s*(?=[^\\s{ENDS}{re.escape(CLOSERS + SPACED_ENDS)}])"
    f"|(?<=[{re.escape(SPACED_ENDS)}])(?P<spaced>{_CLOSING})\\s+(?=\\S)"
    f"|(?<=[{_CLAUSED}])(?P<clause>)\\s+(?=\\S))"
)
"""It begins with one set of characters, of which Python's engine looks for the first much faster than for a choice."""
_ABBREVIATION = re.compile(
    r"(?<!\d )(?:\b(?:e\.g|i\.e|cf|vs|etc|approx|dr|mr|mrs|ms|prof|fig|vol|pp|ch|eq|st|jr|sr|inc|ltd|co|bzw|ca|vgl|usw|"
    r"evtl|ggf|inkl|nr|str|tel|abs|mio|mrd|z\.\s?b|d\.\s?h|u\.\s?a|p\.\s?ex|env|mme|sra|ud)"
    r"|(?<![\w.])(?-i:[A-ZÀ-ÞА-Яb-df-hj-np-z])|[\u0e01-\u0e4e\u0e81-\u0ede])\.$",
    re.IGNORECASE,
)
"""Not after a number, where they are units ("10 s."). Single letters are initials. Thai has no other full stops."""
_BEFORE_A_NUMBER = re.compile(r"\b(?:no|art|sec|bd)\.$", re.IGNORECASE)
_ORDINAL = re.compile(r"(?<![\w.,])\d{1,2}\.$")
_AFTER_AN_ORDINAL = re.compile(
    r"(?:Jan|Feb|März|Apr|Mai\b|Jun|Jul|Aug|Sep|Okt|Nov|Dez|Jahrhundert|Jahrestag|Geburtstag|Klasse|Platz)"
)
_ONLY_A_NUMBER = re.compile(r"\s*\d{1,3}\.$")
_LONGEST_ABBREVIATION = 12


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence of a paragraph, in order, with its end mark and without the space around it.

    Takes time in proportion to the text, whatever it is.
    """
    spans = []
    start = 0
    for end, next_start in _breaks(text):
        if text[start:end].strip():
            spans.append((start, end))
        start = next_start
    trimmed = text.rstrip()
    if start < len(trimmed):
        spans.append((start, len(trimmed)))
    return [(end - len(text[start:end].lstrip()), end) for start, end in spans]


def _breaks(text: str) -> Iterator[tuple[int, int]]:
    """Where a sentence ends and where the next one starts."""
    start = 0
    for found in _BREAK.finditer(text):
        kind = found.lastgroup or ""
        if kind == "clause" and not _is_long(text, start, found):
            continue
        if kind == "spaced" and not _ends(text, start, found):
            continue
        yield found.end(kind), found.end()
        start = found.end()


def _is_long(text: str, start: int, space: re.Match[str]) -> bool:
    """Whether what a space parts is enough on both sides."""
    return space.start("clause") - start >= SHORTEST_CLAUSE and len(text) - space.end() >= SHORTEST_CLAUSE // 2


def _ends(text: str, start: int, mark: re.Match[str]) -> bool:
    """Whether a mark such as a full stop, before a space, ends the sentence that begins at `start`."""
    at = mark.start("spaced")
    if text[at - 2 : at - 1].isspace():  # "the end . the next", as in texts that were cut into words
        return True
    following = text[mark.end()]
    if following.islower():
        return False
    before = text[max(start, at - _LONGEST_ABBREVIATION) : at]
    if _ABBREVIATION.search(before) or (at - start <= _LONGEST_ABBREVIATION and _ONLY_A_NUMBER.match(before)):
        return False
    if following.isdigit() and _BEFORE_A_NUMBER.search(before):
        return False
    return not (_ORDINAL.search(before) and _AFTER_AN_ORDINAL.match(text, mark.end()))
