"""Mark-up of other kinds: HTML in Markdown, front matter, reStructuredText, AsciiDoc, Org and RTF."""

from __future__ import annotations

import base64
import random

from tests.index.corpus.case import Case

ANNA = "- Name: Anna; City: Ulm"
_BLOB = base64.b64encode(random.Random(1).randbytes(30_000)).decode()
_LONG_LIST = "---\ntitle: Costs\nids:\n" + "".join(f"  - {n}\n" for n in range(20_000)) + "---\nText.\n"

IN_MARKDOWN = (
    Case(name="a.md", about="images in HTML", found=("See the map here.", "`<img src=x>`"), absent=("map.png",),
         data='See <img src="map.png" width=3 alt="the map"> here.\n\n`<img src=x>`\n'),
    Case(name="a.md", about="an image in HTML as data", data=f'See <img src="data:image/png;base64,{_BLOB}" alt="the map"> here.\n',
         found=("the map",), absent=(_BLOB[:40],), notes=("encoded data in 1 place",)),
    Case(name="a.md", about="a block of HTML with headings, in the middle", title="The tool",
         data="<div align=center>\n<h1>The tool</h1>\n<img src=logo.png alt='the logo'>\n</div>\n\nText.\n", found=("the logo", "Text."), absent=("<h1>", "logo.png")),
    Case(name="a.md", about="a table in HTML", data="<table><tr><th>Name</th><th>City</th></tr>\n<tr><td>Anna</td><td>Ulm</td></tr></table>\n", lines=(ANNA,)),
    Case(name="a.md", about="remarks", data="before <!-- a secret --> it\n\n<!--\na secret\n\n-->\n\nafter\n", found=("before  it", "after"), absent=("secret",)),
    Case(name="a.md", about="a remark that is not closed", data="before\n\n<!-- a secret\n\nafter\n", found=("before", "after")),
    Case(name="a.md", about="details", data="<details><summary>More</summary>\n\nHidden **words**\n\n</details>\n", found=("More", "Hidden **words**")),
    Case(name="a.md", about="an alt text with brackets", data="![the [big] map](map.png) after\n", found=("the [big] map after",)),
    Case(name="a.md", about="an image in a link", data="[![the state](b.svg)](http://x) text\n", found=("the state",), absent=("b.svg",)),
    Case(name="a.md", about="front matter after a mark, with other line ends", data="\ufeff---\r\ntitle: Costs\r\n---\r\nText.\r\n", title="Costs", absent=("title",)),
    Case(name="a.md", about="front matter in JSON", data='{\n  "title": "Costs",\n  "tags": ["x"]\n}\n\nText.\n', title="Costs", absent=("tags",),
         metadata={"tags": ["x"]}),
    Case(name="a.md", about="JSON that is no front matter", data='{\n  "colour": "red"\n}\n\nText.\n', found=('"colour": "red"',)),
    Case(name="a.md", about="front matter with a long list", data=_LONG_LIST, title="Costs", absent=("  - 19",)),
    Case(name="a.md", about="front matter that is not closed", data="---\ntitle: Costs\n\nText.\n", found=("Text.",)),
    Case(name="a.md", about="front matter that would run code", data="---\ntitle: !!python/object/apply:os.system ['x']\n---\nText.\n", found=("Text.",),
         absent=("os.system",)),
    Case(name="a.html", about="front matter in a page", data="---\ntitle: Costs\nlayout: post\n---\n<h1>Top</h1>", title="Costs", absent=("layout",)),
)  # fmt: skip

OUTLINES = (
    Case(name="a.rst", about="footnotes and citations", data="Text [1]_.\n\n.. [1] The note,\n   and more.\n.. [CIT] Smith, The book.\n",
         found=("The note,", "and more.", "Smith, The book.")),
    Case(name="a.rst", about="text for some formats alone", data=".. only:: html\n\n   Shown in html.\n\nAfter.\n", found=("Shown in html.", "After."), absent=("only",)),
    Case(name="a.rst", about="a remark of several lines", data=".. A remark\n   that goes on.\n\nText.\n", found=("Text.",), absent=("goes on",)),
    Case(name="a.adoc", about="code", title="The guide", data="= The guide\n\n[source,sh]\n----\n# no heading\n== none\n----\n", lines=("```sh", "# no heading", "== none")),
    Case(name="a.adoc", about="a list without a heading", data="Intro\n\n* first item\n", lines=("* first item",)),
    Case(name="a.adoc", about="remarks, images, blocks and links", data="= T\n\n// a remark\n////\nhidden\n////\n\nimage::map.png[The map]\n\n.Rules\n[NOTE]\n====\nInside.\n====\n\n"
         "https://x.org[the page] and <<ref,the part>>.\n", found=("The map", "Rules", "Inside.", "the page and the part."), absent=("remark", "hidden", "map.png", "====")),
    Case(name="a.adoc", about="a table with styles of cells", data='[cols="1,2"]\n|===\n|Name |City\n\n|Anna\na|Ulm\n|===\n', lines=(ANNA,)),
    Case(name="a.adoc", about="a table of delimited values", data=",===\nName,City\nAnna,Ulm\n,===\n", lines=(ANNA,)),
    Case(name="a.asc", about="the ending of signatures", data="= The guide\n\n== Costs\n\nRefunded.\n", lines=("## Costs",), found=("Refunded.",)),
    Case(name="a.org", about="code, remarks, drawers and links", data="#+TITLE: Notes\n# a remark\n* DONE Costs :money:\n:PROPERTIES:\n:ID: 12\n:END:\nSee [[https://x.org][the page]].\n"
         "#+begin_src sh\n# no heading\n* no heading\n#+end_src\n: as it is\n", title="Notes", lines=("# Costs", "See the page.", "```sh", "# no heading", "* no heading", "as it is"),
         absent=("remark", ":ID:", ":money:")),
    Case(name="a.org", about="a block that is not closed", data="#+begin_src sh\necho\n* Costs\nText.\n", found=("Text.",)),
    Case(name="a.rtf", about="notes, headers, deleted and hidden text", found=("Body", "the note", "Letterhead"), absent=("gone", "hidden"),
         data=r"{\rtf1\ansi{\header Letterhead\par}Body{\footnote the note} text {\deleted gone}{\v hidden}.\par}"),
    Case(name="a.rtf", about="characters of other fonts and of two halves", found=("経費", "😀", "€100"), title="Grüße",
         data=r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset128 MS;}}{\info{\title Gr\'fc\'dfe}}\f0 \'8c\'6f\'94\'ef \u-10179?\u-8704? {\uc0\u8364 }100\par}"),
    Case(name="a.rtf", about="a picture as bytes", data=b"{\\rtf1\\ansi before {\\pict\\bin4 \x01\x02\x03\x04} after\\par}", found=("before", "after")),
)  # fmt: skip

ODD_TEXT = (
    Case(name="a.log", about="zero bytes after a crash", data=b"before it\n" + bytes(32_000) + b"after it\n", found=("before it", "after it"), notes=("32,000 zero bytes",)),
    Case(name="a.txt", about="one zero byte", data=b"text\0more", found=("textmore",), notes=("1 zero byte is left out",)),
    Case(name="a.log", about="colours of a terminal", data=b"\x1b[32mINFO\x1b[0m started\n", found=("INFO started",)),
    Case(name="a.txt", about="a page break", data="one\ftwo", found=("one two",)),
    Case(name="notes.unknown", about="UTF-16 without a mark", data="Zebras graze in the savanna.".encode("utf-16-le"), found=("Zebras graze",)),
    Case(name="a.py", about="a declared encoding", data="# -*- coding: latin-1 -*-\n# Grüße\n".encode("latin-1"), found=("Grüße",)),
    Case(name="a.html", about="names of encodings that browsers know", data=b'<meta charset="iso-8859-8-i"><p>' + "שלום".encode("iso8859-8"), found=("שלום",)),
    Case(name="a.html", about="an encoding declared far below", data=("<!--" + "x" * 5000 + '--><meta charset="windows-1251"><p>').encode() + "Расходы".encode("cp1251"),
         found=("Расходы",)),
)  # fmt: skip
