"""The language of each passage: its own, or that of its document where a passage alone does not tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from ha_rag.index.document import PassageText, searchable
from ha_rag.language.detection import language_of

DEFAULT = "en"
"""Of a document that does not tell, such as a table of names, if it is in plain Latin letters."""


def with_languages(passages: Iterable[PassageText]) -> Iterator[tuple[PassageText, str]]:
    """Each passage and its language (ISO 639-1, or ""). Those of one document must follow each other."""
    for _, group in groupby(passages, key=attrgetter("document")):
        document = list(group)
        own = [language_of(searchable(one.title, one.heading, one.text)) for one in document]
        told = Counter(filter(None, own)).most_common(1)
        for passage, language in zip(document, own, strict=True):
            yield passage, language or (told[0][0] if told else _default(passage))


def _default(passage: PassageText) -> str:
    return DEFAULT if passage.text.isascii() else ""
