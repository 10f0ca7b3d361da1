"""The callers of a soak: a steady rate of varied questions, and what became of each of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from typing import Any

import aiohttp

from ha_rag.local_fleet.relay import REPLICA_HEADER
from ha_rag.simulation.questions import QUESTIONS
from tests.hostile_text import HOSTILE

PER_S = 8.0
TEXTS = (*QUESTIONS, HOSTILE, "é" * 2000, "recover " * 500, "???", "\U0001f600")


class Callers:
    """Asks `url`, the front. `became`: how often each thing did; `wrong`: what must not be.

    `may_cut`: the replica whose streams may break off, since it is killed now and then. Nobody can mend a stream that
    has begun.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, dice: random.Random, may_cut: str) -> None:
        self._session, self._url, self._dice, self._may_cut = session, url, dice, may_cut
        self.became: Counter[str] = Counter()
        self.wrong: list[str] = []

    @property
    def asked(self) -> int:
        return sum(self.became.values()) + len(self.wrong)

    async def keep_asking(self, enough: asyncio.Event) -> None:
        """Asks until then, and waits for the last answers."""
        async with asyncio.TaskGroup() as under_way:
            while not enough.is_set():
                under_way.create_task(self._one())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(enough.wait(), 1 / PER_S)

    async def _one(self) -> None:
        kind, dice = self._dice.choices(("query", "stream", "leaver"), (6, 3, 2))[0], self._dice
        text = f"{dice.choice(TEXTS)} {dice.randrange(10**6)}"
        query: dict[str, Any] = {"question": text, "top_k": dice.randint(1, 8)}
        if dice.random() < 0.1:
            query["timeout_s"] = dice.choice((0.01, 0.3, 5.0))
        chat = {"messages": [{"role": "user", "content": text}], "stream": True}
        streamed = kind == "stream" or (kind == "leaver" and dice.random() < 0.5)
        asking = self._stream(chat) if streamed else self._query(query)
        try:
            async with asyncio.timeout(dice.uniform(0.001, 0.05) if kind == "leaver" else None):
                self.became[await asking] += 1
        except TimeoutError:
            if kind == "leaver":
                self.became["the caller left"] += 1
            else:
                self.wrong.append(f"{kind}: no answer in time")
        except (aiohttp.ClientError, ValueError, LookupError, AssertionError) as error:
            self.wrong.append(f"{kind}: {type(error).__name__}: {error}")

    async def _query(self, body: dict[str, Any]) -> str:
        async with self._session.post(f"{self._url}/v1/query", json=body) as reply:
            if reply.status != 200:
                return await refusal(reply)
            return "answered by a lower tier" if (await reply.json())["degraded"] else "answered in full"

    async def _stream(self, body: dict[str, Any]) -> str:
        async with self._session.post(f"{self._url}/v1/chat/completions", json=body) as reply:
            if reply.status != 200:
                return await refusal(reply)
            try:
                events = [line[5:].strip() async for line in reply.content if line.startswith(b"data:")]
            except aiohttp.ClientPayloadError:
                assert reply.headers[REPLICA_HEADER] == self._may_cut, "a stream broke off"
                return "a stream of the killed replica"
            assert events, "a stream without an event"
            if events[-1] == b"[DONE]":
                return "streamed to its end"
            return f"stream ended: {json.loads(events[-1])['error']['type']}"


async def refusal(reply: aiohttp.ClientResponse) -> str:
    """Status and type of an error. Raises unless it is JSON in the form of all errors, and no 500."""
    text = await reply.text(errors="replace")
    assert reply.content_type == "application/json", f"{reply.status} {reply.content_type}: {text[:200]}"
    assert reply.status != 500, text[:200]
    return f"{reply.status} {json.loads(text)['error']['type']}"
