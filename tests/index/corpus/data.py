"""Delimited values, JSON, XML, notebooks and mail, as programs and people write them; and names that are wrong."""

from __future__ import annotations

import base64
import json
import plistlib
from functools import partial

from tests.index.corpus.case import Case
from tests.index.office_files import docx, epub, paragraph, xlsx
from tests.index.pdfs import pdf

ANNA = "- Name: Anna; City: Ulm"
_BASE64 = base64.b64encode(bytes(range(256)) * 40).decode()
_PAGE = "<html><body><table><tr><th>Name<th>City<tr><td>Anna<td>Ulm</table></body></html>"
_SHEET = (
    '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet><Table><Row><Cell>'
    "<Data>Anna</Data></Cell><Cell><Data>Ulm</Data></Cell></Row></Table></Worksheet></Workbook>"
)


def _notebook(*cells: object) -> str:
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": cells})


def _mail(kind: str, *parts: str) -> str:
    head = f"From: a@b.de\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary=B\n\n"
    return head + "".join(f"--B\n{part}\n" for part in parts) + "--B--\n"


_TEXT, _HTML = "Content-Type: text/plain\n\n{}", "Content-Type: text/html\n\n<p>{}</p>"
_PDF = "Content-Type: application/pdf; name=x.pdf\nContent-Disposition: attachment; filename=x.pdf\n\nx"
_FOLDER = "".join(
    f"From ann@b.de Mon Jan  1 00:00:00 2024\nFrom: a@b.de\nSubject: {name}\n\nwords of {name}\n\n"
    for name in ("One", "Two")
)

TABLES = (
    Case(name="a.csv", about="years as names of columns", data="Region,2023,2024\nSouth,10,12\n", lines=("- Region: South; 2023: 10; 2024: 12",)),
    Case(name="a.csv", about="a heading above the header", data="Sales report\n\nName,City\nAnna,Ulm\n", found=("Sales report",), lines=(ANNA,)),
    Case(name="a.csv", about="remarks above the header", data="# made on 2024-01-02\n# by the shop\nName,City\nAnna,Ulm\n", lines=(ANNA,)),
    Case(name="a.csv", about="a quote that nothing closes", data='Name,City\nBo,"6 inch\nAnna,Ulm\n', lines=(ANNA,), found=("6 inch",)),
    Case(name="a.csv", about="inches", data='Name,Size\nBolt,6"\nNut,"8"""\n', lines=('- Name: Bolt; Size: 6"', '- Name: Nut; Size: 8"')),
    Case(name="a.csv", about="two tables", data="Name,City\nAnna,Ulm\n\nProduct,Price\nPen,2\n", lines=(ANNA, "- Product: Pen; Price: 2")),
    Case(name="a.csv", about="a name that two columns have", data="Name,Tag,Tag\nAnna,red,blue\n", lines=("- Name: Anna; Tag: red; Tag: blue",)),
    Case(name="a.csv", about="names of columns without values", data="Name,City,Fax\nAnna,Ulm,\n", lines=(ANNA, "- Fax")),
    Case(name="a.csv", about="one column", data="Name\nAnna\nBo\n", lines=("- Name: Anna", "- Name: Bo")),
    Case(name="a.csv", about="a header alone", data="Name,City\n", lines=("- Name; City",)),
    Case(name="a.csv", about="prose", data="This is a note, written by Ann, about nothing.\nIt goes on, and on.\n", found=("about nothing",)),
    Case(name="a.csv", about="UTF-16, as Excel writes it", data="Name\tCity\nAnna\tUlm\n".encode("utf-16"), lines=(ANNA,)),
    Case(name="a.csv", about="old line ends", data="Name,City\rAnna,Ulm\r", lines=(ANNA,)),
    Case(name="a.tab", about="tabs", data="Name\tCity\nAnna\tUlm\n", lines=(ANNA,)),
    Case(name="a.psv", about="bars", data="Name|City\nAnna|Ulm\n", lines=(ANNA,)),
    Case(name="a.tsv", about="a quote that is an inch", data='Name\tSize\nBolt\t"6 inch\nNut\t8\n', lines=("- Name: Nut; Size: 8",)),
)  # fmt: skip

VALUES = (
    Case(name="a.json", about="JSON lines", data='{"Name":"Anna","City":"Ulm"}\n{"Name":"Bo"}\n', lines=(ANNA,)),
    Case(name="tsconfig.json", about="remarks and commas at the end", data='{\n  // the target\n  "target": "es2022",\n}\n', found=("es2022",),
         notes=("is not valid JSON",)),
    Case(name="a.json", about="cut short", data='{"Name": "Anna", "City": "Ul', found=("Anna",), notes=("is not valid JSON",)),
    Case(name="a.json", about="nothing", data="{", why="contains no text"),
    Case(name="a.json", about="rows under the names of columns", data='{"columns":["Name","City"],"data":[["Anna","Ulm"],["Bo","Bern"]]}',
         lines=("- data: Name: Anna; City: Ulm",)),
    Case(name="a.json", about="rows below their header", data='[["Name","City"],["Anna","Ulm"]]', lines=(ANNA,)),
    Case(name="a.json", about="numbers of any size stay as they are", data='{"Name": "Anna", "n": ' + "1" * 5000 + ', "x": 1.50}', found=("Anna", "1" * 5000, "1.50")),
    Case(name="a.json", about="a picture", data=json.dumps({"name": "Anna", "picture": _BASE64}), found=("Anna",), absent=(_BASE64[:60],), notes=("encoded",)),
    Case(name="a.ipynb", about="a cell without a text, a formula", found=("kept", "$E=mc^2$"),
         data=_notebook({"cell_type": "markdown", "source": None}, {"cell_type": "markdown", "source": "kept"},
                        {"cell_type": "code", "source": "f()", "outputs": [{"output_type": "display_data", "data": {"text/latex": "$E=mc^2$"}}]})),
    Case(name="a.xml", about="attributes alone", data='<staff><p Name="Anna" City="Ulm"/><p Name="Bo" City="Bern"/></staff>', lines=(ANNA,)),
    Case(name="a.rss", about="a feed with mark-up in its texts", found=("Hello you", "Bye you"), absent=("<p>", "<title>"),
         data="<rss><channel><title>News</title><item><title>One</title><description>&lt;p&gt;Hello &lt;b&gt;you&lt;/b&gt;&lt;/p&gt;</description></item>"
              "<item><title>Two</title><description><![CDATA[<p>Bye <b>you</b></p>]]></description></item></channel></rss>"),
    Case(name="a.xml", about="entities of HTML", data="<a><p>caf&eacute;&nbsp;au lait</p></a>", found=("café",), notes=("not well-formed",)),
    Case(name="a.xml", about="a control character", data="<a><p>one\x01two</p></a>", found=("one two",)),
    Case(name="a.plist", about="a list of properties", data=plistlib.dumps({"Name": "Anna"}), found=("Name", "Anna"), absent=("<key>",)),
)  # fmt: skip

MAIL = (
    Case(name="a.eml", about="several pages, and a file between them", data=_mail("mixed", _HTML.format("first"), _PDF, _HTML.format("second")),
         found=("first", "second"), notes=("x.pdf",)),
    Case(name="a.eml", about="the same text twice", data=_mail("alternative", _TEXT.format("plain words"), _HTML.format("plain words")),
         found=("plain words",), absent=("<p>", "plain words\n\nplain words")),
    Case(name="a.eml", about="a plain text that says nothing", data=_mail("alternative", _TEXT.format("Use HTML."), _HTML.format("The news. " * 30)),
         found=("The news.",), absent=("Use HTML.",)),
    Case(name="a.eml", about="a message in the message", found=("see below", "Subject: The inner one", "inner words"),
         data=_mail("mixed", _TEXT.format("see below"), "Content-Type: message/rfc822\n\nFrom: c@d.de\nSubject: The inner one\n\ninner words")),
    Case(name="a.eml", about="an invitation", data=_mail("mixed", _TEXT.format("please come"), "Content-Type: text/calendar\n\nSUMMARY:Budget meeting"),
         found=("please come", "Budget meeting")),
    Case(name="a.eml", about="no boundary at all", data=_mail("mixed").replace("--B--", "the text"), found=("the text",)),
    Case(name="a.eml", about="a mark", data="\ufeffFrom: a@b.de\nSubject: x\n\nthe text\n", found=("the text",)),
    Case(name="a.eml", about="an unknown encoding", found=("Grüße aus Köln",),
         data=b"From: a@b.de\nSubject: x\nContent-Type: text/plain; charset=x-none\n\nGr\xfc\xdfe aus K\xf6ln, wir fahren \xfcber die Br\xfccke"),
    Case(name="a.mbox", about="a folder", data=_FOLDER, lines=("## One", "## Two"), found=("words of One", "words of Two")),
    Case(name="a.mbox", about="no folder", data="hello", why="not a mail folder"),
)  # fmt: skip

WRONG_NAMES = (
    Case(name="a.xls", about="a web page", data=_PAGE, lines=(ANNA,), notes=("read as a web page",)),
    Case(name="a.xls", about="a table of text", data="Name\tCity\nAnna\tUlm\n", lines=(ANNA,), notes=("read as a table of text",)),
    Case(name="a.xls", about="XML of Excel 2003", data=_SHEET, found=("Anna", "Ulm"), notes=("read as XML",)),
    Case(name="a.xls", about="a newer workbook", data=partial(xlsx, {"S": [["Name", "City"], ["Anna", "Ulm"]]}), lines=(ANNA,)),
    Case(name="a.csv", about="a workbook", data=partial(xlsx, {"S": [["Name", "City"], ["Anna", "Ulm"]]}), lines=(ANNA,), notes=("a spreadsheet",)),
    Case(name="a.doc", about="RTF", data=r"{\rtf1\ansi words in it\par}", found=("words in it",)),
    Case(name="a.doc", about="an old Office file", data=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), why="old Office file"),
    Case(name="a.docx", about="a web page", data="<!DOCTYPE html><p>words in it", found=("words in it",), notes=("read as a web page",)),
    Case(name="a.pdf", about="what a server said instead", data="<html><body>404 not found</body></html>", found=("404 not found",), notes=("a web page",)),
    Case(name="a.txt", about="a PDF", data=partial(pdf, "words of a page"), found=("words of a page",), notes=("read as PDF",)),
    Case(name="report", about="a PDF without an ending", data=partial(pdf, "words of a page"), found=("words of a page",)),
    Case(name="book", about="a book without an ending", data=partial(epub, {"1.xhtml": "<p>words of a book</p>"}), found=("words of a book",)),
    Case(name="plan", about="a Word file without an ending", data=partial(docx, paragraph("words of a plan")), found=("words of a plan",)),
    Case(name="a.txt", about="a page that shows its source", data="<html><b>words</b></html>", found=("<b>words</b>",)),
    Case(name="a.srt", about="subtitles", data="1\n00:00:01,000 --> 00:00:02,000\nHello there\n", found=("Hello there",)),
)  # fmt: skip
