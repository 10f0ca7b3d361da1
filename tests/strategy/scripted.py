"""Scripted stand-ins for circuits and components: they follow a script and record their calls."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ha_rag.breaker.judge import Judge
from ha_rag.breaker.outcome import Classify
from ha_rag.breaker.permit import Admission, Permit, Probe, Refusal
from ha_rag.breaker.recorder import Recorder
from ha_rag.breaker.verdict import Verdict
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.messages import Embedding, Generation, Passage, Space
from ha_rag.outcomes import Outcome
from ha_rag.sharing import Freshness, Scope

HANGS = "hangs"
SPACE = Space("test", "1", 4)


class ScriptedRecorder(Recorder):
    """Records the outcome of one call, which is SLOW instead of OK if `slow`."""

    def __init__(self, timeout_s: float | None, *, slow: bool) -> None:
        self.now = asyncio.get_running_loop().time
        self.timeout_s = timeout_s
        self.slow = slow
        self.judge = Judge()
        self.reported: list[Outcome] = []

    @property
    def usual_s(self) -> float:
        return math.inf

    @property
    def overdue_s(self) -> float:
        return math.inf

    def answer_verdict(self, started_s: float) -> Verdict:
        return Verdict(Outcome.SLOW if self.slow else Outcome.OK)

    def begun(self, epochs: Epochs, number: int) -> float:
        return self.now()

    def effective_start_s(self, started_s: float, begun_s: float | None) -> float:
        return started_s

    def succeeded(self, epochs: Epochs, started_s: float, number: int) -> Outcome:
        return self._report(self.answer_verdict(started_s))

    def record(self, epochs: Epochs, started_s: float, number: int, verdict: Verdict) -> Outcome:
        return self._report(verdict)

    def settle(self, grant: Grant, started_s: float, verdict: Verdict) -> Outcome:
        return self._report(verdict)

    def _report(self, verdict: Verdict) -> Outcome:
        self.reported.append(verdict.outcome)
        return verdict.outcome


@dataclass
class ScriptedBreaker:
    name: str
    scope: str = "fleet"
    timeout_s: float | None = None
    state: CircuitState = CircuitState.CLOSED
    shared_state: Freshness = Freshness.FRESH
    grants_soon: bool = False
    probing: bool = False
    bound_s: float | None = None
    slow: bool = False
    asked: int = 0
    waited: int = 0
    recorders: list[ScriptedRecorder] = field(default_factory=list)
    """One for each permit issued."""

    @property
    def reported(self) -> list[Outcome]:
        return [outcome for recorder in self.recorders for outcome in recorder.reported]

    def admit(self) -> Admission:
        self.asked += 1
        if self.probing or self.state is CircuitState.CLOSED:
            return self._grant()
        now = asyncio.get_running_loop().time
        return Refusal(self.name, self.state, now() + 3.0, now)

    async def admit_soon(self) -> Admission:
        self.waited += 1
        if self.grants_soon:
            self.probing = True
            return self._grant()
        await asyncio.sleep(0.05)
        return self.admit()

    def _grant(self) -> Permit:
        recorder = ScriptedRecorder(self.timeout_s, slow=self.slow)
        self.recorders.append(recorder)
        now_s = recorder.now()
        if not self.probing:
            return Permit(recorder, Epochs(0, 0), now_s)
        probe = Probe(recorder, Grant("token", now_s + 60.0, 0, False, now_s + 60.0), now_s)
        probe.bound_s = self.bound_s
        return probe


class ScriptedCircuits:
    replica = "rag-1"

    def __init__(self) -> None:
        self.breakers: dict[str, ScriptedBreaker] = {}
        self.policies: dict[str, CircuitPolicy | None] = {}

    def breaker(
        self,
        name: str,
        policy: CircuitPolicy | None = None,
        *,
        scope: Scope = "fleet",
        timeout_s: float | None = None,
        classify: Classify | None = None,
    ) -> ScriptedBreaker:
        self.policies[name] = policy
        return self.breakers.setdefault(name, ScriptedBreaker(name, scope, timeout_s))

    def __getitem__(self, name: str) -> ScriptedBreaker:
        return self.breakers[name]


@dataclass
class Scripted:
    """Follows `script`: each step is a reply, an error, HANGS, a function or None (a valid reply). The last repeats."""

    script: tuple[Any, ...] = ()
    dimension: int = 4
    space: Space = SPACE
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    cancelled: int = 0
    released: asyncio.Event | None = None

    async def _play(self, default: Any, *arguments: Any) -> Any:
        step = self.script[min(len(self.calls), len(self.script) - 1)] if self.script else default
        self.calls.append(arguments)
        if step == HANGS:
            await self._hang()
            return default
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            result = step()
            return await result if asyncio.iscoroutine(result) else result
        return default if step is None else step

    async def _hang(self) -> None:
        self.released = asyncio.Event()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def embed(self, text: str) -> Embedding:
        return await self._play(Embedding(np.full(4, 0.5, np.float32), self.space), text)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        return [await self.embed(text) for text in texts]

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        return await self._play(passages(top_k), question, embedding, top_k)

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[float]:
        return await self._play([float(n) for n in range(len(passages))], question, passages)

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        return await self._play(Generation("It waits, then it tries [2].", (2,)), question, passages)


class ScriptedStream(Scripted):
    """Streams: each step of the script is a piece, an exception, HANGS, or a pause in seconds."""

    async def stream(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[str]:
        self.calls.append((question, passages))
        for step in self.script:
            if step == HANGS:
                await self._hang()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, BaseException):
                raise step
            elif callable(step):
                step()
            else:
                yield step


def passages(count: int) -> list[Passage]:
    return [Passage(f"doc{n}", f"doc{n}#0", f"text {n}", 1.0 / n, title=f"Title {n}") for n in range(1, count + 1)]
