"""Hedged requests: the next replica is asked when one fails, and one more when a reply is slow; the first reply wins.

A replica that did not accept the connection in time is asked once more after all others: a single time may be a busy
machine, or a front that stood still itself.

Source: J. Dean and L. A. Barroso, The Tail at Scale (CACM 56/2, 2013), hedged requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ha_rag.errors import HaRagError

Reply = TypeVar("Reply")
Runner = TypeVar("Runner")


class NoReplyError(HaRagError):
    """One replica did not reply: the connection failed, or it ended before the first byte.

    `untouched`: the request never reached it, so asking another one repeats nothing. `late`: it did not accept the
    connection in time.
    """

    def __init__(self, message: str, *, untouched: bool, late: bool = False) -> None:
        super().__init__(message)
        self.untouched = untouched
        self.late = late


async def first_reply(
    runners: Sequence[Runner],
    ask: Callable[[Runner], Awaitable[Reply]],
    *,
    repeatable: bool,
    hedged: bool = True,
    patience_s: float,
    discard: Callable[[Reply], None],
) -> tuple[Runner, Reply]:
    """The first reply and the runner that gave it. Each runner is asked once, one that was late twice at most; slower
    requests are cancelled.

    `repeatable`: the request may run twice. If so, a second runner is asked after `patience_s` without a reply, and a
    failed request is retried on the next; if not, only a request that never arrived is retried. `hedged`: False if a
    silent runner is to be waited for although the request is repeatable. `discard`: closes a reply that came second.
    Raises the last NoReplyError if none replies.
    """
    waiting = list(runners)
    asked: dict[asyncio.Task[Reply], Runner] = {}
    hedges = 1 if repeatable and hedged else 0
    late: list[Runner] = []
    failure = NoReplyError("no replica was asked", untouched=True)

    def ask_next() -> None:
        runner = waiting.pop(0)
        asked[asyncio.ensure_future(_asking(ask, runner))] = runner

    try:
        while waiting or asked:
            if not asked:
                ask_next()
            patience = patience_s if hedges and waiting else None
            done, _ = await asyncio.wait(asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                hedges -= 1
                ask_next()
            for task in done:
                runner = asked.pop(task)
                try:
                    return runner, task.result()
                except NoReplyError as error:
                    failure = error
                    if error.late and runner not in late:
                        late.append(runner)
                        waiting.append(runner)
                    if not (repeatable or error.untouched):
                        raise
        raise failure
    finally:
        await _call_off(list(asked), discard)


async def _asking(ask: Callable[[Runner], Awaitable[Reply]], runner: Runner) -> Reply:
    return await ask(runner)


async def _call_off(tasks: Sequence[asyncio.Task[Reply]], discard: Callable[[Reply], None]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(result, BaseException):
            discard(result)
