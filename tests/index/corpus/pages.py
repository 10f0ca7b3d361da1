"""HTML and PDF."""

from __future__ import annotations

from functools import partial

from tests.index.corpus.case import Case
from tests.index.pdfs import annotated_pdf, drawn_pdf, font_without_mapping, form_pdf, line, pdf, turned_pdf

ANNA = "- Name: Anna; City: Ulm"
_COLUMNS = "".join(
    line(50, 700 - 15 * n, f"left column line {n} of the prose")
    + line(320, 700 - 15 * n, f"right column line {n} of it all")
    for n in range(8)
)
_CELLS = "".join(line(50, 700 - 15 * n, f"Person {n}") + line(320, 700 - 15 * n, f"Room {n}") for n in range(8))
_LARGE_IMAGE = "q 600 0 0 800 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q\n"
_IMAGE = "q 100 0 0 100 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q"
_GLYPHS = "BT /F1 12 Tf 50 700 Td <002400250026002700280029002A002B002C> Tj ET"

HTML = (
    Case(name="a.html", about="no end of the head", data="<head><title>T</title><h1>Top</h1><p>The body.", title="T",
         lines=("# Top", "The body.")),
    Case(name="a.html", about="an end of the head that is missing before a body", data="<head><title>T</title><body>The body.",
         found=("The body.",)),
    Case(name="a.html", about="text in an object", data="<object data=x>inside <p>a paragraph</p></object> after",
         found=("inside", "a paragraph", "after")),
    Case(name="a.html", about="an object that is not closed", data="<object><p>one</p><p>two", found=("one", "two")),
    Case(name="a.html", about="a nav that is not closed", data="<nav><a>menu</a><h1>Top</h1><p>The page.", found=("Top", "The page.")),
    Case(name="a.html", about="a menu", data="<nav><a>menu</a></nav><p>The page.", found=("The page.",), absent=("menu",)),
    Case(name="a.html", about="an svg that is not closed", data="<svg><title>icon</title><p>The page.", found=("The page.",), absent=("icon",)),
    Case(name="a.html", about="text in a drawing", data="<svg><text>label</text><style>x</style></svg>", found=("label",), absent=("x",)),
    Case(name="a.html", about="a script that is not closed", data="<p>before<script>var x; <p>after it", found=("before",),
         unread=("<script>",)),
    Case(name="a.html", about="a comment that is not closed", data="<p>before<!-- a <p>after it", found=("before",), unread=("<!--",)),
    Case(name="a.html", about="without JavaScript", data="<noscript><p>The page.</p></noscript>", found=("The page.",)),
    Case(name="a.html", about="self-closing elements of XHTML", found=("The page.", "a < b"),
         data='<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script src="x"/><p>The page. <![CDATA[a < b]]></p></html>'),
    Case(name="a.html", about="a table of data", data="<table><tr><th>Name<th>City<tr><td>Anna<td>Ulm</table>", lines=(ANNA,)),
    Case(name="a.html", about="cells over several rows", lines=("- Kind: Car; Rate: 1", "- Kind: Car; Rate: 2"),
         data="<table><tr><th>Kind<th>Rate<tr><td rowspan=2>Car<td>1<tr><td>2</table>"),
    Case(name="a.html", about="a table for the layout", lines=("# Top", "side"),
         data="<table><tr><td><h1>Top</h1><table><tr><td>inner</table><td>side</table>"),
    Case(name="a.html", about="lists and code", data="<ol><li>one<ul><li>two</ul></ol><pre># a\n b</pre>",
         lines=("1. one", "  - two", "# a", " b")),
    Case(name="a.html", about="an alt text", data='<p>see <img alt="the map" src="data:image/png;base64,' + "iVBORw0K" * 50 + '">',
         found=("see the map",), notes=("encoded data in 1 place",)),
    Case(name="a.html", about="UTF-8 is declared, one byte is bad", found=("Die Straße �", "führt"), notes=("1 byte is not valid utf-8",),
         data="<meta charset=utf-8><p>Die Straße ".encode() + b"\x92" + " führt".encode()),
    Case(name="a.html", about="an encoding is declared", data="<meta charset=windows-1251><p>Расходы".encode("cp1251"), found=("Расходы",)),
    Case(name="a.html", about="what old browsers showed instead of frames", found=("The words",),
         data="<html><frameset><frame src=a><noframes><body><p>The words</p></body></noframes></frameset></html>"),
    Case(name="a.html", about="a page in a page", data='<iframe srcdoc="<p>inner words</p>">old browsers</iframe><p>outer', found=("inner words", "outer")),
    Case(name="a.html", about="text in a video, a map and fields", found=("instead of it", "the office", "Anna"), absent=("token",),
         data="<video><p>instead of it</p></video><map><area alt='the office'></map><input value=Anna><input type=hidden value=token>"),
    Case(name="a.html", about="text beside the cells of a table", data="<table><tr><td>cell</table><table>stray<tr><td>x</table>", found=("cell", "stray")),
    Case(name="a.html", about="a zero byte", data=b"<p>one\0two</p>", found=("onetwo",), notes=("1 zero byte",)),
    Case(name="a.html", about="nested too deeply to parse", data="<div>" * 30_000 + "x", why="nested more than"),
    Case(name="a.html", about="nested deeply", data="<div>" * 4_000 + "deep down", found=("deep down",)),
)  # fmt: skip

PDF = (
    Case(name="a.pdf", about="one page cannot be decompressed", data=partial(drawn_pdf, line(50, 700, "page one"), "", line(50, 700, "page three"), damaged=1),
         found=("page one", "page three"), unread=("page 2: is damaged",)),
    Case(name="a.pdf", about="a page with an image alone", data=partial(drawn_pdf, line(50, 700, "page one"), _IMAGE),
         found=("page one",), unread=("page 2: contains no text, perhaps only an image",)),
    Case(name="a.pdf", about="a scan", data=partial(drawn_pdf, _IMAGE), why="perhaps only an image"),
    Case(name="a.pdf", about="an empty page", data=partial(drawn_pdf, line(50, 700, "page one"), ""), found=("page one",)),
    Case(name="a.pdf", about="hyphens at line ends", found=("The reimbursement is paid in Berlin-Mitte.",),
         data=partial(drawn_pdf, line(50, 700, "The reimburse-") + line(50, 685, "ment is paid in Berlin-") + line(50, 670, "Mitte."))),
    Case(name="a.pdf", about="AES without a password", data=partial(drawn_pdf, line(50, 700, "secret text"), algorithm="AES-256"),
         found=("secret text",)),
    Case(name="a.pdf", about="AES-128 without a password", data=partial(drawn_pdf, line(50, 700, "secret text"), algorithm="AES-128"),
         found=("secret text",)),
    Case(name="a.pdf", about="a password", data=lambda: pdf("secret", password="sesame"), why="protected by a password"),
    Case(name="a.pdf", about="columns whose lines alternate", data=partial(drawn_pdf, _COLUMNS),
         found=("left column line 1 of the prose\nleft column line 2", "right column line 1 of it all\nright column line 2")),
    Case(name="a.pdf", about="a table keeps its rows", data=partial(drawn_pdf, _CELLS), lines=("Person 3 Room 3",)),
    Case(name="a.pdf", about="a font without a mapping", data=lambda: drawn_pdf(_GLYPHS, font=font_without_mapping()),
         why="do not say which characters they show"),
    Case(name="a.pdf", about="a form", data=form_pdf, found=("The form", "Surname: Smith")),
    Case(name="a.pdf", about="remarks and typed notes", data=annotated_pdf, found=("The page", "A remark", "A typed note")),
    Case(name="a.pdf", about="a file in it", data=partial(pdf, "The page", attached="costs.xlsx"), found=("The page",), notes=("costs.xlsx",)),
    Case(name="a.pdf", about="a form that only Adobe's programs show", data=partial(form_pdf, xfa=True), found=("The form",), unread=("its form",)),
    Case(name="a.pdf", about="a hyphen at the end of a page", found=("The reimbursement is paid.",),
         data=partial(drawn_pdf, line(50, 700, "The reimburse-"), line(50, 700, "ment is paid."))),
    Case(name="a.pdf", about="a scan with a number on its page", data=partial(drawn_pdf, _LARGE_IMAGE + line(300, 20, "7")), found=("7",),
         notes=("page 1: has an image and hardly any text",)),
    Case(name="a.pdf", about="a scan with recognised text", data=partial(drawn_pdf, _LARGE_IMAGE + "BT 3 Tr /F1 12 Tf 50 700 Td (words that were recognised in the picture) Tj ET"),
         found=("words that were recognised",)),
    Case(name="a.pdf", about="bytes before and after it", data=lambda: b"junk\n" + pdf("text") + bytes(500), found=("text",)),
    Case(name="a.pdf", about="a turned page", data=partial(turned_pdf, "first line", "second line", "third line"), lines=("first line", "second line", "third line")),
    Case(name="a.pdf", about="cut short", data=lambda: pdf("text")[:200], why="damaged"),
)  # fmt: skip
