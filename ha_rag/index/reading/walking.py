"""Finds the files to read below a path, and names those that are passed over."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading import kinds
from ha_rag.index.reading.content_kinds import form_of_file, is_outline
from ha_rag.index.reading.ignoring import IgnoreRules
from ha_rag.index.reading.sniffing import is_text

# A document's id must fit on one line; `ha_rag.http.lines` has the same rule.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SIGNATURE = ".asc"
"""The ending of PGP signatures and keys, and of AsciiDoc."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to read. `root`: the path that was given. `name`: its path relative to `root`; the id of its document."""

    path: Path
    name: str
    root: Path


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file or folder that is not read. `kind`: its ending, or why it is "left out", as by .gitignore.

    `path`: where it is; None where that does not matter.
    """

    name: str
    kind: str
    reason: Literal["kind", "left out"]
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A folder or file that was looked at, without links in its path. `given`: it was asked for, or a link leads there.

    `state`: whether the folder has entries, has none, or is not there.
    """

    path: Path
    state: Literal["held", "empty", "absent"]
    given: bool


@dataclass(frozen=True, slots=True)
class Unreached:
    """A path that could not be looked at, with the error."""

    path: Path
    error: UnreadableDocumentError


Found = FoundFile | PassedOver | FoundPlace | Unreached


def walk(path: Path) -> Iterator[Found]:
    """What is at `path`, sorted by name.

    In folders, hidden and ignored files are left out, and files that are neither of a known kind nor text are passed
    over. Links to folders are followed once each, so cycles end. A path that cannot be opened is yielded as its error.
    """
    try:
        if path.is_dir():
            yield from _walk_folder(path)
        elif path.is_file():
            yield FoundPlace(path.resolve(), "held", given=True)
            yield _found(path, path.parent)
        else:
            missing = not os.path.lexists(path) or path.is_symlink()
            if missing:
                yield FoundPlace(resolved(path), "absent", given=True)
            why = "no such file or folder" if missing else f"is a {_special(path)}, not a file"
            yield Unreached(path, UnreadableDocumentError(named(path), why))
    except OSError as error:
        yield _unreached(path, error)


def _walk_folder(root: Path) -> Iterator[Found]:
    seen: set[tuple[int, int]] = set()
    # An explicit stack: folders may be nested more deeply than Python's recursion limit.
    ahead = [(root, IgnoreRules())]
    while ahead:
        path, above = ahead.pop()
        try:
            folder = path == root or path.is_dir()
            if path != root and (reason := _left_out(path, above, folder=folder)):
                yield PassedOver(_name(path, root), reason, "left out", path)
            elif folder:
                rules = above.within(path)
                entries = _entries(path, seen)
                given = path == root or path.is_symlink()
                if given or entries == []:
                    yield FoundPlace(path.resolve(), "empty" if entries == [] else "held", given)
                ahead += [(entry, rules) for entry in reversed(entries or [])]
            elif path.is_file():
                yield _wanted(path, root)
            elif os.path.lexists(path):
                yield from _neither(path, root)
        except OSError as error:
            yield _unreached(path, error)


def _neither(path: Path, root: Path) -> Iterator[Found]:
    """What is neither a file nor a folder."""
    if path.is_symlink() and not path.exists():
        yield FoundPlace(resolved(path), "absent", given=True)
        yield PassedOver(_name(path, root), "link to nothing", "kind", path)
    else:
        yield PassedOver(_name(path, root), _special(path), "kind", path)


def _special(path: Path) -> str:
    mode = path.stat().st_mode
    kinds_of_nodes = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds_of_nodes.get(stat.S_IFMT(mode), "device")


def resolved(path: Path) -> Path:
    """`path` without links. Where a link points to itself, that link."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # before Python 3.13 a loop was a RuntimeError
        return path.absolute()


def _unreached(path: Path, error: OSError) -> Unreached:
    return Unreached(path, UnreadableDocumentError(named(path), why_of(error), transient=is_transient(error)))


def _left_out(path: Path, rules: IgnoreRules, *, folder: bool) -> str:
    if kinds.is_left_out(path.name, folder=folder):
        return "hidden, a cache or a dependency"
    return "ignored" if rules.leave_out(path, folder=folder) else ""


def _wanted(path: Path, root: Path) -> Found:
    """A file in a folder: to read, or passed over because of its kind."""
    kind = kinds.passed_over(path.name)
    if kind is None and kinds.form_of(path.name) is None and not _may_be_read(path):
        kind = "unknown kind" if path.stat().st_size else "empty file"
    if path.suffix.lower() in kinds.BY_CONTENT and _may_be_read(path, is_old_office_file=True):
        kind = None
    if path.suffix.lower() == SIGNATURE and not _is_outline(path):
        kind = "signature"
    if kind is not None:
        return PassedOver(_name(path, root), path.suffix.lower() or kind, "kind", path)
    return _found(path, root)


def _may_be_read(path: Path, *, is_old_office_file: bool = False) -> bool:
    """Whether a file is text or something else that is read, whatever its name says."""
    try:
        return form_of_file(path) is not None or (not is_old_office_file and is_text(path))
    except OSError:
        return True  # reading it says why it cannot be opened


def _is_outline(path: Path) -> bool:
    try:
        return is_outline(path)
    except OSError:
        return True


def _entries(folder: Path, seen: set[tuple[int, int]]) -> list[Path] | None:
    """The entries of a folder, sorted by name; None if it has been visited before through a link."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return None
    seen.add((status.st_dev, status.st_ino))
    return sorted(folder.iterdir())


def _found(path: Path, root: Path) -> FoundFile | Unreached:
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError:
        why = "its name or its folder's name is not valid UTF-8; rename it"
        return Unreached(path, UnreadableDocumentError(named(path), why))
    return FoundFile(path, _name(path, root), root)


def _name(path: Path, root: Path) -> str:
    return _one_line(path.relative_to(root).as_posix())


def _one_line(name: str) -> str:
    return _CONTROL.sub(" ", os.fsencode(name).decode(errors="backslashreplace"))


def named(path: Path) -> str:
    """A path as it is shown: on one line."""
    return _one_line(str(path))


OF_THE_PATH = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""Errors that say something about the path itself. Others, such as EIO, are trouble of this machine."""


def is_transient(error: OSError) -> bool:
    """Whether a file or folder could not be opened for a reason that says nothing about it."""
    return error.errno not in OF_THE_PATH


def why_of(error: OSError) -> str:
    """Why a file or folder could not be opened, in words."""
    return {errno.EACCES: "no permission to read it", errno.ELOOP: "a symbolic link that points to itself"}.get(
        error.errno or 0, str(error.strerror)
    )
