"""KindRegistry: the kinds of one type of component."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from ha_rag.errors import ConfigurationError
from ha_rag.messages import ComponentType
from ha_rag.settings.components import ComponentList
from ha_rag.settings.tables import NAME_PATTERN, ComponentTable

P = ParamSpec("P")
C_co = TypeVar("C_co", covariant=True)
T = TypeVar("T", bound=ComponentTable)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[P, C_co]):
    table: type[ComponentTable]
    build: Callable[Concatenate[Any, P], C_co]


class KindRegistry(Generic[P, C_co]):
    """The kinds of one type of component: for each, the table of its settings and the function that builds it.

    `default`: the list of components if the file has none. Builders are called with the component's table and the
    arguments of `build`. Register kinds before settings are loaded; not synchronized.
    """

    def __init__(self, component_type: ComponentType, default: Sequence[Mapping[str, Any]]) -> None:
        self.component_type = component_type
        self._default = default
        self._kinds: dict[str, _Kind[P, C_co]] = {}

    def register(
        self, kind: str, table: type[T]
    ) -> Callable[[Callable[Concatenate[T, P], C_co]], Callable[Concatenate[T, P], C_co]]:
        """A decorator that registers a builder. Raises ConfigurationError if the name is invalid or already taken."""
        if not re.fullmatch(NAME_PATTERN, kind):
            raise ConfigurationError(
                f"{self.component_type} kind {kind!r}: must be lower-case letters, digits, '_' or '-'"
            )
        if kind in self._kinds:
            raise ConfigurationError(f"{self.component_type} kind {kind!r}: is already registered")

        def registered(build: Callable[Concatenate[T, P], C_co]) -> Callable[Concatenate[T, P], C_co]:
            self._kinds[kind] = _Kind(table, build)
            return build

        return registered

    def unregister(self, kind: str) -> None:
        """Removes a kind, for tests that registered one."""
        del self._kinds[kind]

    def build(self, table: ComponentTable, *args: P.args, **kwargs: P.kwargs) -> C_co:
        """The component that `table` describes. Raises ConfigurationError for an unknown kind or invalid settings."""
        kind = self._kinds.get(table.kind)
        if kind is None:
            known = ", ".join(map(repr, self._kinds))
            raise ConfigurationError(f"{self.component_type} kind {table.kind!r}: must be one of {known}")
        return kind.build(table, *args, **kwargs)

    def listed(self) -> ComponentList:
        """What settings need to know about these kinds."""
        tables = {name: kind.table for name, kind in self._kinds.items()}
        return ComponentList(component_type=self.component_type, tables=tables, default=self._default)
