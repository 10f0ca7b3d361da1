"""Sources: which file a document was read from. What was added over HTTP and the samples have no file.

A damaged index may hold anything as a source; what is no text is no file and no sample.
"""

from __future__ import annotations

from pathlib import Path

from ha_rag.index.checksums import is_text
from ha_rag.index.reading.kinds import form_of

SAMPLE = "sample:"
"""What the source of a sample document begins with."""


def file_of(source: str) -> Path | None:
    """The file of a document; of a line, the file that holds it. None if it was not read from a file of the user."""
    if not is_text(source) or not source.startswith("/"):
        return None
    # Names and ids may contain "#", so only one that follows a name of JSON lines begins an id.
    end = source.find("#")
    while end >= 0:
        if form_of(source[:end]) == "jsonl":
            return Path(source[:end])
        end = source.find("#", end + 1)
    return Path(source)


def is_sample(source: str) -> bool:
    """Whether a document is one of the samples, also of those that version 0.1.0 took from its own package."""
    return is_text(source) and (source.startswith(SAMPLE) or "-packages/ha_rag/samples/" in source)


def is_gone(source: str) -> bool:
    """Whether the file of a document does not exist. False if that cannot be told."""
    file = file_of(source)
    return file is not None and is_missing(file)


def is_missing(file: Path) -> bool:
    """Whether a file does not exist. False if that cannot be told."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
