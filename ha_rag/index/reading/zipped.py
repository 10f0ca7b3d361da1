"""Files that are zip archives, as those of Office programs are: checked before a library unpacks them."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.extract import RawFile

_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
LARGEST_UNPACKED = 1_000_000_000
"""Bytes of all parts together; an archive of a few kilobytes may unpack to more than any disk holds."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The container of encrypted Office files, and of all that were written before 2007."""


def opened_zip(file: RawFile) -> zipfile.ZipFile:
    """The archive. Raises UnreadableDocumentError if it is none, is encrypted, or unpacks to too much."""
    if file.data.startswith(_OLE):
        why = "protected by a password" if is_protected(file) else "an old Office file, despite its name"
        raise UnreadableDocumentError(file.name, why)
    try:
        archive = zipfile.ZipFile(io.BytesIO(file.data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise UnreadableDocumentError(file.name, f"damaged, or not what its name says: {error}") from error
    parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise UnreadableDocumentError(file.name, "protected by a password")
    size = sum(part.file_size for part in parts)
    if size > LARGEST_UNPACKED:
        raise UnreadableDocumentError(file.name, f"unpacks to {size:,} bytes; the limit is {LARGEST_UNPACKED:,}")
    return archive


def is_protected(file: RawFile) -> bool:
    """Whether an Office file is encrypted with a password: the real file is then inside of an older container."""
    return file.data.startswith(_OLE) and _ENCRYPTED in file.data


def unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    """One part of an archive. Raises KeyError if there is none of that name, and BadZipFile if it is damaged."""
    try:
        return archive.read(name)
    except (zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise zipfile.BadZipFile(f"{name}: {error}") from error


def damaged(file: RawFile, error: Exception) -> UnreadableDocumentError:
    """What a library raised for a damaged file, as our error. Libraries for such files raise almost anything."""
    if isinstance(error, UnreadableDocumentError):
        return error
    if isinstance(error, MemoryError | RecursionError):
        raise error
    why = " ".join(str(error)[:200].split()) or type(error).__name__
    return UnreadableDocumentError(file.name, f"damaged or unsupported: {why}")
