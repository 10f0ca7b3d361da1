"""Guesses the encoding of text that is not UTF-8, and tells when several encodings fit about equally well."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_SAMPLE = 200_000
CLOSE = 0.6
"""An encoding whose score is this share of the best one's might be the right one instead."""
FEW_BYTES, CLOSE_IF_FEW = 16, 0.4
"""With fewer bytes above 127, the same for this share."""
ENOUGH_BYTES = 400
"""With this many bytes above 127 the best guess is taken as certain."""
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
FEW_RUNS = 3
HARDLY_ANY = 0.05
"""A score so low means that no encoding of today fits well."""
LAST_RESORTS = ("cp1252", "cp932")
"""Considered where a text is too short to look like any language."""
_LINE_BEYOND_ASCII = re.compile(rb"[^\n]{0,200}[\x80-\xff][^\n]{0,200}\n?")


@dataclass(frozen=True, slots=True)
class Guess:
    """The likeliest encoding. `rivals`: others that would yield another text and fit about as well."""

    encoding: str
    rivals: tuple[str, ...] = ()


def guess(data: bytes, assumed: str = "") -> Guess | None:
    """The likeliest encoding of `data`, judged by all its parts beyond ASCII; None if no encoding fits.

    `assumed`: taken if it is one of those that fit.
    """
    # Imported here because a replica that only answers questions starts faster without it.
    import chardet
    from chardet.enums import EncodingEra

    sample = _sample(data)
    texts: dict[str, tuple[str, float]] = {}
    for found in chardet.detect_all(sample, ignore_threshold=True, encoding_era=EncodingEra.MODERN_WEB):
        encoding = str(found["encoding"] or "").lower()
        text = _decoded(sample, encoding)
        if text is not None and text not in texts:
            texts[text] = (encoding, found["confidence"])
    if assumed and _decoded(sample, assumed) is not None:
        return Guess(assumed)
    ranked = list(texts.values()) or [(name, 0.0) for name in LAST_RESORTS if _decoded(sample, name) is not None]
    if not ranked:
        return None
    if ranked[0][1] < HARDLY_ANY and _is_western(sample) and (old := _of_dos(sample, ranked[0][1])):
        return Guess(old, (ranked[0][0],))
    best, score = ranked[0]
    high = sum(byte > 127 for byte in sample)
    share = CLOSE if high >= FEW_BYTES else CLOSE_IF_FEW
    close = [name for name, other in ranked[1:] if other >= share * score and high < ENOUGH_BYTES]
    return Guess(best, tuple(close[:3]))


def _is_western(sample: bytes) -> bool:
    """Whether bytes beyond ASCII stand alone among letters of ASCII, as accented ones do."""
    runs = _BEYOND_ASCII.findall(sample)
    return len(runs) >= FEW_RUNS and sum(len(run) == 1 for run in runs) * 5 >= len(runs) * 4


def _of_dos(sample: bytes, score: float) -> str:
    """The encoding of a text from the time of DOS, if it fits far better than the ones of today; else ""."""
    import chardet
    from chardet.enums import EncodingEra

    found = chardet.detect_all(sample, ignore_threshold=True, encoding_era=EncodingEra.DOS)[:1]
    name = str(found[0]["encoding"] or "").lower() if found else ""
    return name if name and found[0]["confidence"] > 3 * score and _decoded(sample, name) is not None else ""


def _sample(data: bytes) -> bytes:
    """The lines with bytes beyond ASCII, from the whole of `data`: evenly spaced ones if there are too many."""
    if len(data) <= LONGEST_SAMPLE:
        return data
    lines = _LINE_BEYOND_ASCII.findall(data)
    every = 1 + sum(map(len, lines)) // LONGEST_SAMPLE
    return b"".join(lines[::every])[: 2 * LONGEST_SAMPLE]


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (LookupError, UnicodeError):
        return None
