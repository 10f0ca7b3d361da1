"""One replica: a process with one contender in front of the service. It obeys commands, a line of JSON each.

    python -m benchmarks.peers.replica --guard ours --site '{"service": ..., "redis_url": ..., ...}'

load: questions at a steady rate from a given moment; one that the service does not answer is asked at the fallback.
trip: calls until one is refused. probe: calls until one is sent. cancel: ends that one. recover: calls until they pass.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from typing import Any

from benchmarks.peers.guards import GUARDS, Call, RefusedError, Site, request

PASS_IN_A_ROW = 5
EVERY_S = 0.05


class Replica:
    """`call`: guarded. `fallback`: another service, without a guard."""

    def __init__(self, call: Call, fallback: Call) -> None:
        self._call = call
        self._fallback = fallback
        self._probing: asyncio.Task[None] | None = None

    async def load(self, rate: float, begin_s: float, seconds: float) -> list[list[Any]]:
        """[due, seconds from then to the answer, "service" | "fallback" | "lost", seconds late] of each question.

        A question waits from the moment it is due, also while its replica is too busy to ask it.
        """
        asked, number = [], 0
        while number < rate * seconds:
            due_s = begin_s + number / rate
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            asked.append(asyncio.create_task(self._question(due_s)))
            number += 1
        return [list(answer) for answer in await asyncio.gather(*asked)]

    async def _question(self, due_s: float) -> tuple[float, float, str, float]:
        late_s = time.monotonic() - due_s
        by = "service"
        try:
            await self._call()
        except Exception:
            by = "fallback"
            try:
                await self._fallback()
            except Exception:
                by = "lost"
        return due_s, time.monotonic() - due_s, by, late_s

    async def trip(self, at_most: int) -> int | None:
        """How many calls were sent before one was refused; None: none of `at_most` was."""
        for number in range(at_most):
            if await self._tried() == "refused":
                return number
            await asyncio.sleep(EVERY_S)
        return None

    async def probe(self) -> str:
        """Goes on calling in the background."""
        self._probing = asyncio.create_task(self._until_sent())
        return "probing"

    async def _until_sent(self) -> None:
        while await self._tried() == "refused":
            await asyncio.sleep(EVERY_S)

    async def cancel(self) -> str:
        """Cancels the call that `probe` is making."""
        assert self._probing is not None
        self._probing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._probing
        return "cancelled"

    async def recover(self, at_most_s: float) -> float | None:
        """Seconds until the first of five calls that passed in a row; None: not within `at_most_s`."""
        begin_s, first_s, passed = time.monotonic(), 0.0, 0
        while time.monotonic() - begin_s < at_most_s:
            at_s = time.monotonic() - begin_s
            if await self._tried() == "passed":
                first_s = at_s if passed == 0 else first_s
                passed += 1
            else:
                passed = 0
            if passed == PASS_IN_A_ROW:
                return first_s
            await asyncio.sleep(EVERY_S)
        return None

    async def _tried(self) -> str:
        try:
            await self._call()
        except RefusedError:
            return "refused"
        except Exception:
            return "failed"
        return "passed"


async def obey(replica: Replica) -> None:
    """Answers each command with a line, until standard input ends."""
    loop = asyncio.get_running_loop()
    say("ready")
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        say(await getattr(replica, command.pop("do"))(**command))


def say(what: object) -> None:
    """One reply."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def run(guard: str, site: Site, fallback: str) -> None:
    """One replica, until standard input ends."""
    other = Site(service=fallback, redis_url="", open_s=1.0, timeout_s=5.0)
    async with GUARDS[guard](site) as call, request(other) as spare:
        await obey(Replica(call, spare))


def main() -> None:
    """Reads the arguments."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--guard", choices=GUARDS, required=True)
    arguments.add_argument("--site", type=json.loads, required=True)
    arguments.add_argument("--fallback", required=True)
    given = arguments.parse_args()
    asyncio.run(run(given.guard, Site(**given.site), given.fallback))


if __name__ == "__main__":
    main()
