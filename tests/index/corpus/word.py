"""Word files: everything that has text, however the file is made."""

from __future__ import annotations

from functools import partial

from tests.index.corpus.case import Case
from tests.index.office_files import (
    DIAGRAM,
    W,
    docx,
    merged_word_table,
    paragraph,
    relation_of,
    renamed,
    with_parts,
    word_table,
)

ANNA = "- Name: Anna; City: Ulm"
_TABLE = word_table([["Name", "City"], ["Anna", "Ulm"]])
_MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
_STRICT = ("schemas.openxmlformats.org/wordprocessingml/2006/main", "purl.oclc.org/ooxml/wordprocessingml/main")


def _runs(*runs: str) -> str:
    return f"<w:p>{''.join(runs)}</w:p>"


def _run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def _field(kind: str) -> str:
    return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'


_NUMBERING = (
    f'<w:numbering {W}><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
    '</w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="4"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)


def _item(text: str, level: int) -> str:
    return f'<w:p><w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="4"/></w:numPr></w:pPr>{_run(text)}</w:p>'


def _note(kind: str) -> dict[str, str]:
    return {f"word/{kind}s.xml": f'<w:{kind}s {W}><w:{kind} w:id="2">{paragraph(f"the {kind}")}</w:{kind}></w:{kind}s>'}


_BOX = f"<w:pict><v:textbox xmlns:v='urn:v'><w:txbxContent>{paragraph('in a box')}</w:txbxContent></v:textbox></w:pict>"

WORD = (
    Case(name="a.docx", about="the strict kind", data=lambda: renamed(docx(paragraph("Some text") + _TABLE), str, _STRICT),
         found=("Some text",), lines=(ANNA,)),
    Case(name="a.dotm", about="a template with macros", data=partial(docx, paragraph("Template text")), found=("Template text",)),
    Case(name="a.docx", about="formulas", found=("The area is A=b·h", "a/bcd"),
         data=lambda: docx(_runs(_run("The area is "), f"<m:oMath {_MATH}><m:r><m:t>A=b·h</m:t></m:r></m:oMath>") + _runs(
             f"<m:oMathPara {_MATH}><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>bcd</m:t></m:r></m:den></m:f></m:oMathPara>"))),
    Case(name="a.docx", about="page headers and footers, each once", found=("The body.\n\nAcme letterhead\n\nTax number 42/17",),
         data=lambda: with_parts(docx(paragraph("The body.")), {
             **{f"word/header{n}.xml": f"<w:hdr {W}>{paragraph('Acme letterhead')}</w:hdr>" for n in (1, 2)},
             "word/footer1.xml": f"<w:ftr {W}>{paragraph('Tax number 42/17')}</w:ftr>"})),
    Case(name="a.docx", about="a diagram", data=lambda: with_parts(docx(paragraph("body")), {"word/diagrams/data1.xml": DIAGRAM}),
         found=("Step one: apply",)),
    Case(name="a.docx", about="notes and comments, below what they are about", found=("Costs rise\n\nthe footnote\n\nthe endnote\n\nthe comment\n\nend",),
         data=lambda: with_parts(docx(_runs(_run("Costs rise"), *(f'<w:r><w:{kind}Reference w:id="2"/></w:r>' for kind in (
             "footnote", "endnote", "comment"))) + paragraph("end")), {**_note("footnote"), **_note("endnote"), **_note("comment")})),
    Case(name="a.docx", about="cells over several rows", data=lambda: docx(merged_word_table()),
         lines=("- Kind: Car; Rate: one", "- Kind: Car; Rate: two")),
    Case(name="a.docx", about="a row above the header that names the table", lines=(ANNA,), found=("Staff of 2025",),
         data=lambda: docx(word_table([["Staff of 2025", ""], ["Name", "City"], ["Anna", "Ulm"]]))),
    Case(name="a.docx", about="a table in a table", data=lambda: docx(f"<w:tbl><w:tr><w:tc>{paragraph('outer')}{_TABLE}</w:tc></w:tr></w:tbl>"),
         lines=("outer", ANNA)),
    Case(name="a.docx", about="numbered and nested lists", lines=("1. one", "  - inner", "2. two"),
         data=lambda: with_parts(docx(_item("one", 0) + _item("inner", 1) + _item("two", 0)), {"word/numbering.xml": _NUMBERING})),
    Case(name="a.docx", about="a heading by its level in the outline", title="Costs", lines=("## Costs",),
         data=lambda: docx(f'<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr>{_run("Costs")}</w:p>')),
    Case(name="a.docx", about="fields and links", found=("the linked words", "simple field"), absent=("HYPERLINK",),
         data=lambda: docx(_runs(_field("begin"), '<w:r><w:instrText>HYPERLINK "x"</w:instrText></w:r>', _field("separate"),
                                 _run("the linked words"), _field("end"), f"<w:fldSimple>{_run(' simple field')}</w:fldSimple>"))),
    Case(name="a.docx", about="what was moved, tags and hyphens", found=("smart custom moved to one\u2011two",), absent=("moved from",),
         data=lambda: docx(_runs(f"<w:smartTag>{_run('smart ')}</w:smartTag><w:customXml>{_run('custom ')}</w:customXml>",
                                 f"<w:moveTo>{_run('moved to ')}</w:moveTo><w:moveFrom>{_run('moved from')}</w:moveFrom>",
                                 "<w:r><w:t>one</w:t><w:noBreakHyphen/><w:t>two</w:t></w:r>"))),
    Case(name="a.docx", about="a box that is there twice, for old and new programs", lines=("in a box",),
         data=lambda: docx(_runs(f"<mc:AlternateContent xmlns:mc='urn:mc'><mc:Choice>{_BOX}</mc:Choice><mc:Fallback>{_BOX}</mc:Fallback></mc:AlternateContent>"))),
    Case(name="a.docx", about="a file in the file", found=("words of a page", "body"),
         data=lambda: with_parts(docx('<w:altChunk r:id="r9" xmlns:r="urn:r"/>' + paragraph("body")), {
             "word/page.html": "<p>words of a page</p>", "word/_rels/document.xml.rels": relation_of("aFChunk", "page.html", "r9")})),
    Case(name="a.docx", about="a file in the file that is not there", found=("body",), unread=("is damaged or not there",),
         data=lambda: docx('<w:altChunk r:id="r9" xmlns:r="urn:r"/>' + paragraph("body"))),
    Case(name="A plan.DOCX", about="capital letters and blanks in its name", data=partial(docx, paragraph("Some text")), found=("Some text",)),
    Case(name="a.docx", about="backslashes in the names of its parts", data=lambda: renamed(docx(paragraph("Some text")), lambda name: name.replace("/", "\\")),
         found=("Some text",)),
    Case(name="a.docx", about="zeros at its end", data=lambda: docx(paragraph("Some text")) + bytes(1000), found=("Some text",)),
    Case(name="a.docx", about="parts that are damaged cost only themselves", found=("Some text",), unread=("footnotes.xml: is damaged", "header1.xml: is damaged"),
         data=lambda: with_parts(docx(paragraph("Some text")), {"word/footnotes.xml": "<broken", "word/header1.xml": ""})),
    Case(name="a.docx", about="encrypted", data=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), why="protected by a password"),
)  # fmt: skip
