"""Encodings, Markdown and encoded data."""

from __future__ import annotations

import base64
import random

from tests.index.corpus.case import Case

ANNA = "- Name: Anna; City: Ulm"
_GERMAN = "Der Prüfer Jürgen Müller fährt über die Brücke nach Köln.\n" * 20
_BYTES = random.Random(1).randbytes(300_000)
_BLOB = base64.b64encode(_BYTES).decode()
_LINES = base64.encodebytes(_BYTES[:3000]).decode()
_DNA = "".join(random.Random(2).choices("ACGT", k=2000))
_KATAKANA = "ｱｲｳ".encode("cp932")
"""In Latin-1 these bytes are "±²³"."""

ENCODINGS = (
    Case(name="a.txt", about="one stray byte in UTF-8", data=_GERMAN.encode() + b"\x92", found=("Prüfer Jürgen",), absent=("Ã",),
         notes=("1 byte is not valid UTF-8 and replaced by �",)),
    Case(name="a.txt", about="ASCII with one byte of Windows-1252", data=b"We don\x92t pay late fees.", found=("don’t",)),
    Case(name="a.txt", about="68 KB of ASCII, then Windows-1252", data=b"plain words\n" * 6000 + "Größe über Äpfel für Köln\n".encode("cp1252") * 3,
         found=("Größe über Äpfel",)),
    Case(name="a.txt", about="UTF-16 without a mark", data="Zebras graze.\n".encode("utf-16-le"), found=("Zebras graze.",)),
    Case(name="a.txt", about="UTF-32 with a mark", data="Zebras graße.\n".encode("utf-32"), found=("Zebras graße.",)),
    Case(name="a.txt", about="UTF-8 with a mark", data="\ufeffZebras".encode(), found=("Zebras",)),
    Case(name="a.txt", about="a byte in UTF-8 that has one letter beyond ASCII", data="Prüfer geht. ".encode() + b"It\x92s fine.",
         found=("Prüfer geht. It’s fine.",), notes=("is UTF-8, but not in 1 place",)),
    Case(name="a.txt", about="UTF-8 and Windows-1252, as of two logs", data=_GERMAN.encode() + _GERMAN.encode("cp1252"), found=(_GERMAN * 2,),
         notes=("is UTF-8, but not in 140 places",)),
    Case(name="a.txt", about="seven-bit Japanese, as in e-mails", data="出張の費用は払い戻されます。".encode("iso2022_jp"), found=("出張の費用",)),
    Case(name="a.txt", about="DOS", data=_GERMAN.encode("cp850"), found=("Prüfer Jürgen",), notes=("read as cp",)),
    Case(name="a.txt", about="Latin-1 German", data="Die Straße führt über die Brücke.".encode("latin-1"), found=("Straße führt",)),
    Case(name="a.txt", about="Latin-1 French", data="la réunion du comité".encode("latin-1"), found=("réunion du comité",)),
    Case(name="a.txt", about="Windows-1250", data="Zażółć gęślą jaźń, proszę o zwrot kosztów.".encode("cp1250"), found=("Zażółć gęślą",)),
    Case(name="a.txt", about="Windows-1251", data="Расходы возмещаются в течение месяца.".encode("cp1251"), found=("Расходы возмещаются",)),
    Case(name="a.txt", about="KOI8-R", data="Расходы возмещаются в течение месяца.".encode("koi8-r"), found=("Расходы возмещаются",)),
    Case(name="a.txt", about="Shift-JIS", data="出張の費用は払い戻されます。".encode("cp932"), found=("出張の費用",)),
    Case(name="a.txt", about="a short Shift-JIS text", data="経費精算".encode("cp932"), found=("経費精算",)),
    Case(name="a.txt", about="EUC-JP", data="出張の費用は払い戻されます。".encode("euc_jp"), found=("出張の費用",)),
    Case(name="a.txt", about="GB 18030", data="报销单据应在三十天之内提交给财务部。".encode("gb18030"), found=("报销单据",)),
    Case(name="a.txt", about="Big5", data="報銷單據應在三十天之內提交給財務部。".encode("big5"), found=("報銷單據",)),
    Case(name="a.txt", about="Thai", data="ค่าเดินทางจะได้รับคืนภายในสามสิบวัน".encode("cp874"), found=("ค่าเดินทาง",)),
    Case(name="a.txt", about="doubtful, beside Japanese files", data=_KATAKANA, beside={"b.txt": "全角ｱｲｳｴｵと漢字".encode()},
         found=("ｱｲｳ",), notes=("the other files of its folder",)),
    Case(name="a.txt", about="doubtful, beside files with such signs", data=_KATAKANA, beside={"b.txt": "5 m² ± 1 m³".encode()},
         found=("±²³",), notes=("the other files of its folder",)),
    Case(name="a.txt", about="doubtful, by itself", data=_KATAKANA, notes=("but could be", "save it as UTF-8")),
    Case(name="a.txt", about="doubtful, with a setting", data=_KATAKANA, encoding="shift_jis", found=("ｱｲｳ",)),
    Case(name="a.txt", about="bytes", data=bytes(range(256)) * 20, why="binary data"),
)  # fmt: skip

MARKDOWN = (
    Case(name="a.md", about="front matter in YAML", title="Costs: a guide", absent=("tags", "2025"), found=("Text.",),
         data="---\ntitle: 'Costs: a guide'\ndate: 2025-01-02\ntags: [a, b]\n---\nText.\n",
         metadata={"title": "Costs: a guide", "date": "2025-01-02", "tags": ["a", "b"]}),
    Case(name="a.md", about="front matter that is not quite YAML", title="Costs: a guide", data="---\ntitle: Costs: a guide\n---\nText.\n",
         found=("Text.",), absent=("title",)),
    Case(name="a.md", about="front matter in TOML", title="Costs", data='+++\ntitle = "Costs"\n+++\nText.\n', found=("Text.",), absent=("title",)),
    Case(name="a.md", about="a rule is not front matter", data="---\n\nFirst part.\n\n---\n\nSecond part.\n", found=("First part.", "Second part.")),
    Case(name="a.md", about="aliases that expand", data="---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\nText.\n", found=("Text.",)),
    Case(name="a.md", about="a heading in a fence", title="The real one", data="```\n# no heading\n```\n\n# The real one\n"),
    Case(name="a.md", about="a fence in a longer one", title="The real one", data="````\n```\n# no heading\n```\n# none either\n````\n# The real one\n"),
    Case(name="a.md", about="a fence of tildes in an item", title="The real one", data="- x\n\n  ~~~\n  # no heading\n  ~~~\n\n# The real one\n"),
    Case(name="a.md", about="code in one line", title="The real one", data="```# no fence```\n\n# The real one\n"),
    Case(name="a.md", about="indented code", title="The real one", data="    # no heading\n\n# The real one\n"),
    Case(name="a.md", about="an underlined heading", title="The real one", data="The real one\n============\n\ntext\n"),
    Case(name="a.md", about="images leave their alt text", found=("See the map here and the plan.", "`![code](x)`"), absent=("map.png",),
         data="See ![the map](map.png \"t\") here and ![the plan][p].\n\n`![code](x)`\n\n[p]: plan.png\n"),
    Case(name="a.md", about="an image as data", data=f"# Note\n\n![the map](data:image/png;base64,{_BLOB})\n\nText after it.\n", title="Note",
         found=("the map", "Text after it."), absent=(_BLOB[:40],), notes=("characters of encoded data in 1 place are left out",)),
    Case(name="a.md", about="a table", data="| Name | City |\n|---|---|\n| Anna | Ulm |\n\n> | Kind | Euro |\n> |---|---|\n> | Car | 3 |\n",
         lines=(ANNA, "> - Kind: Car; Euro: 3")),
)  # fmt: skip

BLOBS = (
    Case(
        name="a.txt",
        about="base64 in lines",
        data=f"before\n{_LINES}\nafter\n",
        found=("before", "after"),
        absent=(_LINES[:40],),
        notes=("encoded data in 1 place",),
    ),
    Case(
        name="a.txt",
        about="hexadecimal",
        data=f"before {_BYTES[:500].hex()} after",
        found=("before", "after"),
        absent=(_BYTES[:20].hex(),),
        notes=("1,000 characters of encoded data",),
    ),
    Case(name="a.txt", about="DNA is text", data=_DNA, found=(_DNA,)),
    Case(name="a.txt", about="one letter again and again is text", data="A" * 3000, found=("A" * 3000,)),
    Case(name="a.txt", about="a hash is text", data="sha256 " + _BYTES[:32].hex(), found=(_BYTES[:32].hex(),)),
    Case(
        name="a.txt",
        about="a long path is text",
        data="/usr/share/" + "some-longer-folder/" * 20,
        found=("some-longer-folder",),
    ),
)
