"""Stages: the tiers of each stage in order of preference, and what becomes of a stage when circuits are not closed.

Replicas say in their heartbeats which tiers they have. Replicas of 0.1.0 do not: their tiers are read from the names of
circuits, `primary` being the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ha_rag.messages import LAST_RESORTS, ComponentType
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot

STAGES = tuple(str(stage) for stage in ComponentType)

RECENT_S = 10.0
"""Answers within so many seconds tell which tier serves a stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStage:
    """`tiers`: in order of preference, each with its circuit. `served`: tier -> answers within the last seconds.

    `replicas`: how many live ones there are.
    """

    name: str
    tiers: Mapping[str, CircuitPicture]
    served: Mapping[str, int]
    is_ordered: bool
    replicas: int

    @property
    def last_resort(self) -> str:
        """What serves when no tier does."""
        return LAST_RESORTS[ComponentType(self.name)]

    def is_preferred(self, tier: str) -> bool:
        """Whether it is the first tier. Each may be it where the order is unknown."""
        return not self.is_ordered or tier == next(iter(self.tiers), "")

    def is_out(self) -> bool:
        """Whether every tier is open in the whole fleet."""
        return bool(self.tiers) and all(is_open_everywhere(circuit, self.replicas) for circuit in self.tiers.values())

    def successor(self, tier: str) -> str:
        """What answers instead of `tier`: of the others the one that served most; without a question the next one."""
        served = {name: count for name, count in self.served.items() if name != tier and count}
        if served:
            return max(served, key=lambda name: (served[name], name))
        others = (name for name, circuit in self.tiers.items() if name != tier and circuit.state != "open")
        return next(others, self.last_resort)

    def instead_of(self, tier: str) -> str:
        """What answers instead of `tier`, as words."""
        has_served = any(count for name, count in self.served.items() if name != tier)
        successor = self.successor(tier)
        return f"answered by {successor} instead" if has_served else f"{successor} answers instead"


def stages(picture: FleetSnapshot) -> list[FleetStage]:
    """The stages in order; those without a tier are left out."""
    circuits, served = _by_stage(picture.circuits), _served(picture)
    return [
        _stage(name, circuits[name], picture.tiers.get(name), served.get(name, {}), len(picture.replicas))
        for name in STAGES
        if name in circuits
    ]


def alone(picture: FleetSnapshot) -> Iterator[CircuitPicture]:
    """The circuits of no stage: those of a program's own calls."""
    return (circuit for circuit in picture.circuits if split(circuit.name)[0] not in STAGES)


def is_open_everywhere(circuit: CircuitPicture, replicas: int) -> bool:
    """Whether every replica refuses its calls. A circuit that each replica has for itself shows the worst state."""
    if circuit.state != "open" or circuit.scope == "fleet" or circuit.override is not None:
        return circuit.state == "open"
    return sum(there.state == "open" for there in circuit.differing) >= replicas


def split(circuit: str) -> tuple[str, str]:
    """Stage and tier of a circuit's name."""
    stage, _, tier = circuit.partition(".")
    return stage, tier


def _stage(
    name: str,
    circuits: dict[str, CircuitPicture],
    order: Iterable[str] | None,
    served: Mapping[str, int],
    replicas: int,
) -> FleetStage:
    known = [tier for tier in order or ("primary",) if tier in circuits]
    ordered = {tier: circuits[tier] for tier in [*known, *(tier for tier in circuits if tier not in known)]}
    return FleetStage(name=name, tiers=ordered, served=served, is_ordered=bool(known), replicas=replicas)


def _by_stage(circuits: Iterable[CircuitPicture]) -> dict[str, dict[str, CircuitPicture]]:
    found: dict[str, dict[str, CircuitPicture]] = {}
    for circuit in circuits:
        stage, tier = split(circuit.name)
        found.setdefault(stage, {})[tier] = circuit
    return found


def _served(picture: FleetSnapshot) -> dict[str, dict[str, int]]:
    """Stage -> tier -> answers within the last seconds."""
    served: dict[str, dict[str, int]] = {}
    for point in picture.traffic.history:
        if point.at < picture.at - RECENT_S:
            continue
        for stage, tiers in point.served.items():
            tally = served.setdefault(stage, {})
            for tier, count in tiers.items():
                tally[tier] = tally.get(tier, 0) + count
    return served
