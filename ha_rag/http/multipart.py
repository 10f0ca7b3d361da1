"""Receives the files of a multipart/form-data body into temporary files (RFC 7578).

What a file is called decides how it is read and what its document is called, so a name has to be one: UTF-8, on one
line, without folders. A body that is not exactly what a browser or curl would send is refused as a whole, with 400.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import TypeAdapter, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from ha_rag.disk_space import FULL, no_space
from ha_rag.errors import IndexDiskFullError, IndexStoreError
from ha_rag.http.bodies import refuse_compressed
from ha_rag.http.lines import Name
from ha_rag.http.problems import Problem
from ha_rag.index.uploading import UploadedFile
from ha_rag.threads import finished

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
"""The name of the form's field; it may be repeated."""
MOST_FILES = 20
AT_ONCE = 65_536
"""Bytes that are parsed together, in a thread: a small piece is not worth one."""
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046, 5.1.1
_NAME = TypeAdapter(Name)
_EXTENDED = re.compile(rb";\s*(file)?name\*", re.IGNORECASE)
_FILENAME = re.compile(rb";\s*filename\s*=", re.IGNORECASE)
_AS_IT_IS = {b"", b"7bit", b"8bit", b"binary"}


@contextmanager
def folder_for_files() -> Iterator[Path]:
    """A folder for the files of one request, in TMPDIR; removed at the end. Raises IndexStoreError."""
    with _full_disk_explained():
        made = tempfile.TemporaryDirectory(prefix="ha_rag-", ignore_cleanup_errors=True)
    with made as folder:
        yield Path(folder)


async def receive_files(request: Request, folder: Path) -> list[UploadedFile]:
    """The files in the body, kept in `folder`, which must be empty.

    Raises Problem (400, 413, 415, 422), IndexDiskFullError if `folder` has no space left, and IndexStoreError if it
    cannot be written.
    """
    refuse_compressed(request)
    form = _Form(_boundary(request), folder)
    try:
        with _full_disk_explained():
            await _feed(form, request)
    except ClientDisconnect:
        raise malformed("the connection closed before the whole body arrived") from None
    except FormParserError as error:
        raise malformed(f"the body is not valid multipart/form-data ({str(error)[:200]})") from None
    finally:
        form.close()
    return form.whole()


@contextmanager
def _full_disk_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = tempfile.gettempdir() if tempfile.tempdir else "TMPDIR"
        if error.errno in FULL:
            raise IndexDiskFullError(f"files cannot be received: {no_space(place)}") from error
        raise IndexStoreError(f"files cannot be received in {place}: {error.strerror}") from error


async def _feed(form: _Form, request: Request) -> None:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size >= AT_ONCE:
            await finished(asyncio.to_thread(form.write, b"".join(pieces)))
            pieces.clear()
            size = 0
    await finished(asyncio.to_thread(form.write, b"".join(pieces)))


def malformed(message: str) -> Problem:
    """400."""
    return Problem(400, "invalid_multipart", message, headers={"Connection": "close"})


def _boundary(request: Request) -> bytes:
    _, parameters = parse_options_header(request.headers.get("content-type", ""))
    boundary = parameters.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise malformed("Content-Type must name a boundary of 1 to 70 characters (RFC 2046, 5.1.1)")
    return boundary


class _Form:
    """The state of one body that is being parsed. For one thread at a time."""

    def __init__(self, boundary: bytes, folder: Path) -> None:
        self._folder = folder
        self._files: list[UploadedFile] = []
        self._open: BinaryIO | None = None
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._is_whole = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_file,
            "on_part_data": self._add_data,
            "on_part_end": self.close,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def write(self, data: bytes) -> None:
        """Parses the next bytes. Raises Problem, FormParserError and OSError."""
        if data:
            self._parser.write(data)

    def whole(self) -> list[UploadedFile]:
        """The files, if the body was whole and had any. Raises Problem."""
        if not self._is_whole:
            raise malformed("the body ends before its last boundary")
        if not self._files:
            raise malformed(f"the body has no file; send each one as a part called {FIELD!r}")
        return self._files

    def close(self) -> None:
        """Closes the file of the current part."""
        file, self._open = self._open, None
        if file is not None:
            file.close()

    def _begin(self) -> None:
        if len(self._files) == MOST_FILES:
            message = f"a request may bring at most {MOST_FILES} files; send the others in another one"
            raise Problem(422, "invalid_request", message, param=FIELD, headers={"Connection": "close"})
        self._headers.clear()

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        name, self._name = self._name.lower(), b""
        value, self._value = self._value, b""
        if name in self._headers:
            raise self._refused(f"has two headers {name.decode('latin-1')!r}")
        self._headers[name] = value

    def _begin_file(self) -> None:
        if self._headers.get(b"content-transfer-encoding", b"").strip().lower() not in _AS_IT_IS:
            raise self._refused("has a Content-Transfer-Encoding; send the file's bytes as they are")
        path = self._folder / str(len(self._files))
        self._files.append(UploadedFile(name=self._file_name(), path=path))
        self._open = path.open("xb")

    def _file_name(self) -> str:
        disposition = self._headers.get(b"content-disposition", b"")
        kind, parameters = parse_options_header(disposition)
        if kind != b"form-data":
            raise self._refused("has no Content-Disposition: form-data")
        if _EXTENDED.search(disposition) or len(_FILENAME.findall(disposition)) > 1:
            raise self._refused('must have its name once, in UTF-8, as filename="..." (RFC 7578, 4.2)')
        if parameters.get(b"name") != FIELD.encode():
            raise self._refused(f"must be called {FIELD!r}")
        if not parameters.get(b"filename"):
            raise self._refused("has no file name; send one as filename")
        return self._valid_name(parameters[b"filename"])

    def _valid_name(self, given: bytes) -> str:
        try:
            name: str = _NAME.validate_python(_unescaped(given.decode()))
        except UnicodeDecodeError:
            raise self._refused("has a file name that is not UTF-8") from None
        except ValidationError as error:
            why = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
            raise self._refused(f"has a file name that cannot be an id: {why}") from None
        if "/" in name or "\\" in name or name in (".", ".."):
            raise self._refused(f"has a path as its file name, {name[:80]!r}; send the file's own name")
        return name

    def _refused(self, why: str) -> Problem:
        return malformed(f"part {len(self._files) + 1} {why}")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._open is not None:
            self._open.write(data[start:end])

    def _end(self) -> None:
        self._is_whole = True


def _unescaped(name: str) -> str:
    """A name without the three escapes that browsers and curl make (HTML Standard, 4.10.21.8)."""
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
