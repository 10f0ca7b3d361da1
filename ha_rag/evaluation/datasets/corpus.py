"""corpus.jsonl, as in BEIR: one document a line, with `_id`, `title` and `text`."""

from __future__ import annotations

from pathlib import Path

from ha_rag.errors import ConfigurationError
from ha_rag.evaluation.datasets.dataset import DatasetDocument
from ha_rag.evaluation.datasets.lines import Problems, identity, objects


def read_corpus(file: Path, problems: Problems) -> dict[str, DatasetDocument]:
    """Document id -> document. Raises ConfigurationError if the file is missing or holds none."""
    found: dict[str, DatasetDocument] = {}
    for place, fields in objects(file, problems):
        name = identity(fields, place, problems)
        title, text = fields.get("title") or "", fields.get("text", "")
        if not isinstance(title, str) or not isinstance(text, str):
            problems.add(place, '"title" and "text" must be strings')
        elif name is not None and name in found:
            problems.add(place, f"has the id {name!r}, as an earlier line has")
        elif name is not None:
            found[name] = DatasetDocument(name, title.strip(), text.strip())
    if not found:
        problems.raise_any()
        raise ConfigurationError(f"{file}: holds no documents")
    return found
