"""Reads mail folders (.mbox): the messages one after the other, each under its subject (RFC 4155)."""

from __future__ import annotations

import re

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.mail import read_mail

_FROM = re.compile(rb"^From [^\r\n]{0,200}[0-9]{2}:[0-9]{2}[^\r\n]{0,100}\r?\n", re.MULTILINE)


def read_mail_folder(file: RawFile) -> Extract:
    """The text of all messages. Raises UnreadableDocumentError."""
    starts = [found for found in _FROM.finditer(file.data) if _is_after_empty_line(file.data, found.start())]
    if not starts:
        raise UnreadableDocumentError(file.name, "not a mail folder, despite its name")
    ends = [found.start() for found in starts[1:]] + [len(file.data)]
    texts: list[str] = []
    notices: list[str] = []
    unread: list[tuple[str, str]] = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1):
        try:
            mail = read_mail(
                RawFile(name="", data=file.data[start.end() : end], assumed_encoding=file.assumed_encoding)
            )
        except UnreadableDocumentError as error:
            unread.append((f"message {number}", error.why))
            continue
        texts.append(f"## {mail.title or f'Message {number}'}\n\n{mail.text}")
        notices += [f"message {number}: {notice}" for notice in mail.notices]
    return Extract(text="\n\n".join(texts), notices=tuple(notices), unread=tuple(unread))


def _is_after_empty_line(data: bytes, at: int) -> bool:
    return at == 0 or data[max(0, at - 4) : at].replace(b"\r", b"").endswith(b"\n\n")
