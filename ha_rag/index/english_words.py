"""Form 1 of the lexical index, which version 0.1.0 writes and reads: stems of English words, in one field."""

from __future__ import annotations

from pathlib import Path

import tantivy

from ha_rag.index.words_form import MAX_TERMS, Questions, Term

TOKENIZER = "stems"
LONGEST_WORD = 60


def english_stems() -> tantivy.TextAnalyzer:
    """Cuts words as version 0.1.0 does."""
    word = tantivy.Filter
    plain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(word.remove_long(LONGEST_WORD))
    folded = plain.filter(word.lowercase()).filter(word.ascii_fold())
    return folded.filter(word.stopword("english")).filter(word.stemmer("english")).build()


def add_fields(fields: tantivy.SchemaBuilder) -> None:
    """The fields of form 1. Its readers find them by their place, so they are the first ones in later forms, too."""
    fields.add_integer_field("row", indexed=True, fast=True)
    fields.add_text_field("text", tokenizer_name=TOKENIZER, index_option="freq")


class EnglishWords:
    """Form 1: `row` and `text`."""

    def __init__(self) -> None:
        fields = tantivy.SchemaBuilder()
        add_fields(fields)
        self.schema = fields.build()
        self._stems = english_stems()

    def opened(self, folder: Path) -> tantivy.Index:
        """The index in `folder`. Raises ValueError if it has other fields."""
        index = tantivy.Index(self.schema, path=str(folder))
        index.register_tokenizer(TOKENIZER, self._stems)
        return index

    def questions(self, searcher: tantivy.Searcher) -> Questions:
        """The stems of a question's words, whatever the index has."""
        return self._terms

    def _terms(self, question: str) -> list[Term]:
        return [Term("text", stem) for stem in list(dict.fromkeys(self._stems.analyze(question)))[:MAX_TERMS]]
