"""DrillRun: runs the stages one after the other under steady traffic, and measures each."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ha_rag.circuit.latency import MIN_CALLS
from ha_rag.drill.configuration import Timing
from ha_rag.drill.fleet import DrillFleet, ReplicaHealth
from ha_rag.drill.recording import Recording
from ha_rag.drill.result import StageResult
from ha_rag.drill.stages import Stage
from ha_rag.simulation.load_stats import LoadStats, QuestionResult
from ha_rag.simulation.questions import LoadProfile, ask_open

POLL_S = 0.05
RECOVERY_LIMIT_S = 45.0
"""How long a fleet may take to become healthy, or the good calls of a steady stage to arrive."""
WARM_UP_MARGIN = 3.0
"""How many times longer than computed those calls may take, if that is more."""


@dataclass(slots=True)
class Progress:
    """A drill at a moment, for the live view. `since_s`: monotonic start of the phase. `health`: by replica.

    `questions`: those of the current stage, before its outage or from then on.
    """

    stage: Stage | None = None
    phase: str = ""
    since_s: float = 0.0
    health: dict[str, ReplicaHealth] = field(default_factory=dict)
    results: list[StageResult] = field(default_factory=list)
    questions: LoadStats = field(default_factory=LoadStats)


class DrillRun:
    """One drill. `per_s`: questions per second. For one event loop.

    `progress` may be read at any time, `recording` at the end.
    """

    def __init__(self, fleet: DrillFleet, timing: Timing, *, per_s: float) -> None:
        self._fleet = fleet
        self._timing = timing
        self._per_s = per_s
        self._polled = asyncio.Event()
        self.progress = Progress()
        self.recording = Recording(time.monotonic())
        self._questions: list[tuple[float, LoadStats]] = [(-math.inf, LoadStats())]
        self._good_calls: Counter[tuple[str, str]] = Counter()

    async def run(self, stages: Sequence[Stage]) -> list[StageResult]:
        """Runs every stage. Returns the results in the same order."""
        profile, stop = LoadProfile(url=self._fleet.url, for_s=86_400.0), asyncio.Event()
        traffic = asyncio.create_task(ask_open(profile, self._per_s, heard=self._on_reply, stop=stop))
        polling = asyncio.create_task(self._poll())
        running = asyncio.create_task(self._run_stages(stages))
        try:
            await asyncio.wait((running, traffic, polling), return_when=asyncio.FIRST_COMPLETED)
            for background in (traffic, polling):
                if background.done():
                    background.result()  # only an error ends it early
            measured = await running
            stop.set()
            await traffic
        finally:
            for task in (running, traffic, polling):
                task.cancel()
            await asyncio.gather(running, traffic, polling, return_exceptions=True)
        # Only now has every question been answered that was in flight at the end of its stage.
        stats = [stats for _, stats in self._questions[1:]]
        usual_ms = self.recording.usual_ms
        return [
            result.counting(before, during, usual_ms)
            for result, before, during in zip(measured, stats[::2], stats[1::2], strict=True)
        ]

    # ---- the stages -------------------------------------------------------------------------------------------------

    async def _run_stages(self, stages: Sequence[Stage]) -> list[StageResult]:
        return [await self._run_stage(stage) for stage in stages]

    async def _run_stage(self, stage: Stage) -> StageResult:
        missed = await self._prepare(stage)
        before, received_before = self.progress.questions, await self._received(stage)
        started_s = self._enter(stage, "outage", new_questions=True)
        await stage.start(self._fleet)
        opened_s = await self._opened(stage, started_s)
        received_by_then = await self._received(stage)
        await self._rest_of_outage(stage, started_s)
        received = await self._received(stage)
        # Only now, since a replica that is asked for the whole fleet reads Redis.
        if (picture := await self._fleet.picture()) is not None:
            self.recording.pictures.append((stage.title, picture))
        ended_s = self._enter(stage, "recovery")
        if stage.end is not None:
            await stage.end(self._fleet)
        recovered = await self._within(RECOVERY_LIMIT_S, self._all_healthy)
        closed_s = time.monotonic() - (started_s if stage.end is None else ended_s)
        if stage.opens and opened_s is None:
            missed.append("the circuit did not open at every replica")
        if not recovered:
            missed.append("the fleet did not recover")
        result = StageResult(
            name=stage.name,
            title=stage.title,
            opened_s=None if opened_s is None else round(opened_s, 2),
            wasted=received_by_then - received_before if stage.targets else None,
            reached=received - received_by_then if stage.targets and opened_s is not None else None,
            closed_s=round(closed_s, 2) if recovered else None,
            missed=tuple(missed),
        ).counting(before, self.progress.questions, self.recording.usual_ms)
        self.progress.results.append(result)
        return result

    async def _prepare(self, stage: Stage) -> list[str]:
        """Waits for a healthy fleet and, where the stage wants it, for its steady traffic. Returns what was missed."""
        began_s = self._enter(stage, "steady traffic" if stage.steady else "healthy", new_questions=True)
        missed = []
        if not await self._within(RECOVERY_LIMIT_S, self._all_healthy):
            missed.append("the fleet was not healthy before the outage")
        if stage.steady:
            expected_s = len(self._fleet.replicas) * MIN_CALLS / self._per_s
            limit_s = self._timing.window_s + max(RECOVERY_LIMIT_S, WARM_UP_MARGIN * expected_s)
            if not await self._within(limit_s, lambda: self._is_warm(stage.steady, began_s)):
                missed.append(f"not every replica had {MIN_CALLS} good calls before the outage")
        return missed

    def _is_warm(self, tier: str, began_s: float) -> bool:
        full_window = time.monotonic() - began_s >= self._timing.window_s
        return full_window and all(self._good_calls[tier, replica] >= MIN_CALLS for replica in self._fleet.replicas)

    async def _opened(self, stage: Stage, started_s: float) -> float | None:
        """Seconds until the circuits of the stage are open at every replica that answers; None: they are not."""

        def all_open() -> bool:
            health = self.progress.health.values()
            return bool(health) and all(each.states.get(name) == "open" for each in health for name in stage.opens)

        if stage.opens and await self._within(self._outage_s(stage), all_open):
            return time.monotonic() - started_s
        return None

    async def _rest_of_outage(self, stage: Stage, started_s: float) -> None:
        if stage.end is None:
            await self._within(self._outage_s(stage), lambda: not self._all_healthy())
        else:
            await asyncio.sleep(max(0.0, started_s + self._outage_s(stage) - time.monotonic()))

    def _outage_s(self, stage: Stage) -> float:
        return max(self._timing.outage_s, stage.at_least_s)

    async def _received(self, stage: Stage) -> int:
        return await self._fleet.calls_received(stage.targets) if stage.targets else 0

    def _all_healthy(self) -> bool:
        health = self.progress.health
        return len(health) == len(self._fleet.replicas) and all(each.healthy for each in health.values())

    async def _within(self, limit_s: float, condition: Callable[[], bool]) -> bool:
        """Whether the condition comes to hold, according to a poll that began after this call."""
        for _ in range(2):  # the first may have begun before
            self._polled.clear()
            await self._polled.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not condition():
                    await asyncio.sleep(POLL_S / 2)
                return True
        return False

    # ---- in the background ------------------------------------------------------------------------------------------

    def _on_reply(self, reply: QuestionResult) -> None:
        """Counts a reply for the stage in which its question was asked."""
        self.recording.add_reply(reply)
        self._good_calls.update((f"{stage}.{tier}", reply.replica) for stage, tier in reply.served_by.items())
        next(stats for began_s, stats in reversed(self._questions) if began_s <= reply.asked_at_s).add(reply)

    async def _poll(self) -> None:
        while True:
            began_s = time.monotonic()
            self.progress.health = await self._fleet.health()
            states = {name: health.states for name, health in self.progress.health.items()}
            self.recording.add_states(states, self._fleet.replicas, time.monotonic())
            self._polled.set()
            await asyncio.sleep(max(0.0, began_s + POLL_S - time.monotonic()))

    def _enter(self, stage: Stage, phase: str, *, new_questions: bool = False) -> float:
        """Enters a phase, for which questions are counted anew if wanted. Returns the time."""
        now_s = time.monotonic()
        if new_questions:
            self.progress.questions = LoadStats()
            self._questions.append((now_s, self.progress.questions))
        self.progress.stage, self.progress.phase, self.progress.since_s = stage, phase, now_s
        self.recording.enter_phase(stage.title, phase, now_s)
        return now_s
