"""Reads PowerPoint files (.pptx) with python-pptx: each slide with its number and title, and its notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from pptx import Presentation

from ha_rag.index.reading.core_properties import core_properties
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.office_package import alternative, text_lines
from ha_rag.index.reading.tabulated import lines_of_table
from ha_rag.index.reading.xml_tree import all_named, parsed_xml
from ha_rag.index.reading.zipped import damaged, opened_zip


def read_slides(file: RawFile) -> Extract:
    """The text of a presentation. Raises UnreadableDocumentError."""
    properties = core_properties(opened_zip(file))
    try:
        slides = list(Presentation(io.BytesIO(file.data)).slides)
    except Exception as error:
        raise damaged(file, error) from error
    texts: list[str] = []
    unread: list[tuple[str, str]] = []
    for number, slide in enumerate(slides, start=1):
        try:
            texts.append("\n\n".join(_blocks(number, slide)))
        except Exception as error:
            unread.append((f"slide {number}", damaged(file, error).why))
    title = str(properties.pop("title", "")) or next((name for slide in slides[:1] if (name := _title(slide))), "")
    title = "" if title == "PowerPoint Presentation" else title
    return Extract(text="\n\n".join(texts), title=title, metadata=properties, unread=tuple(unread))


def _title(slide: Any) -> str:
    shape = slide.shapes.title
    return " ".join(shape.text_frame.text.split()) if shape is not None and shape.has_text_frame else ""


def _blocks(number: int, slide: Any) -> Iterator[str]:
    title = _title(slide)
    yield f"## Slide {number}: {title}" if title else f"## Slide {number}"
    title_id = slide.shapes.title.shape_id if slide.shapes.title is not None else None
    yield from _texts(shape for shape in slide.shapes if shape.shape_id != title_id)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        if notes:
            yield f"Notes: {notes}"
    yield from _alternatives(slide)
    yield from _comments(slide)


def _texts(shapes: Iterable[Any]) -> Iterator[str]:
    """The texts of shapes, those in groups included."""
    ahead = list(shapes)[::-1]
    while ahead:
        shape = ahead.pop()
        if hasattr(shape, "shapes"):
            ahead += list(shape.shapes)[::-1]
        elif getattr(shape, "has_table", False):
            yield "\n".join(lines_of_table(_rows(shape.table)))
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape.chart)
        elif shape.has_text_frame:
            yield from filter(None, (_paragraph(one) for one in shape.text_frame.paragraphs))
        else:
            yield from _drawn(shape)
            yield from _diagram(shape)


def _rows(table: Any) -> list[list[str]]:
    """The cells of a table. One that spans several rows stands in each of them."""
    rows = [[cell.text for cell in row.cells] for row in table.rows]
    for at, row in enumerate(table.rows):
        for column, cell in enumerate(row.cells):
            if cell.is_merge_origin:
                for below in rows[at + 1 : at + cell.span_height]:
                    below[column] = below[column] or cell.text
    return rows


def _paragraph(paragraph: Any) -> str:
    text = " ".join(paragraph.text.replace("\v", " ").split())
    return f"{'  ' * min(paragraph.level, 4)}- {text}" if text and paragraph.level else text


def _chart(chart: Any) -> Iterator[str]:
    if chart.has_title:
        yield chart.chart_title.text_frame.text
    for plot in chart.plots:
        names = [str(category) for category in plot.categories]
        for series in plot.series:
            values = zip(names, series.values, strict=False)
            yield f"- {series.name}: " + "; ".join(f"{name}: {value:g}" for name, value in values if value is not None)


def _drawn(shape: Any) -> Iterator[str]:
    """Alternative text of pictures, and the texts in drawings that python-pptx has no class for."""
    described = shape.element.xpath(".//p:cNvPr/@descr")
    yield from (text.strip() for text in described if text.strip())


def _diagram(shape: Any) -> Iterator[str]:
    """The texts of a diagram (SmartArt), which are in a part of their own."""
    for relation in shape.element.xpath(".//*[local-name()='relIds']/@r:dm"):
        yield from text_lines(parsed_xml(shape.part.related_part(relation).blob))


def _alternatives(slide: Any) -> Iterator[str]:
    """Shapes and formulas of later versions of PowerPoint, beside a picture for earlier ones."""
    for element in slide.element.xpath(".//*[local-name()='AlternateContent']"):
        chosen = alternative(element)
        lines = list(text_lines(chosen)) or ["".join(text.text or "" for text in all_named(chosen, "t"))]
        yield from filter(None, lines)


def _comments(slide: Any) -> Iterator[str]:
    for relation in slide.part.rels.values():
        if relation.reltype.endswith("/comments"):
            root = parsed_xml(relation.target_part.blob)
            texts = [one.text or "" for one in (*all_named(root, "text"), *all_named(root, "t"))]
            yield from (f"Comment: {text}" for text in texts if text.strip())
