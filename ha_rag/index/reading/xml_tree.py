"""Parses XML. Expat limits how far entities may expand, and the reading process how much memory may be used."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree


def parsed_xml(source: str | bytes) -> ElementTree.Element:
    """The root element. Raises ElementTree.ParseError, and ValueError for an encoding that does not exist."""
    return ElementTree.fromstring(source)  # noqa: S314 - Expat bounds entities, and the reading process memory


def local(element: ElementTree.Element) -> str:
    """An element's name without its namespace. Comments have none that an element could have."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: ElementTree.Element | None, name: str) -> str:
    """An attribute, whatever its namespace; "" if there is none."""
    if element is None:
        return ""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def child(element: ElementTree.Element | None, *path: str) -> ElementTree.Element | None:
    """The first element on a path of local names below `element`; None if there is none."""
    for name in path:
        element = next((one for one in element if local(one) == name), None) if element is not None else None
    return element


def all_named(element: ElementTree.Element | None, name: str) -> Iterator[ElementTree.Element]:
    """All elements of a local name in `element`, in their order."""
    return (one for one in element.iter() if local(one) == name) if element is not None else iter(())
