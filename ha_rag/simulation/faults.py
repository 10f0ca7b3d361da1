"""Faults of the simulated provider: how it fails, how often, and for how long."""

from __future__ import annotations

import asyncio
import enum
import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TypeVar

from ha_rag.clock import Clock
from ha_rag.errors import ConfigurationError
from ha_rag.simulation.fault_modes import FaultMode

LONGEST_S = 86_400.0
Member = TypeVar("Member", bound=enum.StrEnum)


class Target(enum.StrEnum):
    """The endpoint that a fault affects."""

    EMBEDDINGS = "embeddings"
    CHAT = "chat"
    RERANK = "rerank"


class GarbageKind(enum.StrEnum):
    """The kind of unusable body. any: all of them in turn."""

    ANY = "any"
    HTML = "html"
    HALF = "half"
    NAN = "nan"
    EMPTY = "empty"
    DIMENSION = "dimension"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. Immutable. Raises ConfigurationError.

    `rate`: the share of calls that it affects, above 0 and up to 1. `for_s`: seconds until it expires.
    `retry_after_s`: for throttle; 0 omits the header. `delay_s`: for slow and drip. `status`: 400 to 599; None: 500 for
    error, 429 for throttle.
    """

    mode: FaultMode
    rate: float = 1.0
    for_s: float = 30.0
    retry_after_s: float = 5.0
    delay_s: float = 2.0
    status: int | None = None
    kind: GarbageKind = GarbageKind.ANY

    def __post_init__(self) -> None:
        problems = [
            *_outside("rate", self.rate, above=0.0, most=1.0),
            *_outside("for_s", self.for_s, above=0.0, most=LONGEST_S),
            *_outside("retry_after_s", self.retry_after_s, above=-1e-9, most=LONGEST_S),
            *_outside("delay_s", self.delay_s, above=-1e-9, most=LONGEST_S),
        ]
        if self.status is not None and (type(self.status) is not int or not 400 <= self.status <= 599):
            problems.append(f"status = {self.status!r}: must be a whole number from 400 to 599")
        if problems:
            raise ConfigurationError(*problems)

    @classmethod
    def from_request(cls, request: object) -> Fault:
        """The fault described by a JSON object. Raises ConfigurationError for unknown keys and invalid values."""
        if not isinstance(request, Mapping):
            raise ConfigurationError(
                'the body must be a JSON object such as {"mode": "error", "rate": 1.0, "for_s": 30}'
            )
        unknown = sorted(set(map(str, request)) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigurationError(*(f"{key}: unknown key" for key in unknown))
        given = {key: value for key, value in request.items() if value is not None}
        mode = _member(FaultMode, "mode", given.pop("mode", None))
        kind = _member(GarbageKind, "kind", given.pop("kind", GarbageKind.ANY))
        return cls(mode=mode, kind=kind, **given)


@dataclass(frozen=True, slots=True, eq=False)
class RunningFault:
    """An active fault. `until_s`: its expiry by the board's clock. `over`: set when it is ended early."""

    fault: Fault
    until_s: float
    over: asyncio.Event


class FaultBoard:
    """The active fault of each target. For one event loop.

    `seed`: of the random generator that decides which calls a `rate` below 1 affects; the same calls in every run.
    """

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self._clock = clock
        self._dice = random.Random(seed)
        self._running: dict[Target, RunningFault] = {}

    def start(self, target: Target, fault: Fault) -> None:
        """Starts `fault`, replacing an earlier one."""
        self.end(target)
        self._running[target] = RunningFault(fault, self._clock.monotonic_s() + fault.for_s, asyncio.Event())

    def end(self, target: Target) -> None:
        """Ends the fault of `target`, if there is one, and releases the calls that it delays."""
        running = self._running.pop(target, None)
        if running is not None:
            running.over.set()

    def end_all(self) -> None:
        """Ends every fault."""
        for target in Target:
            self.end(target)

    def hits(self, target: Target) -> RunningFault | None:
        """The fault that affects this call to `target`, or None."""
        running = self._running.get(target)
        if running is None:
            return None
        if self.left_s(running) == 0.0:
            self.end(target)
            return None
        return running if running.fault.rate >= 1.0 or self._dice.random() < running.fault.rate else None

    def left_s(self, running: RunningFault) -> float:
        """Seconds until the fault expires, never below 0."""
        return max(0.0, running.until_s - self._clock.monotonic_s())

    def as_json(self) -> dict[str, object]:
        """Each target's active fault and its remaining seconds; None if there is none."""
        return {target.value: self._as_json(self._running.get(target)) for target in Target}

    def _as_json(self, running: RunningFault | None) -> dict[str, object] | None:
        left_s = 0.0 if running is None else self.left_s(running)
        return None if running is None or left_s == 0.0 else {**asdict(running.fault), "ends_in_s": round(left_s, 3)}


def _member(kind: type[Member], name: str, value: object) -> Member:
    try:
        return kind(str(value))
    except ValueError:
        raise ConfigurationError(f"{name} = {value!r}: must be one of {', '.join(kind)}") from None


def _outside(name: str, value: object, *, above: float, most: float) -> list[str]:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if above < number <= most:
        return []
    return [f"{name} = {value!r}: must be a number {'above 0' if above == 0 else 'from 0'} to {most:g}"]
