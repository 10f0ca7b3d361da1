"""The faults of a soak: of the services, and at the same time of Redis, of a replica, and what callers send."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TypeVar

import aiohttp
import redis

from benchmarks.hostile_bodies import BODIES
from ha_rag.cli.faults import TARGETS
from ha_rag.simulation.fault_modes import FaultMode
from tests.fleet.processes import Fleet, Replica, until_ready
from tests.fleet.redis_trouble import AWAY, SLOW, Act, flush, restart_empty
from tests.fleet.soak_callers import refusal
from tests.ledger.test_forged_messages import FORGED, message

LASTS_S = (0.5, 1.5)
CALM_S = (0.3, 1.0)
CIRCUITS = ("embedder.primary", "generator.primary")
HOSTILE = {name: body for name, body in BODIES.items() if "to index" not in name}
LARGE = "A circuit recovers by a probe. Quokkas hop over grass. " * 200

Card = TypeVar("Card")


class Faults:
    """Makes them happen in an order that `seed` decides, none twice before each has happened once.

    `happened`: how often each did. `became`: what came of its requests. `wrong`: replies that must not be. The last
    replica is the one that is killed and frozen.
    """

    def __init__(self, fleet: Fleet, session: aiohttp.ClientSession, front_url: str, seed: int) -> None:
        # Each lane has dice of its own: how fast the other one goes decides nothing.
        self._fleet, self._session, self._dice = fleet, session, random.Random(seed)
        self._services_dice = random.Random(seed + 1)
        self._urls = [front_url, *(replica.url for replica in fleet.replicas[:-1])]
        self.happened: Counter[str] = Counter()
        self.became: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.posted: set[str] = set()
        self._modes = shuffled(
            [(target, mode) for target in TARGETS.values() for mode in FaultMode], self._services_dice
        )
        self._others = shuffled(self._table(), self._dice)

    @property
    def kinds(self) -> int:
        """How many there are beside those of the services."""
        return len(self._table())

    def _table(self) -> list[tuple[str, Act, Act]]:
        """Each with what begins it and what ends it."""
        return [
            *((f"Redis {trouble.name}", trouble.strike, trouble.recover) for trouble in (*AWAY, SLOW)),
            ("Redis emptied", flush, nothing),
            ("Redis restarted", restart_empty, nothing),
            ("forged messages", forge, nothing),
            ("documents", self._post, self._delete),
            ("hostile bodies", self._send_hostile, nothing),
            ("a replica killed", kill_last, revive_last),
            ("a replica frozen", freeze_last, thaw_last),
        ]

    async def of_the_services(self, enough: asyncio.Event) -> None:
        """One after another, until then."""
        while not enough.is_set():
            target, mode = next(self._modes)
            await self._fleet.provider.fail(
                target, mode.value, rate=self._services_dice.choice((0.3, 1.0)), delay_s=0.3
            )
            self.happened[f"provider {mode.value}"] += 1
            await asyncio.sleep(self._services_dice.uniform(*LASTS_S))
            await self._fleet.provider.mend()
            await asyncio.sleep(self._services_dice.uniform(*CALM_S))

    async def of_the_rest(self, enough: Callable[[], bool]) -> None:
        """One after another, as long as it is not `enough`."""
        while not enough():
            name, strike, recover = next(self._others)
            self.happened[name] += 1
            await strike(self._fleet)
            try:
                await asyncio.sleep(self._dice.uniform(*LASTS_S))
            finally:
                await recover(self._fleet)
            await asyncio.sleep(self._dice.uniform(*CALM_S))

    async def _post(self, _: Fleet) -> None:
        for number, url in enumerate(self._urls[1:] * 2):
            name = f"soak-{number}.md"
            body = {"id": name, "text": f"# {name}\n\n{self._dice.random()} {LARGE}"}
            self.posted.add(name)
            await self._sent("POST", url, "/v1/documents", json.dumps(body).encode())

    async def _delete(self, _: Fleet) -> None:
        for name in sorted(self.posted):
            url, path = self._dice.choice(self._urls[1:]), f"/v1/documents/{name}"
            if await self._sent("DELETE", url, path, b"") in ("200", "404 not_found"):
                self.posted.discard(name)

    async def _send_hostile(self, _: Fleet) -> None:
        for name in self._dice.sample(list(HOSTILE), 4):
            path, body = HOSTILE[name]
            await self._sent("POST", self._dice.choice(self._urls), path, body)

    async def send_all_hostile(self) -> None:
        """Every body to the front and to every replica: what the largest of them takes once is not given back."""
        for url in self._urls:
            for path, body in HOSTILE.values():
                await self._sent("POST", url, path, body)

    async def post_and_delete(self, rounds: int) -> None:
        """Documents, to the replicas that are measured; without anything wrong."""
        for _ in range(rounds):
            await self._post(self._fleet)
            await self._delete(self._fleet)

    async def _sent(self, method: str, url: str, path: str, body: bytes) -> str:
        came = await self._tried(method, url, path, body)
        self.became[f"{method} {path.partition('soak')[0]}: {came}"] += 1
        return came

    async def _tried(self, method: str, url: str, path: str, body: bytes) -> str:
        """What came of it. A connection that is closed before the end of a body that is too large is no fault."""
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.request(method, f"{url}{path}", data=io.BytesIO(body), headers=headers) as reply:
                if reply.status == 200:
                    await reply.read()
                    return "200"
                return await refusal(reply)
        except (ConnectionError, aiohttp.ClientOSError) as error:
            return type(error).__name__
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, AssertionError) as error:
            self.wrong.append(f"{method} {path}: {type(error).__name__}: {error}")
            return "wrong"

    async def clear(self) -> None:
        """Nothing is wrong any more, and the documents are those from before."""
        await self._fleet.provider.mend()
        async with asyncio.timeout(20):
            await self._delete(self._fleet)
            while self.posted:
                await asyncio.sleep(0.5)
                await self._delete(self._fleet)


async def nothing(_: Fleet) -> None:
    """It ends by itself."""


async def forge(fleet: Fleet) -> None:
    """Publishes every forged message, for a circuit that is used."""
    with ExitStack() as stack:
        client = stack.enter_context(redis.Redis.from_url(fleet.redis.url))
        seconds, micros = client.time()
        for changed in FORGED.values():
            for circuit in CIRCUITS:
                _, *items = json.loads(message(int(seconds) * 1000 + int(micros) // 1000, changed))
                client.publish("test:changes", json.dumps([circuit, *items]))


async def kill_last(fleet: Fleet) -> None:
    await asyncio.to_thread(fleet.replicas[-1].kill)


async def revive_last(fleet: Fleet) -> None:
    last: Replica = fleet.replicas[-1]
    last.start()
    await until_ready(last.ready, last)


async def freeze_last(fleet: Fleet) -> None:
    fleet.replicas[-1].pause()


async def thaw_last(fleet: Fleet) -> None:
    fleet.replicas[-1].resume()


def shuffled(cards: Sequence[Card], dice: random.Random) -> Iterator[Card]:
    """All of them in a random order, again and again."""
    while True:
        yield from dice.sample(cards, len(cards))
