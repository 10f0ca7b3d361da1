"""Reads e-mails (.eml): the headers that matter, the text, and the names of attachments."""

from __future__ import annotations

import codecs
import email
from collections.abc import Mapping, Sequence
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded, tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.html import page_text
from ha_rag.index.reading.zipped import damaged

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
LONGEST_HEADER = 2000
PLACEHOLDER = 10
"""A form of a text with this many times fewer letters than another one says "see the other form" and nothing else."""


def read_mail(file: RawFile) -> Extract:
    """The text of an e-mail. Raises UnreadableDocumentError."""
    try:
        return _extract(file, email.message_from_bytes(file.data.removeprefix(codecs.BOM_UTF8), policy=default))
    except Exception as error:
        raise damaged(file, error) from error


def _extract(file: RawFile, message: EmailMessage) -> Extract:
    headers = _headers(message)
    if not headers.keys() & {"From", "To", "Subject"}:
        raise UnreadableDocumentError(file.name, "not an e-mail, despite its name")
    parts = MailParts()
    parts.read(message)
    texts = [_shown({name: value for name, value in headers.items() if name != "Subject"}), *parts.texts]
    return Extract(
        text=tidy("\n\n".join(filter(None, texts))), title=headers.get("Subject", ""), markdown=False,
        metadata={name.lower(): headers[name] for name in ("From", "To", "Date") if name in headers},
        notices=(*parts.notices, *_not_read(parts.attached)),
    )  # fmt: skip


class MailParts:
    """The parts of a message: `texts`, what is to be said of them, and `attached` ones, which are not read."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.notices: list[str] = []
        self.attached: list[EmailMessage] = []

    def read(self, part: EmailMessage) -> None:
        """Adds a part and all in it. Of the same text in several forms, the plain one is taken."""
        kind = part.get_content_type()
        if kind == "message/rfc822" and part.is_multipart():
            for message in _inner(part):
                self.texts.append(_shown(_headers(message)))
                self.read(message)
        elif kind == "multipart/alternative" and part.is_multipart():
            self._best_of([_read(inner) for inner in _inner(part)])
        elif part.is_multipart():
            for inner in _inner(part):
                self.read(inner)
        elif part.get_content_maintype() in ("text", "multipart") and not _is_attachment(part):
            text, said = _text_of(part)
            self.texts.append(text)
            self.notices += said
        else:
            self.attached.append(part)

    def _best_of(self, forms: Sequence[MailParts]) -> None:
        """Of several forms of one text the first, unless it only says that there is another one."""
        sizes = [sum(map(len, form.texts)) for form in forms]
        best = next((at for at, size in enumerate(sizes) if size * PLACEHOLDER > max(sizes)), None)
        if best is not None:
            self.texts += forms[best].texts
            self.notices += forms[best].notices
        self.attached += [part for form in forms for part in form.attached]


def _read(part: EmailMessage) -> MailParts:
    parts = MailParts()
    parts.read(part)
    return parts


def _inner(part: EmailMessage) -> list[EmailMessage]:
    return [inner for inner in part.iter_parts() if isinstance(inner, EmailMessage)]


def _shown(headers: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


def _headers(message: EmailMessage) -> dict[str, str]:
    """The headers that are kept. The library's own parser takes time quadratic in the number of addresses."""
    found: dict[str, str] = {}
    for name, raw in message.raw_items():
        kept = next((known for known in _HEADERS if known.lower() == name.lower()), None)
        if kept is not None and raw.strip():
            text = str(make_header(decode_header(_as_text(str(raw)[:LONGEST_HEADER]))))
            found.setdefault(kept, " ".join(tidy(text).split()))
    return found


def _as_text(raw: str) -> str:
    """A header with the bytes beyond ASCII that old programs write as they are: UTF-8, or else Windows-1252."""
    data = raw.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _not_read(attached: Sequence[EmailMessage]) -> list[str]:
    names = ", ".join(part.get_filename() or part.get_content_type() for part in attached)
    return [f"its attachments are not read, save them as files: {names[:300]}"] if attached else []


def _is_attachment(part: EmailMessage) -> bool:
    return part.is_attachment() or bool(part.get_filename())


def _text_of(part: EmailMessage) -> tuple[str, tuple[str, ...]]:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes) or not data.strip():
        return "", ()
    found = decoded(RawFile(name="", data=data), declared=str(part.get_content_charset() or ""))
    text, left_out = without_blobs(found.text)
    if part.get_content_type() == "text/html":
        text = page_text(text).text
    return text, (*found.notices, *left_out)
