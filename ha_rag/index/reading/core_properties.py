"""Title, author and dates of Office files (OPC core properties, ECMA-376 part 2)."""

from __future__ import annotations

import zipfile
from xml.etree import ElementTree

from ha_rag.index.reading.xml_tree import parsed_xml
from ha_rag.index.reading.zipped import unpacked

_KEPT = {"title": "title", "creator": "author", "subject": "subject", "keywords": "keywords", "created": "date"}
PART = "docProps/core.xml"


def core_properties(archive: zipfile.ZipFile) -> dict[str, object]:
    """The properties of a file that say something; none if they are missing or damaged."""
    try:
        root = parsed_xml(unpacked(archive, PART))
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile, ValueError):
        return {}
    found = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root}
    return {name: found[key][:1000] for key, name in _KEPT.items() if found.get(key)}
