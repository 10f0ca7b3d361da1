"""The HTML in Markdown: blocks of it are read as pages are, images leave their alt text, and comments nothing."""

from __future__ import annotations

import re

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.html import page_text

_BLOCK = re.compile(r"\s*<(?:!--|/?[a-z])")
"""Names that begin with a capital letter are those of components in MDX, whose attributes may hold text."""
_IMAGE = re.compile(r"<img\b([^<>]{0,4000})>", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]{0,1000})"|'([^']{0,1000})'|([^\s"'<>]{1,200}))""", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.{0,10000}?-->", re.DOTALL)


def block_text(html: str) -> str:
    """A block of HTML as Markdown; the block as it is if part of it would be lost."""
    if not _BLOCK.match(html):
        return html
    try:
        page = page_text(html, first_row_is_header=True)
    except UnreadableDocumentError:
        return html
    return html if page.unread else f"{page.text}\n"


def without_inline_html(text: str) -> str:
    """Text of a paragraph in which images and comments are replaced."""
    return _COMMENT.sub("", _IMAGE.sub(_alt_of, text)) if "<" in text else text


def _alt_of(image: re.Match[str]) -> str:
    alt = _ALT.search(image[1])
    return next(filter(None, alt.groups()), "") if alt else ""
