"""Stand-ins: circuits that say what they are told and remember what they were told, and components likewise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import InvalidRequestError, ServiceTimeoutError, ThrottledError
from ha_rag.messages import Embedding, Generation, Outcome, Passage, Space
from ha_rag.strategy.guard import Scope

HANGS = "hangs"
SPACE = Space("test", "1", 4)


@dataclass
class ScriptedPermit:
    probe: bool = False
    bound_s: float | None = None
    slow: bool = False
    told: list[Outcome] = field(default_factory=list)

    def _settle(self, outcome: Outcome) -> Outcome:
        if not self.told:
            self.told.append(outcome)
        return outcome

    def ok(self) -> Outcome:
        return self._settle(Outcome.SLOW if self.slow else Outcome.OK)

    def failed(self, error: BaseException | None = None) -> Outcome:
        return self._settle(Outcome.FAILED)

    def timed_out(self) -> Outcome:
        return self._settle(Outcome.TIMEOUT)

    def cancelled(self) -> Outcome:
        return self._settle(Outcome.CANCELLED)

    def raised(self, error: BaseException) -> Outcome:
        by_class = {
            ThrottledError: Outcome.THROTTLED,
            InvalidRequestError: Outcome.INVALID,
            ServiceTimeoutError: Outcome.TIMEOUT,
        }
        return self._settle(by_class.get(type(error), Outcome.FAILED))


@dataclass(frozen=True)
class ScriptedAdmission:
    permit: ScriptedPermit | None
    state: CircuitState
    retry_after_s: float | None = None
    asked: asyncio.Future[None] | None = None


@dataclass
class ScriptedBreaker:
    name: str
    scope: str = "fleet"
    timeout_s: float | None = None
    state: CircuitState = CircuitState.CLOSED
    shared_state: str = "fresh"
    grants_soon: bool = False
    probing: bool = False
    bound_s: float | None = None
    slow: bool = False
    asked: int = 0
    waited: int = 0
    permits: list[ScriptedPermit] = field(default_factory=list)

    @property
    def told(self) -> list[Outcome]:
        return [outcome for permit in self.permits for outcome in permit.told]

    def admit(self) -> ScriptedAdmission:
        self.asked += 1
        if self.probing:
            return self._grant(CircuitState.HALF_OPEN)
        if self.state is CircuitState.CLOSED:
            return self._grant(CircuitState.CLOSED)
        return ScriptedAdmission(None, self.state, 3.0)

    async def admit_soon(self) -> ScriptedAdmission:
        self.waited += 1
        if self.grants_soon:
            self.probing = True
            return self._grant(CircuitState.HALF_OPEN)
        await asyncio.sleep(0.05)
        return self.admit()

    def _grant(self, state: CircuitState) -> ScriptedAdmission:
        permit = ScriptedPermit(probe=self.probing, bound_s=self.bound_s, slow=self.slow)
        self.permits.append(permit)
        return ScriptedAdmission(permit, state)


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
    ) -> ScriptedBreaker:
        self.policies[name] = policy
        return self.breakers.setdefault(name, ScriptedBreaker(name, scope, timeout_s))

    def __getitem__(self, name: str) -> ScriptedBreaker:
        return self.breakers[name]


@dataclass
class Scripted:
    """Does what `script` says: returns, raises, hangs, or calls a function; None: answers; the last step repeats."""

    script: tuple[Any, ...] = ()
    dimension: int = 4
    space: Space = SPACE
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    cancelled: int = 0
    released: asyncio.Event | None = None

    async def _play(self, default: Any, *asked: Any) -> Any:
        step = self.script[min(len(self.calls), len(self.script) - 1)] if self.script else default
        self.calls.append(asked)
        if step == HANGS:
            await self._hang()
            return default
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            made = step()
            return await made if asyncio.iscoroutine(made) else made
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
