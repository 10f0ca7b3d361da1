"""ProcessSupervisor: keeps one program running; restarts it after a pause that grows while it keeps failing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ha_rag.local_fleet.child import Child
from ha_rag.local_fleet.program import Program

READY_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """How long to wait before a restart.

    `first_s`, then `factor` times longer after each early exit, at most `longest_s`. An exit is early within `stable_s`
    of the start. After `loop_after` early exits in a row the program counts as crash-looping.
    """

    first_s: float = 0.2
    factor: float = 2.0
    longest_s: float = 10.0
    stable_s: float = 10.0
    loop_after: int = 3

    def pause_s(self, early_ends: int) -> float:
        """Seconds to wait after `early_ends` early exits in a row (0: an exit after a long run)."""
        return float(min(self.longest_s, self.first_s * self.factor ** max(0, early_ends - 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """An exit that was not asked for.

    `code`: its exit code; minus the signal's number where a signal ended it. `early_ends`: in a row, this one included.
    `pause_s`: until it is started again. `last_words`: the last lines it wrote.
    """

    program: Program
    code: int
    early_ends: int
    looping: bool
    pause_s: float
    last_words: list[str]

    @property
    def how(self) -> str:
        """How it ended, for people."""
        return f"was killed by signal {-self.code}" if self.code < 0 else f"ended with exit code {self.code}"


class ProcessSupervisor:
    """One program, kept running from `start` to `stop`. Used on one event loop.

    `on_ending` is called for each exit that was not asked for. `was_ready`: set once it has been ready.
    """

    def __init__(
        self, program: Program, on_ending: Callable[[Ending], None], policy: RestartPolicy | None = None
    ) -> None:
        self.program = program
        self.was_ready = asyncio.Event()
        self.child: Child | None = None
        self._policy = policy or RestartPolicy()
        self._on_ending = on_ending
        self._final = self._killed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the program in the background."""
        self._task = asyncio.create_task(self._run(), name=f"keep {self.program.name} running")

    async def stop(self) -> bool:
        """Stops the program for good. True if it ended after SIGTERM or was not running."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return await self.child.stop() if self.child is not None else True

    def restart_no_more(self) -> None:
        """The next exit is final, and is not reported: the fleet is stopping, and may have been told to as a whole."""
        self._final = True

    def kill(self) -> None:
        """Sends SIGKILL, and does not start the program again; `stop` must still be awaited."""
        self._final = self._killed = True
        if self.child is not None:
            self.child.kill()

    async def _run(self) -> None:
        early_ends = 0
        while self._restarts():
            started_s = asyncio.get_running_loop().time()
            code, words = await self._one_life()
            if not self._restarts():
                return
            early = asyncio.get_running_loop().time() - started_s < self._policy.stable_s
            early_ends = early_ends + 1 if early else 0
            ending = self._ending(code, words, early_ends)
            self._on_ending(ending)
            await asyncio.sleep(ending.pause_s)

    def _restarts(self) -> bool:
        return not self._final

    async def _one_life(self) -> tuple[int, list[str]]:
        """Runs one process of the program to its end; returns its exit code and last output."""
        try:
            self.child = await _started_for_sure(self.program)
        except OSError as error:
            return 127, [str(error)]
        if self._killed:  # while it was being started
            self.child.kill()
        watch = asyncio.create_task(self._until_ready())
        try:
            code = await self.child.wait()
        finally:
            watch.cancel()
        return code, self.child.last_words()

    async def _until_ready(self) -> None:
        while not await self.program.ready():
            await asyncio.sleep(READY_POLL_S)
        self.was_ready.set()

    def _ending(self, code: int, words: list[str], early_ends: int) -> Ending:
        return Ending(
            program=self.program,
            code=code,
            early_ends=early_ends,
            looping=early_ends >= self._policy.loop_after,
            pause_s=self._policy.pause_s(early_ends),
            last_words=words,
        )


async def _started_for_sure(program: Program) -> Child:
    """Starts a child; if the caller is cancelled meanwhile, the child is killed, since nobody would own it."""
    starting = asyncio.ensure_future(Child.start(program))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        child = await starting
        child.kill()
        await child.wait()
        raise
