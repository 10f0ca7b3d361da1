"""The files of a lexical index: which belong to it, and whether they are whole.

tantivy ends each file except its list of segments (meta.json) with a footer that has the CRC-32 of what precedes it: a
JSON object, its length and a magic number (tantivy's directory/footer.rs).
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ha_rag.disk_space import is_full
from ha_rag.errors import IndexStoreError, is_exit
from ha_rag.index import sound_files
from ha_rag.index.private_copy import PrivateFile, checksum, passing_folder
from ha_rag.index.regular import open_regular, other_kind
from ha_rag.index.schema import disk_full

SEGMENTS = "meta.json"
MANAGED = ".managed.json"
"""The list of files that tantivy may delete; only a writer needs it."""
MAGIC = 1337
LONGEST_FOOTER = 4096
LARGEST_LIST = 64 << 20
SEGMENT_PARTS = ("term", "idx", "pos", "fieldnorm", "fast", "store")


def small_file(file: Path) -> bytes:
    """The content of a file that is small. Raises IndexStoreError if it is not a file or not small, or OSError."""
    if not file.is_file() or file.stat().st_size > LARGEST_LIST:
        raise IndexStoreError(f"{file} is missing or damaged")
    return file.read_bytes()


@contextmanager
def unusable(folder: Path) -> Iterator[None]:
    """Translates what tantivy raises: ValueError or OSError for what it foresees, a panic for what it does not."""
    try:
        yield
    except IndexStoreError:
        raise
    except BaseException as error:
        if is_exit(error):
            raise
        if is_full(error, folder):
            raise disk_full(folder) from error
        raise IndexStoreError(f"the lexical index at {folder} cannot be used: {error}") from error


def segment_files(folder: Path) -> tuple[bytes, list[Path]]:
    """The list of segments as it is stored, and the files of these segments. Raises IndexStoreError."""
    with unusable(folder):
        listed = small_file(folder / SEGMENTS)
        names = [name for segment in json.loads(listed)["segments"] for name in _names(segment)]
    # tantivy would notice some missing files only when it searches.
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise IndexStoreError(f"the lexical index at {folder} is damaged: {missing[0]} is missing")
    return listed, [folder / name for name in names]


def _names(segment: dict[str, Any]) -> list[str]:
    name, deletes = str(segment["segment_id"]).replace("-", ""), segment["deletes"]
    deleted = [f"{name}.{int(deletes['opstamp'])}.del"] if deletes is not None else []
    return [*(f"{name}.{part}" for part in SEGMENT_PARTS), *deleted]


def passages_in(folder: Path) -> int:
    """How many passages the lexical index in `folder` holds, by its list of segments. Raises IndexStoreError."""
    with unusable(folder):
        segments = json.loads(small_file(folder / SEGMENTS))["segments"]
        return sum(int(one["max_doc"]) - int((one["deletes"] or {}).get("num_deleted_docs", 0)) for one in segments)


def check_files(folder: Path) -> None:
    """Raises IndexStoreError if a file of the lexical index in `folder` is missing or damaged. Maps none of them."""
    _, files = segment_files(folder)
    with unusable(folder):
        for file in folder.iterdir():  # tantivy would wait for a lock that is a pipe
            if (kind := other_kind(file)) is not None:
                raise IndexStoreError(f"{file} is {kind}, not a file")
        if (folder / MANAGED).exists():
            json.loads(small_file(folder / MANAGED))
        for file in files:
            sound_files.shared.check(file, _check_in_place)


def _check_in_place(file: Path) -> None:
    with open_regular(file) as opened:
        check_footer(opened, file)


def check_footer(file: BinaryIO, name: Path) -> None:
    """Raises IndexStoreError if a file does not match the checksum in its footer. `name`: for the message."""
    size, expected = _footer(file, name)
    if checksum(file, size) != expected:
        raise _damaged(name)


def _footer(file: BinaryIO, name: Path) -> tuple[int, int]:
    """The number of bytes before the footer, and their checksum as the footer has it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LONGEST_FOOTER))
    tail = file.read(LONGEST_FOOTER)
    try:
        length, magic = struct.unpack("<II", tail[-8:])
        expected = json.loads(tail[-8 - length : -8])["crc"]
    except (ValueError, TypeError, KeyError, struct.error):
        raise _damaged(name) from None
    if magic != MAGIC or not isinstance(expected, int):
        raise _damaged(name)
    return size - 8 - length, expected


def _damaged(name: Path) -> IndexStoreError:
    return IndexStoreError(f"{name} is damaged: it does not match its checksum")


def copies_of(folder: Path, scratch: Path, known: Mapping[str, PrivateFile]) -> tuple[bytes, dict[str, PrivateFile]]:
    """The list of segments and a checked private copy of each file. `known`: earlier copies; a file never changes.

    Raises IndexStoreError.
    """
    listed, files = segment_files(folder)
    copies: dict[str, PrivateFile] = {}
    with unusable(folder):
        for file in files:
            copy = known.get(file.name)
            if copy is None:
                with open_regular(file) as original:
                    _footer(original, file)  # before it is copied: it may have become huge
                copy = PrivateFile(file, scratch)
                check_footer(copy.file, file)
            copies[file.name] = copy
    return listed, copies


@contextmanager
def folder_of(listed: bytes, copies: Mapping[str, PrivateFile]) -> Iterator[Path]:
    """A folder in which tantivy finds the copies under their names; deleted afterwards, when they have been mapped."""
    with passing_folder() as folder:
        (folder / SEGMENTS).write_bytes(listed)
        for file, copy in copies.items():
            (folder / file).symlink_to(copy.path)
        yield folder
