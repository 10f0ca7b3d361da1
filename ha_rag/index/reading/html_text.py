"""The text of a page's tree, as Markdown: headings, lists, quotes, code and tables are kept, links are not."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ha_rag.index.reading.html_tables import data_lines, layout_tables
from ha_rag.index.reading.markdown_writer import LINE_BREAK, MarkdownWriter
from ha_rag.index.reading.tree import descendants

_NO_TEXT = frozenset({"script", "style", "head", "rp", "datalist"})
_BLOCKS = frozenset(
    {"address", "article", "aside", "body", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt", "fieldset",
     "figcaption", "figure", "footer", "form", "header", "hgroup", "html", "legend", "main", "menu", "ol", "p",
     "section", "summary", "table", "tbody", "thead", "tfoot", "tr", "ul", "nav", "hr", "caption", "object", "noscript",
     "optgroup", "option", "select", "canvas", "template"}
)  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_CODE = frozenset({"pre", "xmp", "listing", "plaintext"})
_SVG_NO_TEXT = frozenset({"title", "style", "script", "metadata"})
_INNER_PAGE = frozenset({"iframe", "noframes"})
DEEPEST_PAGE = 3
"""Pages in one another."""
_FIELDS_WITH_TEXT = frozenset({"text", "search", "submit", "button", "reset", "number", "date", "tel"})
_PROSE = "main, article, p, table, pre, blockquote, h1"


def html_as_markdown(page: LexborHTMLParser, *, first_row_is_header: bool = False) -> tuple[str, str]:
    """The text, and the first heading or "". `first_row_is_header`: in tables that do not mark a header, too."""
    walk = _PageText(page, first_row_is_header=first_row_is_header)
    walk.read(page.root)
    return walk.writer.written(), walk.first_heading


class _PageText:
    """One walk over a page."""

    def __init__(self, page: LexborHTMLParser, *, first_row_is_header: bool, depth: int = 0) -> None:
        self._depth = depth
        self._first_row_is_header = first_row_is_header
        self.writer = MarkdownWriter()
        self.first_heading = ""
        self._layout = layout_tables(page)
        self._lists: list[int | None] = []  # the number of the next item; None where items have none

    def read(self, root: LexborNode | None) -> None:
        """Writes all that is below `root`."""
        beyond: int | None = None
        for node, entered in descendants(root):
            if beyond is not None:
                # Inside something whose text is dropped, or was written as a whole.
                beyond = None if not entered and node.mem_id == beyond else beyond
            elif not entered:
                self._leave(node)
            elif not self._enter(node) and node.is_element_node:
                beyond = node.mem_id

    def _enter(self, node: LexborNode) -> bool:
        """Writes what begins with `node`; False if nothing in it is to be read."""
        tag = node.tag or ""
        if tag == "-text":
            self.writer.text(node.text_content or "")
        elif tag in _INNER_PAGE:
            self._inner_page(node)
            return False
        elif tag in _NO_TEXT or (tag == "nav" and _is_menu(node)):
            return False
        elif tag in _CODE:
            self.writer.code(node.text())
            return False
        elif tag == "table" and node.mem_id not in self._layout:
            self._data_table(node)
            return False
        elif tag == "svg":
            return self._svg(node)
        elif tag == "template":
            return self._template(node)
        else:
            self._begin(tag, node)
        return True

    def _begin(self, tag: str, node: LexborNode) -> None:
        writer = self.writer
        if tag in _HEADINGS:
            writer.heading(_HEADINGS[tag])
            self.first_heading = self.first_heading or " ".join(node.text().split())[:500]
        elif tag == "br":
            writer.text(LINE_BREAK)
        elif tag in ("img", "area"):
            writer.text(f" {node.attributes.get('alt') or ''} ")
        elif tag == "input":
            writer.text(f" {_value(node)} ")
        elif tag in ("ul", "ol"):
            writer.end_block()
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            writer.enter(self._marker(), "  ")
        elif tag == "blockquote":
            writer.enter("> ", "> ")
        elif tag in ("td", "th") or tag in _BLOCKS:
            writer.end_block()

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in ("li", "blockquote"):
            self.writer.leave()
        elif tag in ("ul", "ol"):
            self.writer.end_block()
            self._lists.pop()
        elif tag in _BLOCKS or tag in _HEADINGS or tag in ("td", "th"):
            self.writer.end_block()
        elif tag == "svg":
            self.writer.text(" ")

    def _marker(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "- "
        self._lists[-1] = number + 1
        return f"{number}. "

    def _data_table(self, table: LexborNode) -> None:
        caption = table.css_first("caption")
        if caption is not None:
            self.writer.end_block()
            self.writer.text(caption.text())
        self.writer.lines(data_lines(table, first_row_is_header=self._first_row_is_header))

    def _svg(self, svg: LexborNode) -> bool:
        """The labels of a drawing, and what a page wrongly has in it."""
        for node, entered in descendants(svg):
            parent = node.parent.tag if node.parent is not None else ""
            if entered and node.tag == "-text" and parent not in _SVG_NO_TEXT:
                self.writer.text(f" {node.text_content or ''} ")
        return False

    def _inner_page(self, node: LexborNode) -> None:
        """A page in a frame, or what is shown instead of frames."""
        inner = node.text() if node.tag == "noframes" else node.attributes.get("srcdoc") or ""
        if inner.strip() and self._depth < DEEPEST_PAGE:
            page = LexborHTMLParser(inner)
            walk = _PageText(page, first_row_is_header=self._first_row_is_header, depth=self._depth + 1)
            walk.read(page.root)
            self.writer.lines(filter(None, walk.writer.written().split("\n")))

    def _template(self, template: LexborNode) -> bool:
        """What is in a template is not on the page, unless it is the shadow of an element."""
        if template.attributes.get("shadowrootmode") is not None:
            for fragment in template.template_fragments():
                self.writer.end_block()
                self.writer.text(fragment.text(separator=" "))
        return False


def _value(field: LexborNode) -> str:
    """The text that is in a field of a form."""
    kind = (field.attributes.get("type") or "text").lower()
    return (field.attributes.get("value") or "") if kind in _FIELDS_WITH_TEXT else ""


def _is_menu(nav: LexborNode) -> bool:
    """Whether a `nav` holds links alone: an unclosed one may hold the whole page."""
    return nav.css_first(_PROSE) is None
