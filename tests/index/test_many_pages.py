"""A PDF of very many pages, as a machine makes it: all of it is read, within the limits of every file."""

from __future__ import annotations

import io

import pytest

from ha_rag.index.reading.extract import RawFile
from ha_rag.index.reading.sandbox import ReadingProcess

_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"


def long_pdf(pages: int) -> bytes:
    """A line of text on each page. Written by hand: a library takes minutes for so many."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(pages))),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for n in range(pages):
        content = b"BT /F1 12 Tf 10 100 Td (Garden %d hums.) Tj ET" % n
        objects += [_PAGE % (5 + 2 * n), b"<</Length %d>>stream\n%s\nendstream" % (len(content), content)]
    file, places = io.BytesIO(), []
    file.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        places.append(file.tell())
        file.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    table = file.tell()
    file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    file.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    file.write(b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, table))
    return file.getvalue()


def check_all_are_read(pages: int) -> None:
    process = ReadingProcess()
    try:
        extract = process.read("pdf", RawFile(name="long.pdf", data=long_pdf(pages)))
    finally:
        process.end()
    assert extract.unread == ()
    assert [extract.text.count(f"Garden {n} hums.") for n in (0, pages // 2, pages - 1)] == [1, 1, 1]


def test_a_thousand_pages_are_read():
    check_all_are_read(1_000)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_hundred_thousand_pages_are_read():
    check_all_are_read(100_000)
