"""A load generator: asks a running fleet questions and counts the results.

Closed loop: a fixed number of askers, each of which asks again when it has been answered; measures throughput. Open
loop: a fixed rate, independent of the answers. Its latencies are measured from when each question was due, so that a
stall shows in all the questions that it delays (G. Tene, "How not to measure latency", on coordinated omission).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import aiohttp
import orjson
from yarl import URL

from ha_rag.clock import Clock, SystemClock
from ha_rag.components.service_connections import IDLE_CONNECTION_S
from ha_rag.errors import ConfigurationError
from ha_rag.simulation.load_stats import LoadStats, QuestionResult

QUESTIONS = (
    "How does a circuit recover?",
    "When does a circuit open?",
    "What happens when Redis is away?",
    "Who answers when the embedder is out?",
    "What does half-open mean?",
    "Why are vectors of two models never mixed?",
    "What is a probe?",
    "How do replicas share what they know?",
    "What does the answer say when it is degraded?",
    "How long does a circuit stay open?",
    "What is the last resort of a generator?",
    "How are documents split into passages?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProfile:
    """What to ask, and for how long. Immutable. Raises ConfigurationError.

    `url`: of the fleet or a replica, such as "http://127.0.0.1:8000". `questions`: asked in turn, repeatedly. `count`,
    `for_s`: when to stop, whichever comes first; at least one is required. `timeout_s`: per question. `most_in_flight`:
    for an open loop; further questions are not sent and count as failed.
    """

    url: str
    questions: Sequence[str] = QUESTIONS
    count: int | None = None
    for_s: float | None = None
    timeout_s: float = 30.0
    top_k: int = 3
    most_in_flight: int = 5_000
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        problems = []
        if self.count is None and self.for_s is None:
            problems.append("count, for_s: at least one must be given")
        if not self.questions:
            problems.append("questions: must not be empty")
        if (self.count is not None and self.count < 1) or (self.for_s is not None and not 0 < self.for_s < math.inf):
            problems.append(f"count = {self.count!r}, for_s = {self.for_s!r}: must be above 0")
        if URL(self.url).scheme not in {"http", "https"}:
            problems.append(f"url = {self.url!r}: must be an http or https URL")
        if problems:
            raise ConfigurationError(*problems)


Listener = Callable[[QuestionResult], None]


async def ask_closed(
    profile: LoadProfile, askers: int = 1, *, heard: Listener | None = None, clock: Clock | None = None
) -> LoadStats:
    """Asks with `askers` concurrent askers, in a closed loop. `heard` is called with each result."""
    if askers < 1:
        raise ConfigurationError(f"askers = {askers!r}: must be at least 1")
    async with _asker(profile, askers, heard, clock) as asker:
        questions = asker.questions()

        async def keep_asking() -> None:
            for question in questions:
                await asker.ask(question, asker.now_s())

        async with asyncio.TaskGroup() as tasks:
            for _ in range(askers):
                tasks.create_task(keep_asking())
    return asker.stats


async def ask_open(
    profile: LoadProfile,
    per_s: float,
    *,
    heard: Listener | None = None,
    clock: Clock | None = None,
    stop: asyncio.Event | None = None,
) -> LoadStats:
    """Asks `per_s` questions per second, evenly spaced, in an open loop. `heard` is called with each result.

    `stop`: once it is set, no more questions are asked, and those in flight are awaited.
    """
    if not 0 < per_s <= 100_000:
        raise ConfigurationError(f"per_s = {per_s!r}: must be above 0 and at most 100000")
    async with _asker(profile, profile.most_in_flight, heard, clock) as asker, asyncio.TaskGroup() as tasks:
        started_s = asker.now_s()
        for n, question in enumerate(asker.questions()):
            due_s = started_s + n / per_s
            await asyncio.sleep(max(0.0, due_s - asker.now_s()))
            if stop is not None and stop.is_set():
                break
            if asker.in_flight < profile.most_in_flight:
                tasks.create_task(asker.ask(question, due_s))
            else:
                asker.give_up(question, due_s)
    return asker.stats


class _Asker:
    """Asks single questions and counts the results."""

    def __init__(
        self, profile: LoadProfile, session: aiohttp.ClientSession, heard: Listener | None, clock: Clock
    ) -> None:
        self.stats = LoadStats()
        self.in_flight = 0
        self.now_s = clock.monotonic_s
        self._profile = profile
        self._session = session
        self._heard = heard
        self._url = URL(profile.url) / "v1" / "query"
        self._started_s = self.now_s()

    def questions(self) -> Iterator[str]:
        """The questions in turn, until `count` have been asked or the time is up."""
        ends_s = math.inf if self._profile.for_s is None else self._started_s + self._profile.for_s
        for question in islice(cycle(self._profile.questions), self._profile.count):
            if self.now_s() >= ends_s:
                return
            yield question

    async def ask(self, question: str, due_s: float) -> None:
        """Asks one question; every outcome becomes a result."""
        self.in_flight += 1
        try:
            status, body = await self._post(question)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._count(self._failure(question, due_s, type(error).__name__))
        else:
            self._count(self._read(question, due_s, status, body))
        finally:
            self.in_flight -= 1

    def give_up(self, question: str, due_s: float) -> None:
        """Counts a question that was not sent because too many are in flight."""
        self._count(self._failure(question, due_s, "not sent: too many in flight"))

    def finish(self) -> None:
        """Records the total duration."""
        self.stats.took_s = self.now_s() - self._started_s

    async def _post(self, question: str) -> tuple[int, bytes]:
        body = orjson.dumps({"question": question, "top_k": self._profile.top_k})
        async with self._session.post(self._url, data=body, allow_redirects=False) as response:
            return response.status, await response.read()

    def _read(self, question: str, due_s: float, status: int, body: bytes) -> QuestionResult:
        answer = _json_object(body)
        if status != 200:
            return self._failure(question, due_s, f"HTTP {status}")
        if not answer.get("answer"):
            return self._failure(question, due_s, "no answer in the response")
        return QuestionResult(
            question=question,
            asked_at_s=due_s,
            ms=self._ms_since(due_s),
            answered=True,
            degraded=bool(answer.get("degraded")),
            replica=str(answer.get("replica", "")),
            served_by=_served_by(answer.get("served_by")),
        )

    def _failure(self, question: str, due_s: float, why: str) -> QuestionResult:
        return QuestionResult(question=question, asked_at_s=due_s, ms=self._ms_since(due_s), answered=False, why=why)

    def _ms_since(self, due_s: float) -> float:
        return (self.now_s() - due_s) * 1000

    def _count(self, result: QuestionResult) -> None:
        self.stats.add(result)
        if self._heard is not None:
            self._heard(result)


@asynccontextmanager
async def _asker(
    profile: LoadProfile, connections: int, heard: Listener | None, clock: Clock | None
) -> AsyncIterator[_Asker]:
    headers = {"Content-Type": "application/json"}
    if profile.api_key:
        headers["Authorization"] = f"Bearer {profile.api_key}"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=IDLE_CONNECTION_S),
        timeout=aiohttp.ClientTimeout(total=profile.timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
    ) as session:
        asker = _Asker(profile, session, heard, clock or SystemClock())
        yield asker
        asker.finish()


def _served_by(value: object) -> dict[str, str]:
    return {str(stage): str(tier) for stage, tier in value.items()} if isinstance(value, dict) else {}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
