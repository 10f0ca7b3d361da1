"""Logbook: what one replica sent to a ledger and when, what the ledger did, and which limits were exceeded."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, RestorePoint
from ha_rag.circuit.state import Circuit
from ha_rag.ledger.view.probe_lease import RETRY_S
from tests.ledger.virtual_ledgers import InspectableLedger, VirtualRedisLedger

A_SECOND = {"record": 31, "lease": 40, "settle": 40, "read": 40, "restore": 20, "beat": 25}
"""The most that one replica may send of each verb within a second, for one circuit, in a small fleet.

Reports: ten intervals, and a bucket of ten tokens refilled ten times a second. A lost ledger is retried every 0.05 to
0.5 s. A lease may be requested after each reply that makes a probe possible (`asked_for_a_probe`).
"""

ROUNDED_S = 0.001
"""The rules count whole milliseconds."""


@dataclass(frozen=True)
class Step:
    """One verb as the ledger executed it. `at_ms`: by the ledger's clock. `said`: its arguments."""

    at_ms: int
    before: Circuit
    after: Circuit
    said: Batch | RestorePoint


class Logbook:
    """The log of one replica. `steps`: its reports and restores. `faults`: violations. Times in virtual seconds."""

    def __init__(self, ledger: InspectableLedger) -> None:
        self.steps: list[Step] = []
        self.faults: list[str] = []
        self._ledger = ledger
        self._lately: dict[str, deque[float]] = {verb: deque() for verb in A_SECOND}
        self._asks_from_s = 0.0

    async def step(self, circuit: str, said: Batch | RestorePoint, act: Callable[[], Awaitable[Reply]]) -> Reply:
        """Executes a report or a restore, and notes what it changed."""
        before, at_ms = self._ledger.circuit(circuit), await self._ledger.now_ms()
        reply = await act()
        self.steps.append(Step(at_ms, before, self._ledger.circuit(circuit), said))
        return reply

    def contents(self, *circuits: str) -> object:
        """Everything that the ledger stores, with expiry times: must be unchanged after a call that writes nothing."""
        if isinstance(self._ledger, VirtualRedisLedger):
            return self._ledger.contents()
        return [self._ledger.circuit(name) for name in circuits]

    def sent(self, verb: str, now_s: float) -> None:
        """Redis's load does not grow with requests or with faults."""
        lately = self._lately.setdefault(verb, deque())
        lately.append(now_s)
        while lately[0] <= now_s - 1.0:
            lately.popleft()
        if len(lately) > A_SECOND.get(verb, len(lately)):
            self.faults.append(f"sent {len(lately)} times {verb} within a second")

    def asked_for_a_probe(self, now_s: float) -> None:
        """A refused replica refuses calls without asking, until the time it was given, or until the next message."""
        if now_s + ROUNDED_S < self._asks_from_s:
            self.faults.append(f"asked for a probe {self._asks_from_s - now_s:.3f} s before it was told to")

    def refused_a_probe(self, reply: Reply, now_s: float) -> None:
        self._asks_from_s = now_s + (reply.wait_ms / 1000 if reply.wait_ms >= 0 else RETRY_S)

    def received(self) -> None:
        self._asks_from_s = 0.0
