"""Small PDFs, made by hand."""

from __future__ import annotations

import io
from collections.abc import Mapping

from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DecodedStreamObject,
    DictionaryObject,
    EncodedStreamObject,
    NameObject,
    NumberObject,
    PdfObject,
    TextStringObject,
)


def pdf(*pages: str, title: str = "", password: str = "", attached: str = "") -> bytes:
    """A PDF with one line of text on each page. `attached`: the name of a file in it."""
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(200, 200)
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(content)
    if attached:
        writer.add_attachment(attached, b"x")
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    data = io.BytesIO()
    writer.write(data)
    return data.getvalue()


def long_pdf(pieces: int) -> bytes:
    """A small PDF whose only page has this many pieces of text: it takes seconds to read."""
    writer = PdfWriter(clone_from=io.BytesIO(pdf("x")))
    content = DecodedStreamObject()
    content.set_data(b"BT /F1 12 Tf " + b"(x) Tj " * pieces + b"ET")
    writer.pages[0][NameObject("/Contents")] = writer._add_object(content.flate_encode())
    data = io.BytesIO()
    writer.write(data)
    return data.getvalue()


def line(x: int, y: int, text: str) -> str:
    """An instruction that shows text at a place on a page."""
    return f"BT /F1 12 Tf {x} {y} Td ({text}) Tj ET\n"


def drawn_pdf(*pages: str, font: DictionaryObject | None = None, algorithm: str = "", damaged: int = -1) -> bytes:
    """A PDF whose pages have these instructions.

    `algorithm`: encrypts it with an owner's password alone. `damaged`: a page whose content cannot be decompressed.
    """
    writer = PdfWriter()
    for at, instructions in enumerate(pages):
        page = writer.add_blank_page(600, 800)
        fonts = DictionaryObject({NameObject("/F1"): font if font is not None else _helvetica()})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        content = DecodedStreamObject() if at != damaged else EncodedStreamObject()
        content._data = instructions.encode("latin-1") if at != damaged else b"not compressed, whatever it says"
        if at == damaged:
            content[NameObject("/Filter")] = NameObject("/FlateDecode")
        page[NameObject("/Contents")] = writer._add_object(content)
    if algorithm:
        writer.encrypt("", "owner", algorithm=algorithm)
    data = io.BytesIO()
    writer.write(data)
    return data.getvalue()


def _helvetica() -> DictionaryObject:
    return DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
            NameObject("/Encoding"): NameObject("/WinAnsiEncoding"),
        }
    )


def font_without_mapping() -> DictionaryObject:
    """A font whose codes are numbers of glyphs, with nothing that says which characters these show."""
    name = NameObject("/ABCDEF+Odd")
    numbers = [NumberObject(0)] * 4
    descriptor = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/FontDescriptor"),
            NameObject("/FontName"): name,
            NameObject("/Flags"): NumberObject(4),
            NameObject("/FontBBox"): ArrayObject(numbers),
        }
    )
    system = {"/Registry": TextStringObject("Adobe"), "/Ordering": TextStringObject("Identity")}
    descendant = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/CIDFontType2"),
            NameObject("/BaseFont"): name,
            NameObject("/FontDescriptor"): descriptor,
            NameObject("/CIDSystemInfo"): DictionaryObject({NameObject(key): value for key, value in system.items()}),
        }
    )
    return DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type0"),
            NameObject("/BaseFont"): name,
            NameObject("/Encoding"): NameObject("/Identity-H"),
            NameObject("/DescendantFonts"): ArrayObject([descendant]),
        }
    )


def form_pdf(*, xfa: bool = False) -> bytes:
    """A PDF with a field that is filled in. `xfa`: its form is described in XML, which few programs show."""
    writer = PdfWriter(clone_from=io.BytesIO(pdf("The form")))
    field = _annotation(
        "/Widget", {"/FT": NameObject("/Tx"), "/T": TextStringObject("Surname"), "/V": TextStringObject("Smith")}
    )
    reference = writer._add_object(field)
    writer.pages[0][NameObject("/Annots")] = ArrayObject([reference])
    form = DictionaryObject({NameObject("/Fields"): ArrayObject([reference])})
    if xfa:
        form[NameObject("/XFA")] = ArrayObject(
            [TextStringObject("template"), writer._add_object(DecodedStreamObject())]
        )
        writer._root_object[NameObject("/NeedsRendering")] = BooleanObject(True)
    writer._root_object[NameObject("/AcroForm")] = form
    return _written(writer)


def annotated_pdf() -> bytes:
    """A PDF with a remark and a note that was typed on its page."""
    writer = PdfWriter(clone_from=io.BytesIO(pdf("The page")))
    notes = {"/Text": "A remark", "/FreeText": "A typed note"}
    writer.pages[0][NameObject("/Annots")] = ArrayObject(
        [writer._add_object(_annotation(kind, {"/Contents": TextStringObject(text)})) for kind, text in notes.items()]
    )
    return _written(writer)


def _annotation(kind: str, values: Mapping[str, PdfObject]) -> DictionaryObject:
    place = ArrayObject([NumberObject(edge) for edge in (10, 10, 100, 30)])
    fixed = {
        NameObject("/Type"): NameObject("/Annot"),
        NameObject("/Subtype"): NameObject(kind),
        NameObject("/Rect"): place,
    }
    return DictionaryObject(fixed | {NameObject(name): value for name, value in values.items()})


def _written(writer: PdfWriter) -> bytes:
    data = io.BytesIO()
    writer.write(data)
    return data.getvalue()


def turned_pdf(*lines: str) -> bytes:
    """A PDF with a page in landscape: it is turned, and so is its text."""
    shown = (f"BT /F1 12 Tf 0 1 -1 0 {100 + 15 * at} 100 Tm ({text}) Tj ET\n" for at, text in enumerate(lines))
    writer = PdfWriter(clone_from=io.BytesIO(drawn_pdf("".join(shown))))
    writer.pages[0].rotate(90)
    return _written(writer)
