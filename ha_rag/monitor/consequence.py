"""What an order over a circuit will do, in words and figures, and how to undo it: said before and after it is given."""

from __future__ import annotations

from typing import Literal

from ha_rag.harmless import harmless
from ha_rag.monitor.circuit_words import BY_HAND
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot
from ha_rag.monitor.stages import RECENT_S, FleetStage, split, stages

Order = Literal["open", "closed", "disabled", "shadow", "auto"]
"""The mode of an override, or "auto", which ends it."""

COMMANDS: dict[str, str] = {
    "open": "open",
    "closed": "close",
    "disabled": "disable",
    "shadow": "shadow",
    "auto": "auto",
}
"""Order -> the word of `ha-rag circuits` for it."""

IN_FORCE: dict[str, str] = {**BY_HAND, "auto": "left to itself again"}
"""Order -> the circuit while it is in force."""


def consequence(picture: FleetSnapshot, circuit: CircuitPicture, order: Order) -> str:
    """What `order` would do to this fleet now. Figures are of about the last ten seconds."""
    replicas = _replicas(picture)
    match order:
        case "open":
            return f"{replicas}; {_diverted(picture, circuit)}"
        case "closed":
            effect = "every call is let through, even if all fail, until the override ends"
        case "disabled":
            effect = "every call is let through and none is counted, until the override ends"
        case "shadow":
            effect = "every call is let through; it is only reported when the circuit would have opened"
        case "auto":
            return f"{replicas}; {_released(circuit)}"
    return f"{replicas}; {effect}{_returned(picture, circuit)}"


def possible_orders(circuit: CircuitPicture) -> tuple[Order, ...]:
    """The orders that can be given, the least destructive first; "auto" only where there is an override to end."""
    ending: tuple[Order, ...] = ("auto",) if circuit.override else ()
    return (*ending, "shadow", "closed", "disabled", "open")


def undo(circuit: CircuitPicture) -> tuple[Order, str]:
    """The order that restores what is in force now, and its reason. `circuit`: as it is before another order."""
    if circuit.override is None:
        return "auto", ""
    return circuit.override.mode, circuit.override.reason


def _replicas(picture: FleetSnapshot) -> str:
    number = max(1, len(picture.replicas))
    return f"{number} replica{'s' if number > 1 else ''}"


def _diverted(picture: FleetSnapshot, circuit: CircuitPicture) -> str:
    stage, tier = _place(picture, circuit)
    if stage is None:
        return "every call through this circuit is refused"
    instead = stage.successor(tier)
    target = f"go to {harmless(instead, longest=100)} instead"
    if instead == stage.last_resort:
        target = f"get the last resort ({instead}), since no other tier is left"
    if circuit.state == "open":
        return f"it is open already, and no longer closes by itself; all questions {target}"
    rate = _rate(picture, stage, tier)
    return f"{_amount(rate)} {target}" if rate else f"no questions use it now; further ones {target}"


def _returned(picture: FleetSnapshot, circuit: CircuitPicture) -> str:
    """What comes back to a circuit that refuses calls now."""
    stage, tier = _place(picture, circuit)
    if stage is None or circuit.state != "open":
        return ""
    rate = sum(_rate(picture, stage, name) for name in _after(stage, tier))
    return f"; {_amount(rate)} are tried on {harmless(tier, longest=100)} again" if rate else ""


def _after(stage: FleetStage, tier: str) -> list[str]:
    """The tiers that answer when `tier` does not: those behind it, and the last resort."""
    names = list(stage.tiers)
    behind = names[names.index(tier) + 1 :]
    return behind + [name for name in stage.served if name not in stage.tiers]


def _released(circuit: CircuitPicture) -> str:
    if circuit.override is None:
        return "there is no override to end"
    if circuit.override.mode == "open":
        return "it becomes half-open: the next calls are its probes, and it closes once they succeed"
    return "it follows its calls again, and opens by itself if they fail"


def _place(picture: FleetSnapshot, circuit: CircuitPicture) -> tuple[FleetStage | None, str]:
    name, tier = split(circuit.name)
    return next((stage for stage in stages(picture) if stage.name == name), None), tier


def _rate(picture: FleetSnapshot, stage: FleetStage, tier: str) -> float:
    """Answers a second that the tier gave."""
    seconds = sum(point.seconds for point in picture.traffic.history if point.at >= picture.at - RECENT_S)
    return stage.served.get(tier, 0) / seconds if seconds > 0 else 0.0


def _amount(per_s: float) -> str:
    if per_s >= 1.5:
        return f"{per_s:.0f} questions a second"
    return f"{max(2, round(60 * per_s))} questions a minute"
