"""A text is cut word by word into the tokens that its tokenizer gives for the whole."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import Prepend, Replace, Sequence

from ha_rag.components.embedders.static_model import TOKENIZER, installed_model
from ha_rag.language import tokens
from ha_rag.language.tokens import SPACE, WordTokenizer, tokenizer_in

PARTS = [
    "a", "circuit", " ", "  ", "\n", "\t", "\u00a0", SPACE, "<s>", "</s>", "<unk>", "</", "s>", "ß", "e\u0301", "日本",
    "🙂", "\u200b",
]  # fmt: skip


def _tokenizer() -> Tokenizer:
    places = find_spec("wordllama")
    assert places is not None
    assert places.submodule_search_locations is not None
    return tokenizer_in(Path(places.submodule_search_locations[0]) / TOKENIZER)


def _whole(text: str) -> list[int]:
    ids: list[int] = _tokenizer().encode(text, add_special_tokens=False).ids
    return ids


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_a_text_has_the_tokens_of_its_tokenizer(text: str) -> None:
    words = installed_model().words
    assert words.tokens(text) == _whole(text)
    assert words.count(text) == len(_whole(text))


@pytest.mark.parametrize("page", sorted(Path("docs").glob("*.md")), ids=lambda page: page.name)
def test_a_page_has_the_tokens_of_its_tokenizer(page: Path) -> None:
    text = page.read_text("utf-8")
    assert installed_model().words.tokens(text) == _whole(text)


def test_a_vocabulary_whose_pieces_go_into_the_next_word_is_not_cut_by_words() -> None:
    pieces = {piece: number for number, piece in enumerate([SPACE, "a", "b", f"a{SPACE}"])}
    tokenizer = Tokenizer(BPE(pieces, [("a", SPACE)]))
    tokenizer.normalizer = Sequence([Prepend(SPACE), Replace(" ", SPACE)])
    assert WordTokenizer(tokenizer).tokens("a b") == [pieces[SPACE], pieces[f"a{SPACE}"], pieces["b"]]


def test_no_more_words_are_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "KEPT_WORDS", 10)
    words = WordTokenizer(_tokenizer())
    text = " ".join(f"word{number}" for number in range(100))
    assert words.tokens(text) == _whole(text)
    assert len(words._kept) <= 10


def test_a_long_word_is_not_kept() -> None:
    words = WordTokenizer(_tokenizer())
    words.count("a" * 1_000)
    assert not words._kept
