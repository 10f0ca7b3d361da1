"""Form 2 of the lexical index: terms in the language of each passage, with its title as a field of its own.

`words`: terms of title, headings and text. `title`: terms of the title, worth 0.6 as much again. `letters`: single
letters of scripts without spaces, for questions of one letter, and Chinese characters beside their pairs. `endings`:
long terms backwards (`compounds.py`). `language`: by which stemmer they were cut. `text`: what readers of version 0.1.0
search, which share an index with this version while a fleet is upgraded.
"""

from __future__ import annotations

from pathlib import Path

import tantivy

from ha_rag.index import compounds
from ha_rag.index.document import PassageText, searchable
from ha_rag.index.english_words import TOKENIZER, add_fields, english_stems
from ha_rag.index.multilingual_questions import UNSTEMMED, MultilingualQuestions
from ha_rag.index.words_form import Questions
from ha_rag.language.terms import STEMMERS, terms_of
from ha_rag.language.unspaced import single_letters


class MultilingualWords:
    """Form 2. A question is cut as the passages of each language are that the index holds."""

    def __init__(self) -> None:
        fields = tantivy.SchemaBuilder()
        add_fields(fields)
        for name in ("words", "title", "letters", "endings", "language"):
            fields.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
        self.schema = fields.build()
        self._stems = english_stems()
        self._cut = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()

    def opened(self, folder: Path) -> tantivy.Index:
        """The index in `folder`. Raises ValueError if it has other fields."""
        index = tantivy.Index(self.schema, path=str(folder))
        index.register_tokenizer(TOKENIZER, self._stems)
        index.register_tokenizer("whitespace", self._cut)
        return index

    def document(self, passage: PassageText, language: str) -> tantivy.Document:
        """A passage as it is indexed. `language`: ISO 639-1, or ""."""
        text = searchable(passage.title, passage.heading, passage.text)
        stemmed = language if language in STEMMERS else ""
        words = terms_of(text, stemmed)
        others = {
            "title": terms_of(passage.title, stemmed),
            "letters": single_letters(text),
            "endings": compounds.endings(words) if stemmed in compounds.LANGUAGES else [],
        }
        fields = {name: " ".join(terms) for name, terms in others.items() if terms}
        language = stemmed or UNSTEMMED
        return tantivy.Document(row=passage.row, text=text, words=" ".join(words), language=language, **fields)

    def questions(self, searcher: tantivy.Searcher) -> Questions:
        """The terms of a question in each language that occurs, without common words."""
        return MultilingualQuestions(searcher).terms
