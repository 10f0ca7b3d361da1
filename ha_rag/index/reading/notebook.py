"""Reads Jupyter notebooks (.ipynb): text cells as they are, code cells as code, with what they printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded, tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.html import page_text
from ha_rag.index.reading.markdown import simplified

_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}m")
LONGEST_OUTPUT = 20_000


def read_notebook(file: RawFile) -> Extract:
    """The cells of a notebook. Raises UnreadableDocumentError."""
    found = decoded(file)
    try:
        notebook = json.loads(found.text)
        sheets = notebook.get("worksheets") or [notebook]  # version 3 has worksheets
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        blocks = [block for cell in cells for block in _blocks(notebook, cell) if block.strip()]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UnreadableDocumentError(
            file.name, f"not a notebook ({type(error).__name__}: {str(error)[:200]})"
        ) from error
    text, left_out = without_blobs(tidy("\n\n".join(blocks)))
    text, title = simplified(text)
    return Extract(text=text, title=title, notices=(*found.notices, *left_out), guessed=found.guessed)


def _blocks(notebook: dict[str, Any], cell: dict[str, Any]) -> Iterator[str]:
    source = _joined(cell.get("source", cell.get("input", "")))
    kind = cell.get("cell_type")
    if kind == "code":
        language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language", ""))
        yield _fenced(source, language)
        for output in cell.get("outputs", []):
            yield from _output(output)
    elif kind == "heading":  # version 3
        yield f"{'#' * max(1, min(6, int(cell.get('level', 1))))} {source}"
    else:
        yield source


def _output(output: dict[str, Any]) -> Iterator[str]:
    data = output.get("data", {})
    if "text/html" in data:
        yield page_text(_joined(data["text/html"])[: 10 * LONGEST_OUTPUT]).text
    elif "text/markdown" in data:
        yield _joined(data["text/markdown"])
    elif "text/latex" in data and "text/plain" not in data:
        yield _joined(data["text/latex"])
    elif plain := _joined(data.get("text/plain", output.get("text", ""))):
        yield _fenced(_COLOURS.sub("", plain)[:LONGEST_OUTPUT])
    elif "ename" in output:
        yield f"{output['ename']}: {output.get('evalue', '')}"


def _fenced(code: str, language: str = "") -> str:
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", code)), default=0))
    return f"{ticks}{language}\n{code}\n{ticks}" if code.strip() else ""


def _joined(lines: str | list[str] | None) -> str:
    return lines if isinstance(lines, str) else "".join(lines or ())
