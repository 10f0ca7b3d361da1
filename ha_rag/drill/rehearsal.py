"""Rehearsal: runs the stages one after the other, and measures each while questions keep coming."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ha_rag.drill.film import Film
from ha_rag.drill.ground import Ground, Sight
from ha_rag.drill.result import StageResult
from ha_rag.drill.stages import Stage
from ha_rag.simulation.load_stats import LoadStats, QuestionResult
from ha_rag.simulation.questions import LoadProfile, ask_open

LOOK_S = 0.05
LONGEST_RECOVERY_S = 45.0


@dataclass(slots=True)
class Scene:
    """What is seen at a moment, for whoever draws it. `seen`: by replica."""

    stage: Stage | None = None
    phase: str = ""
    since_s: float = 0.0
    seen: dict[str, Sight] = field(default_factory=dict)
    results: list[StageResult] = field(default_factory=list)
    tally: LoadStats = field(default_factory=LoadStats)


class Rehearsal:
    """One drill. `outage_s`: how long each outage lasts. `per_s`: questions a second. For one event loop.

    `scene` may be read at any time, `film` when it is over.
    """

    def __init__(self, ground: Ground, *, outage_s: float, per_s: float) -> None:
        self._ground = ground
        self._outage_s = outage_s
        self._per_s = per_s
        self._looked = asyncio.Event()
        self.scene = Scene()
        self.film = Film(time.monotonic())
        self._tallies: list[tuple[float, LoadStats]] = [(-math.inf, LoadStats())]

    async def run(self, stages: Sequence[Stage]) -> list[StageResult]:
        """Rehearses every stage; results in their order."""
        stream, enough = LoadProfile(url=self._ground.url, for_s=86_400.0), asyncio.Event()
        asking = asyncio.create_task(ask_open(stream, self._per_s, heard=self._heard, stop=enough))
        looking = asyncio.create_task(self._look_on())
        try:
            measured = [await self._rehearse(stage) for stage in stages]
            enough.set()
            await asking
        finally:
            for task in (asking, looking):
                task.cancel()
            await asyncio.gather(asking, looking, return_exceptions=True)
        # Only now is every question answered that was asked in the last moment of a stage.
        return [result.counting(tally) for result, (_, tally) in zip(measured, self._tallies[1:], strict=True)]

    # ---- one stage --------------------------------------------------------------------------------------------------

    async def _rehearse(self, stage: Stage) -> StageResult:
        ground, missed = self._ground, []
        self._enter(stage, "healthy")
        if not await self._within(LONGEST_RECOVERY_S, self._all_is_well):
            missed.append("the fleet was not well before it")
        self._enter(stage, "outage")
        struck_s = time.monotonic()
        self.scene.tally = tally = LoadStats()
        self._tallies.append((struck_s, tally))
        await stage.strike(ground)
        opened_s, reached = None, None
        if stage.opens:
            opened_s = await self._opened(stage, struck_s)
            missed += [] if opened_s is not None else ["not every replica opened"]
        before = await ground.received(stage.dead) if stage.dead else 0
        if stage.recover is None:
            await self._within(self._outage_s, lambda: not self._all_is_well())
        else:
            await asyncio.sleep(max(0.0, struck_s + self._outage_s - time.monotonic()))
        if stage.dead and opened_s is not None:
            reached = await ground.received(stage.dead) - before
        self._enter(stage, "recovery")
        recovered_s = struck_s if stage.recover is None else time.monotonic()
        if stage.recover is not None:
            await stage.recover(ground)
        well = await self._within(LONGEST_RECOVERY_S, self._all_is_well)
        closed_s = time.monotonic() - recovered_s if well else None
        missed += [] if well else ["not everything came back"]
        result = StageResult(
            name=stage.name,
            title=stage.title,
            reached=reached,
            opened_s=_rounded(opened_s),
            closed_s=_rounded(closed_s),
            missed=tuple(missed),
        ).counting(tally)
        self.scene.results.append(result)
        return result

    async def _opened(self, stage: Stage, struck_s: float) -> float | None:
        def all_refuse() -> bool:
            seen = self.scene.seen.values()
            return bool(seen) and all(sight.states.get(name) == "open" for sight in seen for name in stage.opens)

        opened = await self._within(self._outage_s, all_refuse)
        return time.monotonic() - struck_s if opened else None

    def _all_is_well(self) -> bool:
        seen = self.scene.seen
        return len(seen) == len(self._ground.replicas) and all(sight.well for sight in seen.values())

    async def _within(self, seconds: float, condition: Callable[[], bool]) -> bool:
        """Whether it comes to hold, by a look that began after this."""
        self._looked.clear()
        await self._looked.wait()
        self._looked.clear()
        await self._looked.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    await asyncio.sleep(LOOK_S / 2)
                return True
        return False

    # ---- what goes on all the while ---------------------------------------------------------------------------------

    def _heard(self, reply: QuestionResult) -> None:
        """A reply belongs to the stage in which its question was asked."""
        self.film.heard(reply)
        next(tally for began_s, tally in reversed(self._tallies) if began_s <= reply.asked_at_s).add(reply)

    async def _look_on(self) -> None:
        while True:
            began_s = time.monotonic()
            self.scene.seen = await self._ground.look()
            states = {name: sight.states for name, sight in self.scene.seen.items()}
            self.film.saw(states, self._ground.replicas, time.monotonic())
            self._looked.set()
            await asyncio.sleep(max(0.0, began_s + LOOK_S - time.monotonic()))

    def _enter(self, stage: Stage, phase: str) -> None:
        self.scene.stage, self.scene.phase, self.scene.since_s = stage, phase, time.monotonic()
        self.film.entered(stage.title, phase, self.scene.since_s)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
