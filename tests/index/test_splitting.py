"""Splitting: chunks fit, overlap and have the headings above them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from semantic_text_splitter import MarkdownSplitter, TextSplitter

from ha_rag.errors import ConfigurationError
from ha_rag.index import Document, Splitting, splitting
from ha_rag.index.markdown_blocks import headings_of
from ha_rag.index.splitting import first_heading, split
from ha_rag.index.windows import chunks_of

SHORT = Splitting(max_tokens=40, overlap_tokens=10)
GUIDE = """# Circuits

What they are for.

## Recovery

{long}

```sh
# no heading
```

### Probes

{probes}

## Closing ##

{closing}
""".format(
    long="After its rest, a circuit lets a probe pass. " * 12,
    probes="One probe at a time, in the whole fleet. " * 8,
    closing="Two good probes close it. " * 8,
)


def _markdown(text: str) -> Document:
    return Document(id="a", text=text, title="Guide", markdown=True)


def test_a_short_document_is_one_chunk() -> None:
    (chunk,) = split(Document(id="a", text="One sentence.", title="T"))
    assert (chunk.text, chunk.title, chunk.heading) == ("One sentence.", "T", "")


def test_chunks_of_markdown_have_all_headings_above_them() -> None:
    headings = [chunk.heading for chunk in split(_markdown(GUIDE), SHORT)]
    assert "Circuits > Recovery" in headings
    assert "Circuits > Recovery > Probes" in headings
    assert headings[-1] == "Circuits > Closing"
    assert not any("no heading" in heading for heading in headings)


def test_no_chunk_is_only_a_heading() -> None:
    assert all("\n" in chunk.text or not chunk.text.startswith("#") for chunk in split(_markdown(GUIDE), SHORT))


def test_a_document_of_headings_only_keeps_them() -> None:
    assert [chunk.text for chunk in split(_markdown("# One\n\n## Two"))] == ["# One\n\n## Two"]


def test_long_text_is_split_into_overlapping_chunks_without_losing_a_word() -> None:
    words = [f"word{n}" for n in range(400)]
    chunks = split(Document(id="a", text=" ".join(words)), SHORT)
    assert len(chunks) > 10
    assert {word for chunk in chunks for word in chunk.text.split()} == set(words)
    for before, after in pairwise(chunks):
        assert set(before.text.split()) & set(after.text.split())


def test_without_the_model_s_tokenizer_characters_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "_tokenizer_file", lambda: None)
    splitting._splitter.cache_clear()
    try:
        chunks = split(Document(id="a", text="word " * 400), SHORT)
    finally:
        splitting._splitter.cache_clear()
    assert 150 < max(len(chunk.text) for chunk in chunks) <= 160


@pytest.mark.parametrize("text", ["", "  \n ", "--- *** ...", "\u200b"])
def test_a_text_without_words_has_no_chunks(text: str) -> None:
    assert split(Document(id="a", text=text)) == []


def test_a_single_endless_word_is_still_split() -> None:
    chunks = split(Document(id="a", text="x" * 20_000), Splitting(max_tokens=100, overlap_tokens=10))
    assert len(chunks) > 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_tokens": 15}, "max_tokens = 15"),
        ({"overlap_tokens": 201}, "overlap_tokens = 201"),
        ({"overlap_tokens": -1}, "-1"),
    ],
)
def test_invalid_chunk_sizes_are_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Splitting(**fields)


def test_the_first_heading_is_the_title_of_a_markdown_text() -> None:
    assert first_heading("intro\n\n## The `law` ##\n\n# Later") == "The `law`"
    assert first_heading("```\n# code\n```\nno heading") == ""


class CountingSplitter:
    """Cuts after each full stop; notes how long the texts are that it is given."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def chunk_indices(self, text: str) -> list[tuple[int, str]]:
        self.lengths.append(len(text))
        return [(found.start(), found[0]) for found in re.finditer(r"[^.]+\.?", text)]


@pytest.mark.parametrize(
    "text",
    ["x" * 500_000, "A sentence. " * 40_000, "word " * 100_000, "\n\n".join(["a line."] * 60_000), " " * 300_000],
)
def test_a_long_text_is_given_to_the_splitter_in_parts_of_bounded_total_length(text: str) -> None:
    """Its time is quadratic: a text of one letter took minutes. A part is doubled while it is one chunk."""
    splitter = CountingSplitter()

    chunks = list(chunks_of(text, splitter, 1600))

    assert sum(splitter.lengths) < 3 * len(text)
    assert [text[start : start + len(chunk)] for start, chunk in chunks] == [chunk for _, chunk in chunks]
    assert "".join(chunk for _, chunk in chunks).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "text", ["A" * 30_000, "ACGT" * 8_000, "ภาษาไทยเป็นภาษา" * 2_000], ids=["letter", "dna", "thai"]
)
def test_runs_of_letters_are_split_without_losing_one(text: str) -> None:
    chunks = split(Document(id="a", text=text), Splitting(max_tokens=400, overlap_tokens=0))
    assert "".join(chunk.text for chunk in chunks) == text


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("````\n```\n# code\n```\n# code\n````\n\n# Real\n\ntext", ["Real"]),
        ("- x\n\n  ~~~\n  # code\n  ~~~\n\n# Real\n\ntext", ["Real"]),
        ("Real\n====\n\ntext\n\nPart\n----\n\nmore", ["Real", "Part"]),
        ("```# one line```\n\n# Real\n\ntext", ["Real"]),
        ("# Real #\n\n    # code\n\ntext", ["Real"]),
    ],
)
def test_headings_are_those_of_commonmark(text: str, headings: list[str]) -> None:
    assert [heading.title for heading in headings_of(text)] == headings
    assert all(text[heading.start :].lstrip().startswith(("#", heading.title)) for heading in headings_of(text))


@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize(
    "text", [GUIDE, GUIDE * 3, "One sentence.", "  An indented line.\n", "\n\n# Title\n", "日本語。" * 300]
)
def test_tokens_that_are_counted_by_words_give_the_chunks_of_the_splitter_that_counts_them_itself(
    text: str, markdown: bool
) -> None:
    kind = MarkdownSplitter if markdown else TextSplitter
    theirs = kind.from_huggingface_tokenizer_file(str(splitting._tokenizer_file()), 400, 40)
    assert list(splitting._splitter(markdown, 400, 40).chunk_indices(text)) == theirs.chunk_indices(text)
