"""AnswerIds: ids of answers that say, to the fleet alone, how the answer was made.

Feedback arrives later and at any replica. So that no answer has to be stored for it, its id carries what is counted:
when it was given, which stages were degraded, a mark of each stage's tier and, in an experiment, the arm and a mark of
who asked. It is signed with a secret of the fleet, so an id that this fleet did not give is known as such.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ha_rag.clock import Clock, SystemClock
from ha_rag.messages import AssignedArm, ComponentType

STAGES = tuple(str(stage) for stage in ComponentType)
VALID_S = 7 * 24 * 3600
AHEAD_S = 3600
"""Clocks of replicas differ by less than this."""

SECRETS_KEPT = 4
"""Earlier secrets whose ids are still known, after Redis has lost or changed the fleet's."""

_RANDOM_BYTES = 8
"""Two answers of one second by the same tiers differ in these alone. Three were too few: of a thousand such answers two
had the same id in 3 of 100 seconds, and the second one's ratings were taken for the first one's."""

_FACTS = struct.Struct(f">IB4H{_RANDOM_BYTES}s")
_ARM = struct.Struct(">HHI")
"""Marks of the experiment and of the arm, and the unit. Only in ids of answers that are part of an experiment."""

_SIGNATURE_BYTES = 8
ID_LENGTH = 2 * (_FACTS.size + _SIGNATURE_BYTES)
ID_LENGTHS = (ID_LENGTH, ID_LENGTH + 2 * _ARM.size)


@dataclass(frozen=True, slots=True)
class Made:
    """How an answer was made. `degraded`: its degraded stages. `tiers`: circuit names, such as "generator.primary".

    `arm`: the place of its arm in the running experiment; None if it is not part of that one. `unit`: a mark of who
    asked.
    """

    degraded: tuple[str, ...]
    tiers: tuple[str, ...]
    arm: int | None = None
    unit: int = 0


class AnswerIds:
    """Makes and reads ids. Safe across threads.

    `tiers`: stage -> the names of tiers that may serve it. An answer by another one is read without that tier.
    `experiment`: what identifies the running one, and the names of its arms; "" without one.
    """

    def __init__(
        self,
        tiers: Mapping[str, Sequence[str]],
        clock: Clock | None = None,
        experiment: str = "",
        arms: Sequence[str] = (),
    ) -> None:
        self._clock = clock or SystemClock()
        self._secrets = deque([secrets.token_bytes(32)], SECRETS_KEPT)
        self._tiers = {stage: {_mark(name): name for name in reversed(names)} for stage, names in tiers.items()}

        self._experiment = _mark(experiment)
        self._arms = {_mark(name): place for place, name in enumerate(arms)}

    def sign_with(self, secret: str) -> None:
        """Signs with the fleet's secret from now on, in hexadecimal; ids that were signed before stay known."""
        known = bytes.fromhex(secret)
        if known != self._secrets[0]:
            self._secrets.appendleft(known)

    def new(self, served_by: Mapping[str, str], degraded: Collection[str], assigned: AssignedArm | None = None) -> str:
        """An id for an answer that is made now. `assigned`: its arm of the experiment."""
        flags = sum(1 << n for n, stage in enumerate(STAGES) if stage in degraded)
        marks = (_mark(served_by[stage]) if stage in served_by else 0 for stage in STAGES)
        facts = _FACTS.pack(self._now_s() & 0xFFFFFFFF, flags, *marks, os.urandom(_RANDOM_BYTES))
        if assigned is not None and assigned.counted:
            facts += _ARM.pack(self._experiment, _mark(assigned.arm), assigned.unit)
        return (facts + _signature(self._secrets[0], facts)).hex()

    def read(self, answer: str) -> Made | None:
        """How this answer was made; None if the fleet gave none with this id within a week."""
        if len(answer) not in ID_LENGTHS or not set(answer) <= set("0123456789abcdef"):
            return None
        written = bytes.fromhex(answer)
        facts, signature = written[:-_SIGNATURE_BYTES], written[-_SIGNATURE_BYTES:]
        if not any(secrets.compare_digest(_signature(known, facts), signature) for known in list(self._secrets)):
            return None
        at_s, flags, *marks, _ = _FACTS.unpack(facts[: _FACTS.size])
        if not -AHEAD_S <= self._now_s() - at_s <= VALID_S:
            return None
        degraded = tuple(stage for n, stage in enumerate(STAGES) if flags & 1 << n)
        names = ((stage, self._tiers.get(stage, {}).get(mark)) for stage, mark in zip(STAGES, marks, strict=True))
        tiers = tuple(f"{stage}.{name}" for stage, name in names if name is not None)
        return Made(degraded, tiers, *self._arm(facts[_FACTS.size :]))

    def _arm(self, written: bytes) -> tuple[int | None, int]:
        if not written:
            return None, 0
        experiment, arm, unit = _ARM.unpack(written)
        return self._arms.get(arm) if experiment == self._experiment else None, unit

    def _now_s(self) -> int:
        return self._clock.unix_ms() // 1000


def _mark(name: str) -> int:
    """Two bytes that tell the tiers of a stage apart; never 0, which stands for a stage that did not run."""
    return 1 + int.from_bytes(hashlib.blake2s(name.encode(), digest_size=4).digest()) % 0xFFFF


def _signature(secret: bytes, facts: bytes) -> bytes:
    return hashlib.blake2s(facts, key=secret, digest_size=_SIGNATURE_BYTES).digest()
