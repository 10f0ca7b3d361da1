"""Reads Markdown: front matter becomes metadata, images leave their alt text, and table rows repeat their header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it.token import Token

from ha_rag.index.markdown_blocks import blocks_of, first_heading_of, lines_of
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.front_matter import split_front_matter
from ha_rag.index.reading.markdown_html import block_text, without_inline_html
from ha_rag.index.reading.tables import table_lines

_IMAGE = re.compile(
    r"!\[((?:[^\]\[]|\[[^\]\[]{0,200}\]){0,1000})\](?:\([^()]{0,2000}(?:\([^()]{0,500}\)[^()]{0,500})?\)|\[[^\]]{0,200}\])?"
)
_CODE_SPAN = re.compile(r"(`+)(?!`)[^`]{0,2000}(?<!`)\1(?!`)")
_SHOWN = re.compile(r"!\[|<img\b|<!--", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6} (.{1,500})$", re.MULTILINE)
_PREFIX = re.compile(r"[ \t>]*")


def read_markdown(file: RawFile) -> Extract:
    """The text of a Markdown file. Raises UnreadableDocumentError."""
    found = decoded(file)
    metadata, body = split_front_matter(found.text)
    text, left_out = without_blobs(body)
    text, heading = simplified(text)
    title = str(metadata.get("title") or "") or heading
    return Extract(
        text=text, title=title, metadata=metadata, notices=(*found.notices, *left_out), guessed=found.guessed
    )


def simplified(text: str) -> tuple[str, str]:
    """Markdown with images replaced by their alt text and tables by rows that repeat the header; its first heading."""
    lines = lines_of(text)
    tokens = blocks_of(text)
    replaced: dict[int, tuple[int, str]] = {}
    in_html: tuple[int, str] | None = None
    for at, token in enumerate(tokens):
        if token.map is None:
            continue
        start, end = token.map
        if token.type == "table_open":
            prefix = _PREFIX.match(lines[start])
            rows = _rows(tokens, at)
            made = "\n".join(f"{prefix[0] if prefix else ''}{line}" for line in table_lines(rows[1:], rows[0]))
            replaced[start] = (end, f"{made}\n")
        elif token.type == "html_block":
            prefix = _PREFIX.match(lines[start]) if token.level else None
            made = block_text(token.content).rstrip("\n")
            found = _HEADING.search(made)
            in_html = in_html or (start, found[1]) if found else in_html
            replaced[start] = (end, "".join(f"{prefix[0] if prefix else ''}{line}\n" for line in made.split("\n")))
        elif token.type == "inline" and _SHOWN.search(token.content) and start not in replaced:
            replaced[start] = (end, _without_images("".join(lines[start:end])))
    heading = next(((token.map[0]) for token in tokens if token.type == "heading_open" and token.map), len(lines))
    title = in_html[1] if in_html and in_html[0] < heading else first_heading_of(tokens)
    return "".join(_with(lines, replaced)), title


def _with(lines: Sequence[str], replaced: dict[int, tuple[int, str]]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        end, text = replaced.get(at, (at + 1, lines[at]))
        yield text
        at = max(end, at + 1)


def _rows(tokens: Sequence[Token], at: int) -> list[list[str]]:
    """The cells of the table that starts with the token `at`; the first row is the header."""
    rows: list[list[str]] = []
    for token in tokens[at:]:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_without_images(token.content))
    return rows


def _without_images(text: str) -> str:
    """Paragraph text with each image replaced by its alt text; code spans are left alone."""
    parts: list[str] = []
    end = 0
    for code in _CODE_SPAN.finditer(text):
        parts += [_without_markup(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join(parts) + _without_markup(text[end:])


def _without_markup(text: str) -> str:
    return without_inline_html(_IMAGE.sub(r"\1", text))
