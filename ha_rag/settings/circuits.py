"""The circuit of each component: its own table merged over `[circuit]`, as a CircuitPolicy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, cast

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import ConfigurationError
from ha_rag.settings.components import Components, by_circuit
from ha_rag.settings.problems import path, unknown_key
from ha_rag.settings.showing import LARGEST, Location, shown
from ha_rag.settings.tables import ComponentTable

Scope = Literal["fleet", "replica"]
POLICY_KEYS = tuple(field.name for field in fields(CircuitPolicy))
CIRCUIT_KEYS = (*POLICY_KEYS, "scope")
DEFAULTS = CircuitPolicy()
LONGEST_WINDOW_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSettings:
    """One component's circuit. `name`: `<type>.<name>`."""

    name: str
    policy: CircuitPolicy
    scope: Scope


def resolved_circuits(components: Components, defaults: Mapping[str, Any]) -> dict[str, CircuitSettings]:
    """The circuits of all components by name. `defaults`: `[circuit]`. `circuit_problems` must have found none."""
    return {name: _circuit(name, component, defaults) for name, component in by_circuit(components)}


def circuit_problems(content: Mapping[str, Any], lists: Iterable[str]) -> list[str]:
    """What is wrong with the circuit tables of a parsed file, even if other tables are wrong. `lists`: their keys."""
    defaults = content.get("circuit", {})
    if not isinstance(defaults, dict):
        return []
    problems = _table_problems(defaults, {}, ("circuit",))
    inherited = {} if problems else defaults
    for key in lists:
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
    # A probe must not outlast recovery_timeout_s, so a component that shortens that also shortens an inherited probe.
    if "probe_timeout_s" in defaults and "probe_timeout_s" not in own:
        recovery_s = merged.get("recovery_timeout_s", DEFAULTS.recovery_timeout_s)
        if _is_number(recovery_s) and _is_number(merged["probe_timeout_s"]):
            merged["probe_timeout_s"] = min(merged["probe_timeout_s"], recovery_s)
    return merged


def _window_s(timeout_s: float, min_samples: int) -> float:
    """A window that holds enough consecutive timeouts: otherwise a hanging service with few calls never opens it."""
    return min(max(DEFAULTS.window_s, timeout_s * (min_samples + 1)), LONGEST_WINDOW_S)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _table_problems(own: Mapping[str, Any], inherited: Mapping[str, Any], place: Location) -> list[str]:
    """What is wrong with one circuit table, given the values that it inherits."""
    problems = [
        f"{path((*place, key))} = {shown(value, (key,))}: {unknown_key(key, CIRCUIT_KEYS)}"
        for key, value in own.items()
        if key not in CIRCUIT_KEYS
    ]
    if own.get("scope", "fleet") not in ("fleet", "replica"):
        problems.append(f"{path((*place, 'scope'))} = {shown(own['scope'], ())}: must be 'fleet' or 'replica'")
    merged = _merged(inherited, own) if own else {}
    return problems + _policy_problems({key: _printable(merged[key]) for key in POLICY_KEYS if key in merged}, place)


class _Unprintable:
    """Replaces a value of a wrong type, so that CircuitPolicy's message does not repeat it in full."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return shown(self._value, ())


def _printable(value: object) -> object:
    fits = isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < LARGEST)
    return value if fits else _Unprintable(value)


def _policy_problems(values: Mapping[str, Any], place: Location) -> list[str]:
    try:
        CircuitPolicy(**values)
    except ConfigurationError as error:
        return [f"{path(place)}.{problem}" for problem in error.problems]
    return []
