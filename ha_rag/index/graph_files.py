"""The files of vector graphs: their names carry their checksums, and readers search private copies of them.

Version 0.1.0 takes any name, and gives its own graphs names without a checksum. Of these only the size is checked.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO, TypeGuard

from ha_rag.errors import IndexStoreError
from ha_rag.index.graph import Graph
from ha_rag.index.private_copy import PrivateFile, checksum, scratch_folder
from ha_rag.index.regular import open_regular

_NAME = re.compile(r"graph-\d+-\d+-\d+(?:-([0-9a-f]{8}))?\.usearch")


def graph_name(key: int, last: int, generation: int, crc: int) -> str:
    """The name of a graph. `key`: of its space. `last`: the newest vector in it. `crc`: its checksum."""
    return f"graph-{key}-{last}-{generation}-{crc:08x}.usearch"


def is_graph(name: object) -> TypeGuard[str]:
    """Whether `name` can be the name of a graph in the index's folder."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def is_checked(name: str) -> bool:
    """Whether this name of a graph has a checksum."""
    found = _NAME.fullmatch(name)
    return found is not None and found[1] is not None


def file_checksum(file: Path) -> int:
    """The checksum of a graph's file."""
    with open_regular(file) as opened:
        return checksum(opened, file.stat().st_size)


def check_graph(file: Path, size: int) -> None:
    """Raises IndexStoreError if a graph's file does not have this size or the checksum in its name, or OSError."""
    if not file.is_file():
        raise IndexStoreError(f"the vector graph {file} is missing")
    with open_regular(file) as opened:
        _check(opened, file, size)


def open_graph(folder: Path, name: object, size: int, dimension: int) -> Graph:
    """A private, checked copy of a graph. Raises IndexStoreError."""
    if not is_graph(name):
        raise IndexStoreError(f"the index at {folder} names a vector graph {name!r}, which cannot be one")
    file = folder / name
    try:
        if not file.is_file() or file.stat().st_size != size:  # before it is copied: it may have become huge
            raise IndexStoreError(f"the vector graph {file} is missing or damaged: it does not have {size} bytes")
        copy = PrivateFile(file, scratch_folder(folder, size))
        _check(copy.file, file, size)
    except OSError as error:
        raise IndexStoreError(f"the vector graph {file} cannot be read: {error.strerror}") from error
    graph = Graph.load(copy.path, mapped=True)
    if graph.dimension != dimension:
        raise IndexStoreError(f"the vector graph {file} is damaged: its vectors have {graph.dimension} numbers")
    return graph


def _check(file: BinaryIO, name: Path, size: int) -> None:
    actual = file.seek(0, os.SEEK_END)
    if actual != size:
        raise IndexStoreError(f"the vector graph {name} is damaged: it has {actual} bytes instead of {size}")
    named = _NAME.fullmatch(name.name)
    if named is not None and named[1] is not None and checksum(file, size) != int(named[1], 16):
        raise IndexStoreError(f"the vector graph {name} is damaged: it does not match its checksum")
