"""The words of a language that say little by themselves: articles, pronouns, prepositions, question words.

By them a text's language is told, and a question is freed of them. They are listed in function_words.txt.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files


def _lists() -> Iterator[tuple[str, frozenset[str]]]:
    listed = files(__package__).joinpath("function_words.txt").read_text(encoding="utf-8")
    lines = [line for line in listed.splitlines() if not line.startswith("#")]
    for entry in "\n".join(lines).replace("\n ", " ").splitlines():
        language, _, words = entry.partition(":")
        yield language, frozenset(words.split())


FUNCTION_WORDS = dict(_lists())
"""ISO 639-1 code -> its function words, in lower case and NFKC."""
