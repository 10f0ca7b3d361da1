"""Small files of Office programs and other packages, made by code."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import odfdo
import xlsxwriter
from pptx import Presentation
from pptx.util import Inches

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """A zip archive with these parts."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return data.getvalue()


def paragraph(text: str, style: str = "") -> str:
    """A paragraph of a Word file."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def word_table(rows: Sequence[Sequence[str]]) -> str:
    """A table of a Word file."""
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def docx(body: str, title: str = "") -> bytes:
    """A Word file, whose styles `H1` and `H2` are headings."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="H{level}"><w:name w:val="heading {level}"/></w:style>'
        for level in (1, 2)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/></Types>',
        "_rels/.rels": _relation("officeDocument", "word/document.xml"),
        "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
        "word/_rels/document.xml.rels": _relation("styles", "styles.xml"),
    }
    if title:
        parts["docProps/core.xml"] = (
            '<c:coreProperties xmlns:c="urn:c" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<dc:title>{title}</dc:title><dc:creator>Ann</dc:creator></c:coreProperties>"
        )
    return zipped(parts)


def _relation(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" Type="{_OFFICE}/{kind}" '
        f'Target="{target}"/></Relationships>'
    )


def pptx() -> bytes:
    """Two slides: one with title, points, a table and notes, and one with a group of loose text."""
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "Travel costs"
    slide.placeholders[1].text = "Keep every receipt"
    slide.notes_slide.notes_text_frame.text = "Mention the deadline"
    table = slide.shapes.add_table(2, 2, 0, 0, Inches(3), Inches(1)).table
    for at, text in enumerate(["Name", "City", "Anna", "Ulm"]):
        table.cell(at // 2, at % 2).text = text
    loose = presentation.slides.add_slide(presentation.slide_layouts[6])
    loose.shapes.add_group_shape().shapes.add_textbox(0, 0, 100, 100).text_frame.text = "Text in a group"
    data = io.BytesIO()
    presentation.save(data)
    return data.getvalue()


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """A workbook with these sheets."""
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True}) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    return data.getvalue()


def ods(rows: Sequence[Sequence[str]], name: str = "Staff") -> bytes:
    """An OpenDocument spreadsheet."""
    document = odfdo.Document("spreadsheet")
    document.body.clear()
    table = odfdo.Table(name, width=len(rows[0]), height=len(rows))
    table.set_values(rows)
    document.body.append(table)
    return _saved(document)


def odt() -> bytes:
    """An OpenDocument text with a heading, a list and a table."""
    document = odfdo.Document("text")
    document.body.clear()
    table = odfdo.Table("T", width=2, height=2)
    table.set_values([["Name", "City"], ["Anna", "Ulm"]])
    for part in (
        odfdo.Header(1, "Travel costs"),
        odfdo.Paragraph("They are refunded."),
        odfdo.List(["a point"]),
        table,
    ):
        document.body.append(part)
    return _saved(document)


def _saved(document: odfdo.Document) -> bytes:
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def epub(pages: Mapping[str, str], missing: Sequence[str] = ()) -> bytes:
    """A book with these pages; the package also lists the missing ones."""
    names = [*pages, *missing]
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<container><rootfile full-path='O/book.opf'/></container>",
            "O/book.opf": '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The book</dc:title>'
            f"<dc:creator>Ann</dc:creator></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>",
            **{f"O/{name}": page for name, page in pages.items()},
        }
    )


def with_parts(data: bytes, parts: Mapping[str, str | bytes]) -> bytes:
    """A package with these parts in addition to, or instead of, its own."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({**{name: archive.read(name) for name in archive.namelist()}, **parts})


def renamed(data: bytes, change: Callable[[str], str], replace: tuple[str, str] = ("", "")) -> bytes:
    """A package with other names of its parts, and a text in them replaced by another one."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    return zipped({change(name): text.replace(*replace) if replace[0] else text for name, text in parts.items()})


def relation_of(kind: str, target: str, identity: str = "r1") -> str:
    """The relations of a part to one other part."""
    return _relation(kind, target).replace('"r1"', f'"{identity}"')


def merged_word_table() -> str:
    """A table of a Word file whose first cell goes on in the row below."""
    return "<w:tbl>{}</w:tbl>".format(
        "".join(
            f"<w:tr><w:tc><w:tcPr>{merge}</w:tcPr>{paragraph(kind)}</w:tc><w:tc>{paragraph(rate)}</w:tc></w:tr>"
            for kind, rate, merge in [
                ("Kind", "Rate", ""),
                ("Car", "one", '<w:vMerge w:val="restart"/>'),
                ("", "two", "<w:vMerge/>"),
            ]
        )
    )


DIAGRAM = (
    '<d:dataModel xmlns:d="urn:d" xmlns:a="urn:a"><d:pt><d:t><a:p><a:r><a:t>Step one: apply</a:t></a:r></a:p></d:t>'
    "</d:pt></d:dataModel>"
)
"""The part of a diagram (SmartArt) with its texts."""


def slides(build: Callable[[Any], None]) -> bytes:
    """A presentation whose slides `build` adds."""
    presentation = Presentation()
    build(presentation)
    data = io.BytesIO()
    presentation.save(data)
    return data.getvalue()


def workbook(build: Callable[[Any], None]) -> bytes:
    """A workbook whose sheets `build` adds."""
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True}) as made:
        build(made)
    return data.getvalue()


_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_ODF_NAMES = " ".join(
    [f'xmlns:{name}="{_ODF}:{name}:1.0"' for name in ("office", "text", "table", "presentation", "style", "manifest")]
    + [f'xmlns:draw="{_ODF}:drawing:1.0" xmlns:svg="{_ODF}:svg-compatible:1.0"']
)


def opendocument(kind: str, body: str, styles: str = "", *, encrypted: bool = False) -> bytes:
    """An OpenDocument file. `kind`: "text" or "presentation". `body` and `styles`: elements."""
    mime = f"application/vnd.oasis.opendocument.{kind}"
    encryption = "<manifest:encryption-data/>" if encrypted else ""
    return zipped(
        {
            "mimetype": mime,
            "META-INF/manifest.xml": f"<manifest:manifest {_ODF_NAMES}>"
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
            f'<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml">{encryption}'
            "</manifest:file-entry></manifest:manifest>",
            "content.xml": f"<office:document-content {_ODF_NAMES}><office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>",
            "styles.xml": f"<office:document-styles {_ODF_NAMES}>{styles}</office:document-styles>",
            "meta.xml": f"<office:document-meta {_ODF_NAMES}><office:meta/></office:document-meta>",
        }
    )


def flat_opendocument(kind: str, body: str) -> str:
    """The same as one XML document."""
    return (
        f'<?xml version="1.0"?><office:document {_ODF_NAMES} '
        f'office:mimetype="application/vnd.oasis.opendocument.{kind}">'
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>"
    )


def opendocument_table(*rows: Sequence[str]) -> str:
    """A table; a cell that begins with `<` is an element of its own."""
    cells = (
        "".join(
            cell if cell.startswith("<table:") else f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>"
            for cell in row
        )
        for row in rows
    )
    lines = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    return f'<table:table table:name="Staff">{lines}</table:table>'
