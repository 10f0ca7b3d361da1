"""Office files, tables and other data."""

from __future__ import annotations

import json
from functools import partial

from tests.index.corpus.case import Case
from tests.index.office_files import docx, epub, ods, odt, paragraph, pptx, word_table, xlsx, zipped

ANNA = "- Name: Anna; City: Ulm"
_BODY = (
    paragraph("Travel costs", "H1")
    + paragraph("They are refunded.")
    + "<w:p><w:ins><w:r><w:t>An insertion.</w:t></w:r></w:ins><w:del><w:r><w:delText>Gone.</w:delText></w:r></w:del></w:p>"
    + f"<w:sdt><w:sdtContent>{paragraph('In a content control.')}</w:sdtContent></w:sdt>"
    + word_table([["Name", "City"], ["Anna", "Ulm"]])
)
_NOTEBOOK = {
    "nbformat": 4, "metadata": {},
    "cells": [
        {"cell_type": "markdown", "source": ["# The analysis\n", "Costs rose."]},
        {"cell_type": "code", "source": "# no heading\nprint(1)", "outputs": [
            {"output_type": "stream", "text": ["it is one\n"]},
            {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 100}},
            {"output_type": "execute_result", "data": {"text/html": "<table><tr><th>Name<th>City<tr><td>Anna<td>Ulm"}},
        ]},
    ],
}  # fmt: skip
_RTF = (
    r"{\rtf1\ansi\ansicpg1252{\fonttbl\f0 Arial;}{\info{\title The form}}Caf\'e9 costs 3 \u8364?.\par"
    r"{\pict\pngblip " + "89504e470d0a1a0a" * 100 + r"}"
    r"\trowd\cellx1\cellx2 Name\cell City\cell\row Anna\cell Ulm\cell\row\pard The end.}"
)
_MAIL = """From: Ann <ann@example.org>
To: bo@example.org
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=B

--B
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Die Stra=DFe ist lang.
--B
Content-Type: application/pdf
Content-Disposition: attachment; filename="costs.pdf"
Content-Transfer-Encoding: base64

JVBERi0=
--B--
"""

OFFICE = (
    Case(name="a.docx", about="headings, insertions, controls, a table", data=partial(docx, _BODY, "The rules"),
         title="The rules", lines=("# Travel costs", ANNA),
         found=("They are refunded.", "An insertion.", "In a content control."), absent=("Gone.",)),
    Case(name="a.docx", about="empty", data=partial(docx, paragraph("")), why="contains no text"),
    Case(name="a.docx", about="an old Office file", data=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), why="an old Office file"),
    Case(name="a.docx", about="text with the wrong name", data="hello", why="not what its name says"),
    Case(name="a.docx", about="another archive", data=partial(zipped, {"a.txt": "x"}), why="damaged or unsupported"),
    Case(name="a.docx", about="damaged in the middle", data=lambda: docx(_BODY)[:300], why="damaged"),
    Case(name="a.pptx", about="slides with number, title, table, notes and group", data=pptx,
         title="Travel costs", lines=("## Slide 1: Travel costs", ANNA, "## Slide 2"),
         found=("Keep every receipt", "Notes: Mention the deadline", "Text in a group")),
    Case(name="a.xlsx", about="two sheets with names, a heading above the header",
         data=partial(xlsx, {"Staff": [["All staff"], [], ["Name", "City", "Age"], ["Anna", "Ulm", 41]],
                             "Rates": [["Kind", "Euro"], ["Car", 0.3]], "Nothing": []}),
         lines=("## Staff", "- Name: Anna; City: Ulm; Age: 41", "## Rates", "- Kind: Car; Euro: 0.3"),
         found=("All staff",), absent=("Nothing",)),
    Case(name="a.xlsx", about="numbers without a header", data=partial(xlsx, {"S": [[1, 2], [3, 4]]}), lines=("- 1; 2", "- 3; 4")),
    Case(name="a.xlsx", about="damaged", data=lambda: xlsx({"S": [["a", "b"]]})[:200], why="damaged"),
    Case(name="a.ods", about="a spreadsheet", data=partial(ods, [["Name", "City"], ["Anna", "Ulm"]]), lines=("## Staff", ANNA)),
    Case(name="a.odt", about="heading, list and table", data=odt, title="Travel costs",
         lines=("# Travel costs", "- a point", ANNA), found=("They are refunded.",)),
    Case(name="a.rtf", about="escapes, a picture and a table", data=_RTF, title="The form",
         found=("Café costs 3 €.", "The end."), lines=(ANNA,), absent=("89504e",)),
    Case(name="a.rtf", about="not RTF", data="hello", why="not RTF"),
    Case(name="a.epub", about="pages in order", title="The book", metadata={"author": "Ann"},
         data=partial(epub, {"1.xhtml": "<h1>One</h1><p>first</p>", "2.xhtml": "<p>second</p>"}),
         found=("# One\n\nfirst\n\nsecond",)),
    Case(name="a.epub", about="a missing page costs that page", data=partial(epub, {"1.xhtml": "<p>first</p>"}, ["2.xhtml"]),
         found=("first",), unread=("O/2.xhtml",)),
    Case(name="a.csv", about="semicolons and quotes", data='Name;City\nAnna;"Ulm; Donau"\n', lines=("- Name: Anna; City: Ulm; Donau",)),
    Case(name="a.csv", about="a line break in a cell", data='Name,Note\nAnna,"one\ntwo"\n', lines=("- Name: Anna; Note: one two",)),
    Case(name="a.csv", about="no header", data="1,2\n3,4\n", lines=("- 1; 2", "- 3; 4")),
    Case(name="a.csv", about="Excel's first line", data="sep=|\nName|City\nAnna|Ulm\n", lines=(ANNA,)),
    Case(name="a.csv", about="Latin-1, told by all of it", data=("Name;City\n" + "Anna;Ulm\n" * 8000 + "Jürgen;Köln\n").encode("cp1252"),
         lines=("- Name: Jürgen; City: Köln",)),
    Case(name="a.tsv", about="tabs", data="Name\tCity\nAnna\tUlm\n", lines=(ANNA,)),
    Case(name="a.json", about="records and names that lead to them",
         data=json.dumps({"title": "Rates", "staff": [{"Name": "Anna", "City": "Ulm"}]}), title="Rates",
         lines=("- title: Rates", "- staff: Name: Anna; City: Ulm")),
    Case(name="a.json", about="nested deeply", data="[" * 100_000, why="nested too deeply"),
    Case(name="a.ipynb", about="text, code, output, no pictures", data=json.dumps(_NOTEBOOK), title="The analysis",
         lines=("# The analysis", ANNA), found=("```\n# no heading\nprint(1)\n```", "it is one"), absent=("iVBOR",)),
    Case(name="a.ipynb", about="no notebook", data="{}", why="not a notebook"),
    Case(name="a.xml", about="records and mixed text",
         data='<?xml version="1.0"?><list><title>Staff</title><p><Name>Anna</Name><City>Ulm</City></p><t>a <b>bold</b> word</t></list>',
         title="Staff", lines=(ANNA, "a bold word")),
    Case(name="a.xml", about="not well-formed", data="<a><b>some text</a>", found=("some text",), notes=("not well-formed",)),
    Case(name="a.xml", about="entities in entities",
         data='<!DOCTYPE a [<!ENTITY a "' + "x" * 1000 + '">' + "".join(
             f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(8)) + "]><a>&i;</a>", why="not well-formed"),
    Case(name="a.rst", about="headings, directives, roles, tables", title="The guide",
         data="=========\nThe guide\n=========\n\nSee :ref:`the rules <rules>`.\n\n.. note:: Be careful.\n\nCosts\n-----\n\n"
              "====  ====\nName  City\n====  ====\nAnna  Ulm\n====  ====\n\n.. code-block:: sh\n\n   # no heading\n\n"
              ".. image:: x.png\n   :alt: A map\n\n.. list-table::\n   :header-rows: 1\n\n   * - Kind\n     - Euro\n   * - Car\n     - 3\n",
         lines=("# The guide", "## Costs", ANNA, "- Kind: Car; Euro: 3"),
         found=("See the rules.", "Be careful.", "```sh\n# no heading\n```", "A map"), absent=("::",)),
    Case(name="a.adoc", about="headings and a table with a cell a line", title="The guide",
         data="= The guide\n:toc:\n\n== Costs\n\nRefunded.\n\n|===\n|Name |City\n\n|Anna\n|Ulm\n|===\n",
         lines=("# The guide", "## Costs", ANNA), found=("Refunded.",), absent=("|===", ":toc:")),
    Case(name="a.org", about="headings, settings and a table", title="Notes",
         data="#+TITLE: Notes\n* Costs\n** Travel\nRefunded.\n| Name | City |\n|------+------|\n| Anna | Ulm |\n",
         lines=("# Costs", "## Travel", ANNA), found=("Refunded.",), absent=("#+TITLE",)),
    Case(name="a.eml", about="encoded words, charset, attachment", data=_MAIL, title="Grüße",
         found=("From: Ann", "Die Straße ist lang."), notes=("attachments are not read", ), metadata={"to": "bo@example.org"}),
    Case(name="a.eml", about="HTML alone", data="From: a@b.de\nSubject: x\nContent-Type: text/html\n\n<p>only <b>HTML</b></p>",
         found=("only HTML",), absent=("<p>",)),
    Case(name="a.mht", about="a web page as browsers save it",
         data="From: <saved>\nSubject: Zoo\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=\"b\"\n\n"
              "--b\nContent-Type: text/html\n\n<p>only <b>HTML</b></p>\n--b--", title="Zoo", found=("only HTML",), absent=("<p>",)),
    Case(name="a.eml", about="bytes in the headers", data="From: Jürgen <a@b.de>\nSubject: Größe\n\nx".encode("cp1252"), title="Größe", found=("Jürgen",)),
    Case(name="a.eml", about="a hundred thousand receivers", data="From: a@b.de\nTo: " + "<a@b.de>," * 100_000 + "\n\nThe text.", found=("The text.",)),
    Case(name="a.mdx", about="Markdown with components", data="# Title\n\n<Note>Be careful.</Note>\n", title="Title", found=("Be careful.",)),
    Case(name="README", about="no ending", data="Just text.", found=("Just text.",)),
    Case(name="settings.toml", about="an unknown ending", data="[a]\nb = 'text'\n", found=("b = 'text'",)),
    Case(name="data.xyz", about="bytes under an unknown ending", data=b"\x00\x01\x02", why="unsupported format"),
)  # fmt: skip
