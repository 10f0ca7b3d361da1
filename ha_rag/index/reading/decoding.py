"""Decodes bytes of any common encoding into text.

In this order: a byte order mark, valid UTF-8, the encoding that the text declares, UTF-8 with a few bad bytes, the
setting or the other files of the folder where several encodings fit, and the likeliest encoding of the whole file.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.extract import RawFile
from ha_rag.index.reading.guessing import guess
from ha_rag.index.reading.sniffing import looks_like_text
from ha_rag.index.slices import slices

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_TERMINAL = re.compile(rb"\x1b\[[0-9;?]{0,30}[A-Za-z]")
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})
    |<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})
    |^[^\n]{0,200}?-\*-[^\n]{0,100}?coding[:=]\s*([\w.-]{2,40})""",
    re.IGNORECASE | re.VERBOSE,
)
_OTHER_NAMES = {"x-mac-cyrillic": "mac_cyrillic", "x-mac-ukrainian": "mac_cyrillic", "macintosh": "mac_roman",
                "iso-8859-8-i": "iso8859-8", "iso-8859-8-e": "iso8859-8", "x-cp1250": "cp1250", "x-cp1251": "cp1251",
                "x-cp1252": "cp1252", "x-gbk": "gbk", "dos-874": "cp874", "unicode-1-1-utf-8": "utf-8",
                "x-x-big5": "big5", "logical": "iso8859-8", "visual": "iso8859-8"}  # fmt: skip
"""Names of the WHATWG's encoding standard that Python does not know."""
DECLARED_WITHIN = 65_536
"""Bytes at the start of a file that may declare its encoding; browsers look at 1,024."""
FEW_BAD = 4
"""Text is UTF-8 with bad bytes if it has this many times more characters of several bytes than bad ones."""
FEW_IN_DECLARED = 2
"""So many bad bytes do not make text doubtful that declares its encoding."""
FEW_CONTROLS = 2
"""So many control characters, or one in a hundred, do not make a text binary data."""
CURE = "save it as UTF-8, or set `encoding` in [index]"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, cleaned by `tidy`. `notices` and `guessed` as in Extract."""

    text: str
    notices: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()


def decoded(file: RawFile, declared: str = "") -> Decoded:
    """The text in a file. `declared`: the encoding named outside of it, as by an e-mail's header.

    Raises UnreadableDocumentError for binary data.
    """
    file = replace(file, data=_without_terminal_codes(file.data))
    found = (
        _with_mark(file)
        or _with_escapes(file.data)
        or _as_utf8(file.data)
        or _without_mark(file)
        or _without_zeros(file, declared)
    )
    found = found or _as_declared(file.data, declared) or _as_damaged_utf8(file.data) or _as_utf8_in_part(file.data)
    found = found or _guessed(file)
    if found is None:
        raise UnreadableDocumentError(file.name, "neither UTF-8 nor any other encoding that could be detected")
    unfit = len(_UNFIT.findall(found.text)) - found.text.count("\f")
    if "\0" in found.text or unfit > max(FEW_CONTROLS, len(found.text) // 100):
        raise UnreadableDocumentError(file.name, "binary data, not text")
    return Decoded(tidy(found.text), found.notices, found.guessed)


def _with_mark(file: RawFile) -> Decoded | None:
    for mark, encoding in _MARKS:
        if file.data.startswith(mark):
            found = _leniently(file.data, encoding)
            if found is None:
                why = f"has a byte order mark for {encoding} but is not valid {encoding}"
                raise UnreadableDocumentError(file.name, why)
            return found
    return None


def _with_escapes(data: bytes) -> Decoded | None:
    """Japanese and Korean in seven bits, as in e-mails: bytes of ASCII, some of them after an escape sequence."""
    encoding = "iso2022_kr" if b"\x1b$)C" in data else "iso2022_jp_2" if b"\x1b$" in data else ""
    try:
        return Decoded(data.decode(encoding)) if encoding else None
    except UnicodeDecodeError:
        return None


def _as_utf8(data: bytes) -> Decoded | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return Decoded(text) if "\0" not in text else None


def _without_mark(file: RawFile) -> Decoded | None:
    """UTF-16 without a byte order mark: every other byte of its Latin letters, digits and spaces is zero."""
    data = file.data
    if b"\0" not in data:
        return None
    even, odd = data[0::2].count(0), data[1::2].count(0)
    if len(data) % 2 == 0 and max(even, odd) > len(data) // 8 and min(even, odd) * 50 < max(even, odd):
        return _leniently(data, "utf-16-be" if even > odd else "utf-16-le")
    return None


def _without_zeros(file: RawFile, declared: str) -> Decoded | None:
    """Text with zero bytes in it, as a log has after a crash; None if the rest is no text either."""
    zeros = file.data.count(0)
    if not zeros:
        return None
    data = file.data.replace(b"\0", b"")
    if not looks_like_text(data):
        raise UnreadableDocumentError(file.name, "binary data, not text")
    found = decoded(replace(file, data=data), declared)
    return replace(
        found,
        notices=(*found.notices, "1 zero byte is left out" if zeros == 1 else f"{zeros:,} zero bytes are left out"),
    )


def _without_terminal_codes(data: bytes) -> bytes:
    """`data` without what sets colours in a terminal."""
    return _TERMINAL.sub(b"", data) if b"\x1b[" in data else data


def _as_declared(data: bytes, declared: str) -> Decoded | None:
    found = _DECLARED.search(data[:DECLARED_WITHIN])
    names = [declared, next(filter(None, found.groups()), b"").decode() if found else ""]
    for name in filter(None, names):
        if (encoding := _known(name)) and (text := _leniently(data, encoding)):
            return text
    return None


def _known(name: str) -> str:
    """Python's name of a declared encoding; "" if there is none. Latin-1 and ASCII mean Windows-1252."""
    try:
        encoding = codecs.lookup(_OTHER_NAMES.get(name.lower(), name)).name
    except LookupError:
        return ""
    wider = {"iso8859-1": "cp1252", "ascii": "cp1252", "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030",
             "euc_kr": "cp949", "iso8859-9": "cp1254", "tis-620": "cp874"}  # fmt: skip
    return "" if encoding.startswith("utf-16") else wider.get(encoding, encoding)


def _leniently(data: bytes, encoding: str) -> Decoded | None:
    """`data` in this encoding, with a few bad bytes replaced; None if it is not in this encoding."""
    try:
        text = data.decode(encoding, errors="replace")
    except (LookupError, UnicodeError, ValueError):
        return None
    bad = text.count("\ufffd") - data.count("\ufffd".encode())
    good = sum(1 for character in text if character > "\x7f") - bad
    if bad * 2 > len(text) or (bad > FEW_IN_DECLARED and bad * FEW_BAD > good):
        return None
    return Decoded(text, (_replaced(bad, encoding),) if bad > 0 else ())


def _as_damaged_utf8(data: bytes) -> Decoded | None:
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd") - data.count("\ufffd".encode())
    good = sum(1 for character in text if character > "\x7f") - bad
    return Decoded(text, (_replaced(bad, "UTF-8"),)) if good >= bad * FEW_BAD else None


def _as_utf8_in_part(data: bytes) -> Decoded | None:
    """UTF-8 and Windows-1252 in one file, as of two logs: at least half of the words beyond ASCII are valid UTF-8.

    Two letters of another encoding hardly ever are.
    """
    runs = _BEYOND_ASCII.findall(data)
    other = sum(not _is_utf8(run) for run in runs)
    if not runs or other * 2 > len(runs):
        return None
    text = _BEYOND_ASCII.sub(lambda run: run[0] if _is_utf8(run[0]) else _as_western(run[0]), data).decode()
    places = "1 place" if other == 1 else f"{other:,} places"
    return Decoded(text, (f"is UTF-8, but not in {places}, read as windows-1252",))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_western(data: bytes) -> bytes:
    return data.decode("cp1252", errors="replace").encode()


def _replaced(bad: int, encoding: str) -> str:
    bytes_ = "1 byte is" if bad == 1 else f"{bad:,} bytes are"
    return f"{bytes_} not valid {encoding} and replaced by \ufffd"


def _guessed(file: RawFile) -> Decoded | None:
    found = guess(file.data, file.assumed_encoding)
    if found is None:
        return None
    text = file.data.decode(found.encoding, errors="replace")
    if not found.rivals:
        return Decoded(text)
    candidates = (found.encoding, *found.rivals)
    return Decoded(text, (f"read as {found.encoding}, but could be {' or '.join(found.rivals)}: {CURE}",), candidates)


def tidy(text: str) -> str:
    """`text` with line feeds as line ends, and with control characters and lone surrogates replaced by spaces."""
    tidied = (_UNFIT.sub(" ", part.replace("\r\n", "\n").replace("\r", "\n")) for part in slices(text))
    return "".join(tidied)
