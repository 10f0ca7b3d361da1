"""The circuit of each component: its own table over `[circuit]`, made a CircuitPolicy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, cast

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import ConfigurationError
from ha_rag.messages import ComponentType
from ha_rag.settings.problems import path, unknown_key
from ha_rag.settings.shape import ComponentTable, ConfigurationFile
from ha_rag.settings.showing import LARGEST, Location, shown

Scope = Literal["fleet", "replica"]
POLICY_KEYS = tuple(field.name for field in fields(CircuitPolicy))
CIRCUIT_KEYS = (*POLICY_KEYS, "scope")
DEFAULTS = CircuitPolicy()
LONGEST_WINDOW_S = 86_400.0
LISTS = {
    ComponentType.EMBEDDER: "embedders",
    ComponentType.RETRIEVER: "retrievers",
    ComponentType.GENERATOR: "generators",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSettings:
    """One component's circuit. `name`: `<type>.<name>`."""

    name: str
    policy: CircuitPolicy
    scope: Scope


def resolved_circuits(file: ConfigurationFile) -> dict[str, CircuitSettings]:
    """The circuits of all components by name, for a file in which `circuit_problems` finds none."""
    circuits = [
        _circuit(f"{type_}.{component.name}", component, file.circuit)
        for type_, key in LISTS.items()
        for component in getattr(file, key)
    ]
    return {circuit.name: circuit for circuit in circuits}


def circuit_problems(content: Mapping[str, Any]) -> list[str]:
    """What is wrong with the circuit tables of a file as parsed, whatever else is wrong with it."""
    defaults = content.get("circuit", {})
    if not isinstance(defaults, dict):
        return []
    problems = _table_problems(defaults, {}, ("circuit",))
    inherited = {} if problems else defaults
    for key in LISTS.values():
        for number, component in enumerate(_tables(content.get(key))):
            own = component.get("circuit", {})
            problems += _table_problems(own, inherited, (key, number, "circuit")) if isinstance(own, dict) else []
    return problems


def _tables(value: object) -> list[dict[str, Any]]:
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []


def _circuit(name: str, component: ComponentTable, defaults: Mapping[str, Any]) -> CircuitSettings:
    merged = _merged(defaults, component.circuit)
    scope = merged.pop("scope", component.scope)
    if "window_s" not in merged:
        merged["window_s"] = _window_s(component.timeout_s, merged.get("min_samples", DEFAULTS.min_samples))
    return CircuitSettings(name=name, policy=CircuitPolicy(**merged), scope=cast("Scope", scope))


def _merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **own}
    # A shorter rest of its own shortens the probe it inherits: no probe may outlast the rest after it.
    if "probe_timeout_s" in defaults and "probe_timeout_s" not in own:
        rest = merged.get("recovery_timeout_s", DEFAULTS.recovery_timeout_s)
        if _is_number(rest) and _is_number(merged["probe_timeout_s"]):
            merged["probe_timeout_s"] = min(merged["probe_timeout_s"], rest)
    return merged


def _window_s(timeout_s: float, min_samples: int) -> float:
    """A window into which enough timeouts in a row fit: else a service that hangs never opens a quiet circuit."""
    return min(max(DEFAULTS.window_s, timeout_s * (min_samples + 1)), LONGEST_WINDOW_S)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _table_problems(own: Mapping[str, Any], inherited: Mapping[str, Any], place: Location) -> list[str]:
    """What is wrong with one circuit table, seen over what it inherits."""
    problems = [
        f"{path((*place, key))} = {shown(value, (key,))}: {unknown_key(key, CIRCUIT_KEYS)}"
        for key, value in own.items()
        if key not in CIRCUIT_KEYS
    ]
    if own.get("scope", "fleet") not in ("fleet", "replica"):
        problems.append(f"{path((*place, 'scope'))} = {shown(own['scope'], ())}: must be 'fleet' or 'replica'")
    merged = _merged(inherited, own) if own else {}
    return problems + _policy_problems({key: _sayable(merged[key]) for key in POLICY_KEYS if key in merged}, place)


class _Unsayable:
    """Stands for a value that no rule takes, and that must not be repeated as it is."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return shown(self._value, ())


def _sayable(value: object) -> object:
    fits = isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < LARGEST)
    return value if fits else _Unsayable(value)


def _policy_problems(values: Mapping[str, Any], place: Location) -> list[str]:
    try:
        CircuitPolicy(**values)
    except ConfigurationError as error:
        return [f"{path(place)}.{problem}" for problem in error.problems]
    return []
