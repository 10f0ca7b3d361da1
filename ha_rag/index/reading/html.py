"""Reads HTML as Markdown, from the tree that browsers build (the parser is Lexbor)."""

from __future__ import annotations

import re
from html import escape

from selectolax.lexbor import LexborHTMLParser

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded, tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.front_matter import split_front_matter
from ha_rag.index.reading.html_text import html_as_markdown

DEEPEST = 5_000
"""Elements in one another; browsers flatten pages at 512. The parser takes time quadratic in the depth."""
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "p", "li",
     "td", "th", "tr", "dt", "dd", "option", "thead", "tbody", "tfoot", "colgroup", "optgroup", "rt", "rp", "body",
     "html", "head", "frame", "param"}
)  # fmt: skip
"""Elements without an end tag, or whose end tag may be left out: they do not nest in themselves."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]{0,30})")
_CLOSED_AT_ONCE = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)([a-zA-Z][\w:-]{0,30})([^<>]*)/>"
)
_SWALLOWING = ("script", "style", "title", "iframe", "template", "textarea")
_METADATA = {"author": "author", "description": "description", "keywords": "keywords", "date": "date",
             "article:published_time": "date", "dc.date": "date", "dc.creator": "author"}  # fmt: skip


def read_html(file: RawFile) -> Extract:
    """The text of a page. Raises UnreadableDocumentError."""
    found = decoded(file)
    # Generators such as Jekyll have front matter in pages, too.
    front, source = split_front_matter(found.text) if found.text.startswith("---\n") else ({}, found.text)
    html, left_out = without_blobs(source)
    extract = page_text(html)
    title = str(front.get("title") or "") or extract.title
    return Extract(
        text=extract.text, title=title, metadata={**extract.metadata, **front}, unread=extract.unread,
        notices=(*found.notices, *left_out), guessed=found.guessed,
    )  # fmt: skip


def page_text(html: str, *, first_row_is_header: bool = False) -> Extract:
    """The title and the text of a page. Raises UnreadableDocumentError.

    `first_row_is_header`: in tables that do not mark a header, too, as word processors write them.
    """
    if _depth(html) > DEEPEST:
        raise UnreadableDocumentError("", f"its elements are nested more than {DEEPEST:,} deep")
    html = _without_cdata(html)
    if "<?xml" in html[:200] or "http://www.w3.org/1999/xhtml" in html[:2000]:
        html = _CLOSED_AT_ONCE.sub(r"<\1\2></\1>", html)
    # A lone surrogate is not valid UTF-8; character references may still produce control characters.
    page = LexborHTMLParser(html.encode("utf-8", "replace").decode())
    title = page.css_first("head > title") or page.css_first("title")
    text, first_heading = html_as_markdown(page, first_row_is_header=first_row_is_header)
    return Extract(
        text=tidy(text), title=" ".join(tidy((title and title.text()) or first_heading).split()),
        metadata=_metadata(page), unread=tuple(_swallowed(html)),
    )  # fmt: skip


def _metadata(page: LexborHTMLParser) -> dict[str, object]:
    found: dict[str, object] = {}
    for meta in page.css("head > meta"):
        name = (meta.attributes.get("name") or meta.attributes.get("property") or "").lower()
        content = tidy(meta.attributes.get("content") or "").strip()
        if name in _METADATA and content:
            found.setdefault(_METADATA[name], content[:1000])
    return found


def _swallowed(html: str) -> list[tuple[str, str]]:
    """What browsers do not show because an element or comment before it is not closed."""
    lower = html.lower()
    starts = [(lower.rfind(f"<{tag}"), lower.rfind(f"</{tag}"), f"<{tag}>") for tag in _SWALLOWING]
    starts.append((lower.rfind("<!--"), lower.rfind("-->"), "<!--"))
    open_ones = [
        (start, name) for start, end, name in starts if start > end and any(map(str.isalnum, html[start + 12 :]))
    ]
    if not open_ones:
        return []
    start, name = min(open_ones)
    size = len(html) - start
    return [(f"the last {size:,} characters", f"they follow a {name} that is not closed, so browsers do not show them")]


def _depth(html: str) -> int:
    depth = deepest = 0
    for close, tag in _TAG.findall(html):
        if tag.lower() not in _VOID:
            depth = max(0, depth - 1) if close else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _without_cdata(html: str) -> str:
    """`html` with CDATA sections as plain text, as in XHTML."""
    parts: list[str] = []
    end = 0
    while (start := html.find("<![CDATA[", end)) >= 0 and (close := html.find("]]>", start)) >= 0:
        parts += [html[end:start], escape(html[start + 9 : close], quote=False)]
        end = close + 3
    return "".join(parts) + html[end:]
