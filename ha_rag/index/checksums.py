"""Checksums of what the database holds, and what is wrong with a row that does not match.

SQLite notices damage to its own structure, but not a flipped bit in a value. So each passage and each vector has a
CRC-32 (RFC 1952) of its content and its ids. Rows that version 0.1.0 wrote have none until the next ingest adds it; of
these only the types, the encoding and the length are checked.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ha_rag.index.column import Matrix, Rows

LONGEST_DEVIATION = 0.01
"""How much the length of a stored vector may differ from 1."""

StoredVector = tuple[int, Any, Any, Any]
"""Its id, the row of its passage, its bytes and its checksum (None if it has none)."""


def passage_checksum(row: int, document: str, number: int, title: str, heading: str, text: str) -> int:
    """The checksum of a passage. Raises UnicodeEncodeError for texts that are not Unicode."""
    return zlib.crc32("\x1f".join((str(row), document, str(number), title, heading, text)).encode())


def vector_checksum(vector_id: int, space: int, passage: int, blob: bytes) -> int:
    """The checksum of a vector."""
    return zlib.crc32(blob, zlib.crc32(f"{vector_id},{space},{passage},".encode()))


def passage_fault(row: int, fields: Sequence[Any], checksum: Any) -> str:
    """What is wrong with a passage, or "". `fields`: document, number, title, heading, text as they are stored."""
    document, number, *texts = fields
    if not isinstance(number, int) or not all(isinstance(text, str) for text in (document, *texts)):
        return "has a value of the wrong type"
    try:
        actual = passage_checksum(row, document, number, *texts)
    except UnicodeEncodeError:  # bytes that are not UTF-8 are read as lone surrogates
        return "is not valid UTF-8"
    return "does not match its checksum" if checksum not in (None, actual) else ""


def counted(number: int, what: str) -> str:
    """A number of damaged things, as in "1 passage" and "2 passages"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def is_text(value: object) -> bool:
    """Whether a stored value is text in valid UTF-8."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class CheckedVectors:
    """Stored vectors that have been checked: the sound ones as arrays, and the ids and rows of the others."""

    rows: Rows
    matrix: Matrix
    faulty: tuple[tuple[int, Any], ...]


def checked_vectors(found: Sequence[StoredVector], space: int, dimension: int) -> CheckedVectors:
    """Checks the vectors of one space (its key and dimension)."""
    sound = [stored for stored in found if _is_sound(stored, space, dimension)]
    matrix = np.frombuffer(b"".join(blob for _, _, blob, _ in sound), np.float32).reshape(len(sound), dimension)
    rows = np.fromiter((passage for _, passage, _, _ in sound), np.int64, len(sound))
    with np.errstate(all="ignore"):  # arbitrary bytes can be any number
        unit = np.abs(np.sqrt(np.vecdot(matrix, matrix)) - 1) <= LONGEST_DEVIATION
    faulty = {vector: passage for vector, passage, *_ in found}
    for (vector, *_), is_unit in zip(sound, unit.tolist(), strict=True):
        if is_unit:
            del faulty[vector]
    return CheckedVectors(rows[unit], matrix[unit], tuple(faulty.items()))


def _is_sound(stored: StoredVector, space: int, dimension: int) -> bool:
    vector, passage, blob, checksum = stored
    if not isinstance(passage, int) or not isinstance(blob, bytes) or len(blob) != 4 * dimension:
        return False
    return checksum is None or checksum == vector_checksum(vector, space, passage, blob)
