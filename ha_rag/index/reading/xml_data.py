"""Reads XML of any vocabulary: records as one list item each, everything else as paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded, tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.html import page_text
from ha_rag.index.reading.xml_tree import parsed_xml

LONGEST_FIELD = 500
_TITLES = frozenset({"title", "head", "heading", "name"})
_MARKUP = re.compile(r"</(?:p|div|li|a|b|i|strong|em|h[1-6]|td|span|ul|ol)>|<(?:br|p)\s*/?>", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,300}\?>")


def read_xml(file: RawFile) -> Extract:
    """The text of an XML file. Raises UnreadableDocumentError."""
    found = decoded(file)
    # What XML does not allow has been replaced by spaces.
    source, left_out = without_blobs(_DECLARATION.sub("", found.text.lstrip("\ufeff")))
    notices = (*found.notices, *left_out)
    try:
        root = parsed_xml(source)
    except (ElementTree.ParseError, ValueError) as error:
        notice = f"is not well-formed XML ({error}); read as a web page instead"
        page = page_text(source)
        if not page.text or "<!ENTITY" in source:
            raise UnreadableDocumentError(file.name, f"not well-formed XML ({error})") from error
        return Extract(text=page.text, title=page.title, notices=(*notices, notice), unread=page.unread)
    if _name(root) == "html":
        return page_text(source)
    title = next((_flat(element) for element in root if _name(element) in _TITLES), "")
    text = "\n\n".join(_blocks(root))
    return Extract(text=tidy(text), title=title[:LONGEST_FIELD], notices=notices, guessed=found.guessed)


def _blocks(root: ElementTree.Element) -> Iterator[str]:
    ahead: list[ElementTree.Element | str] = [root]
    while ahead:
        element = ahead.pop()
        if isinstance(element, str):
            yield element
        elif callable(element.tag):
            continue  # a comment or a processing instruction
        elif _is_record(element):
            yield "- " + "; ".join(
                [*_attributes(element), *(f"{_name(child)}: {_flat(child)}" for child in element if _flat(child))]
            )
        elif len(element) == 0 or _is_mixed(element):
            attributes, words = _attributes(element), _flat(element)
            text = "; ".join(filter(None, [*attributes, words]))
            if text:
                yield text if words else f"- {text}"
        else:
            if text := "; ".join(_attributes(element)):
                yield text
            ahead += reversed(list(element))


def _is_record(element: ElementTree.Element) -> bool:
    """Whether an element holds nothing but fields: two or more elements without elements in them."""
    return (
        len(element) > 1
        and all(len(child) == 0 for child in element)
        and not _is_mixed(element)
        and (
            all(len(child.text or "") <= LONGEST_FIELD for child in element)
            and len({child.tag for child in element}) > 1
        )
    )


def _is_mixed(element: ElementTree.Element) -> bool:
    """Whether an element has text of its own between its elements."""
    return (
        bool((element.text or "").strip() or any((child.tail or "").strip() for child in element)) and len(element) > 0
    )


def _attributes(element: ElementTree.Element) -> list[str]:
    """Attributes that say something: words, not identifiers and addresses. All, if an element has nothing else."""
    alone = len(element.attrib) > 1 and len(element) == 0 and not (element.text or "").strip()
    return [
        f"{name.rpartition('}')[2]}: {_without_markup(value)}"
        for name, value in element.attrib.items()
        if value.strip() and (alone or (" " in value.strip() and "://" not in value))
    ]


def _flat(element: ElementTree.Element) -> str:
    return _without_markup("".join(element.itertext()))


def _without_markup(text: str) -> str:
    """Text on one line. Feeds and exports hold the text of web pages with its mark-up."""
    if _MARKUP.search(text):
        text = page_text(text).text
    return " ".join(text.split())


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]
