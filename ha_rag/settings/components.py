"""The lists of components in the file: which kinds each may hold, and how their entries are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from ha_rag.messages import ComponentType
from ha_rag.settings.problems import one_of, path, sentences
from ha_rag.settings.showing import Location, shown
from ha_rag.settings.tables import ComponentTable

Components: TypeAlias = Mapping[ComponentType, tuple[ComponentTable, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentList:
    """The list of one type of component, such as `[[embedders]]`.

    `tables`: kind -> the model of its entries. `default`: the entries if the file has no such list.
    """

    component_type: ComponentType
    tables: Mapping[str, type[ComponentTable]]
    default: Sequence[Mapping[str, Any]]

    @property
    def key(self) -> str:
        """Its key in the file, such as "embedders"."""
        return f"{self.component_type}s"


def circuit_name(type_: ComponentType, component: ComponentTable) -> str:
    """The name of a component's circuit, such as "embedder.primary"."""
    return f"{type_}.{component.name}"


def by_circuit(components: Components) -> Iterator[tuple[str, ComponentTable]]:
    """Every component with the name of its circuit."""
    return ((circuit_name(type_, table), table) for type_, tables in components.items() for table in tables)


def read_components(content: Mapping[str, Any], lists: Sequence[ComponentList]) -> tuple[Components, list[str]]:
    """The components of a parsed file, and what is wrong with them."""
    components: dict[ComponentType, tuple[ComponentTable, ...]] = {}
    problems: list[str] = []
    for listed in lists:
        entries = content.get(listed.key, list(listed.default))
        if listed.key in content:
            problems += _list_problems(entries, listed.key)
        components[listed.component_type], found = _read_entries(entries if isinstance(entries, list) else [], listed)
        problems += found
    return components, problems


def _list_problems(entries: object, key: str) -> list[str]:
    if not isinstance(entries, list):
        return [f"{key} = {shown(entries, (key,))}: must be a list of tables, as in [[{key}]]"]
    return [] if entries else [f"{key} = []: must not be empty; omit it to get the defaults"]


def _read_entries(entries: list[object], listed: ComponentList) -> tuple[tuple[ComponentTable, ...], list[str]]:
    tables: list[ComponentTable] = []
    problems: list[str] = []
    for number, entry in enumerate(entries):
        try:
            tables.append(_read_entry(entry, listed, (listed.key, number)))
        except _WrongEntryError as error:
            problems += error.problems
    return tuple(tables), problems


class _WrongEntryError(Exception):
    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems


def _read_entry(entry: object, listed: ComponentList, place: Location) -> ComponentTable:
    if not isinstance(entry, Mapping):
        raise _WrongEntryError(f"{path(place)} = {shown(entry, place)}: must be a table, as in [[{listed.key}]]")
    if "kind" not in entry:
        raise _WrongEntryError(f"{path(place)}.kind: is required; {one_of(listed.tables)}")
    kind = entry["kind"]
    table = listed.tables.get(kind) if isinstance(kind, str) else None
    if table is None:
        raise _WrongEntryError(f"{path(place)}.kind = {shown(kind, place)}: {one_of(listed.tables)}")
    try:
        return table.model_validate(entry)
    except ValidationError as error:
        raise _WrongEntryError(*sentences(error, entry, table.model_fields, place)) from None
