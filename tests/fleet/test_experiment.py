"""An experiment in a fleet of real processes: one arm at every replica, counted once for all, ended by hand only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from tests.fleet.crew import Yard
from tests.fleet.processes import Fleet, Replica, StandingFleet
from tests.fleet.redis_trouble import flush, mend

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

EXPERIMENT = """
[experiment]
name = "words-alone"
[[experiment.arms]]
name = "usual"
[[experiment.arms]]
name = "words"
embedder = "zero"
"""
WITHIN_S = 60.0
"""Every replica reads the counts every five seconds."""


@pytest.fixture(scope="module")
def standing(_yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingFleet]:
    (proxy,) = _yard.proxies.take(1)
    fleet = StandingFleet(tmp_path_factory.mktemp("experiment"), _yard.provider, proxy, more=EXPERIMENT)
    fleet.start()
    yield fleet
    fleet.stop()
    proxy.stop()


@pytest.fixture
async def trying(standing: StandingFleet) -> AsyncIterator[Fleet]:
    """Three replicas with an experiment."""
    async with standing.well() as well:
        try:
            yield well
        finally:
            await mend(well)


async def call(replica: Replica, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.request(method, f"{replica.url}{path}", json=body) as reply:
        return reply.status, dict(await reply.json())


async def ask(replica: Replica, person: str) -> dict[str, Any]:
    """An answer for this person, over a connection of its own: an idle one may be closed at any time."""
    status, body = await call(replica, "POST", "/v1/query", {"question": "How does a circuit recover?", "user": person})
    assert status == 200, body
    return body


async def reported(replica: Replica) -> dict[str, Any]:
    status, body = await call(replica, "GET", "/v1/experiment")
    assert status == 200, body
    return body


async def until_all_tell(fleet: Fleet, what: str, wanted: list[int]) -> None:
    """Until every replica tells these numbers of both arms."""
    async with asyncio.timeout(WITHIN_S):
        while any([[arm[what] for arm in (await reported(one))["arms"]] != wanted for one in fleet.replicas]):
            await asyncio.sleep(0.2)


async def ordered(replica: Replica, order: str, body: object) -> dict[str, Any]:
    """The report after an order, which is refused while Redis replies too late, as on a busy machine."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            status, told = await call(replica, "POST", f"/v1/experiment/{order}", body)
            if status == 200:
                return told
            assert status == 503, told
            await asyncio.sleep(0.2)


async def rate(replica: Replica, answer: str, score: int) -> None:
    """Rated as soon as that replica knows the fleet's secret."""
    async with asyncio.timeout(WITHIN_S):
        while (await call(replica, "POST", "/v1/feedback", {"answer": answer, "score": score}))[0] != 200:
            await asyncio.sleep(0.2)


async def test_each_person_has_one_arm_at_every_replica_and_is_counted_once_for_the_fleet(trying: Fleet) -> None:
    await flush(trying)
    people, arms = [f"person {n}" for n in range(12)], dict[str, str]()
    for replica in trying.replicas:
        for person in people:
            answer = await ask(replica, person)
            assigned = answer["experiment"]
            assert assigned["arm"] == arms.setdefault(person, assigned["arm"]), person
            # On a busy machine a tier may be late; that is told, and moves nobody.
            assert assigned["as_assigned"] == ("embedder" not in answer["degraded_stages"])
            if assigned["as_assigned"]:
                assert (answer["served_by"]["embedder"] == "zero") == (assigned["arm"] == "words")
    in_arms = [list(arms.values()).count(name) for name in ("usual", "words")]
    assert min(in_arms) > 0
    await until_all_tell(trying, "units", in_arms)
    await until_all_tell(trying, "questions", [3 * number for number in in_arms])
    one, other, third = trying.replicas
    answers = [await ask(one, people[0]), await ask(one, people[0])]
    for answer in answers:
        await rate(other, answer["id"], 1)
    await until_rated(third, arms[people[0]], 1)
    async with aiohttp.ClientSession() as session, session.get(f"{third.url}/metrics") as reply:
        metrics = await reply.text()
    labels = f'arm="{arms[people[0]]}",bound="value",experiment="words-alone",metric="liked"'
    assert f"ha_rag_fleet_experiment_share_ratio{{{labels}}} 1.0" in metrics
    assert "person" not in metrics


async def until_rated(replica: Replica, arm: str, number: int) -> None:
    """Until the replica tells that so many people rated answers of this arm."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            (found,) = (one for one in (await reported(replica))["arms"] if one["name"] == arm)
            if found["shares"]["liked"]["number"]:
                break
            await asyncio.sleep(0.2)
    assert found["shares"]["liked"]["number"] == number, "the first rating of a person counts, and no other"


async def test_an_arm_whose_service_is_out_falls_back_and_that_is_told_apart(trying: Fleet) -> None:
    await flush(trying)
    await trying.provider.fail("embeddings")
    seen = {}
    for n in range(12):
        answer = await ask(trying.replicas[n % 3], f"person {n}")
        seen[answer["experiment"]["arm"]] = (answer["experiment"]["as_assigned"], answer["degraded_stages"])
    assert seen == {"usual": (False, ["embedder"]), "words": (True, [])}
    async with asyncio.timeout(WITHIN_S):
        while True:
            usual, words = (await reported(trying.replicas[0]))["arms"]
            if usual["questions"] + words["questions"] == 12:
                break
            await asyncio.sleep(0.2)
    assert usual["otherwise"] == usual["degraded"] == usual["questions"]
    assert words["otherwise"] == words["degraded"] == 0


async def test_redis_may_forget_or_go_and_everybody_keeps_the_arm(trying: Fleet) -> None:
    people = [f"person {n}" for n in range(6)]
    one, other, _ = trying.replicas
    arms = [(await ask(one, person))["experiment"]["arm"] for person in people]
    async with asyncio.timeout(WITHIN_S):
        while not (await reported(other))["started"]:
            await asyncio.sleep(0.2)
    await flush(trying)
    async with asyncio.timeout(WITHIN_S):
        while not any("Redis lost what was counted" in said for said in (await reported(other))["warnings"]):
            await asyncio.sleep(0.2)
    trying.redis.kill()
    assert [(await ask(other, person))["experiment"]["arm"] for person in people] == arms


async def test_an_operator_ends_the_split_at_one_replica_for_all_and_resumes_it(trying: Fleet) -> None:
    people = [f"person {n}" for n in range(8)]
    one, other, _ = trying.replicas
    before = [(await ask(other, person))["experiment"]["arm"] for person in people]
    assert set(before) == {"usual", "words"}
    assert (await ordered(one, "end", {"arm": "words"}))["ended"] == "words"
    async with asyncio.timeout(WITHIN_S):
        while (await reported(other))["ended"] != "words":
            await asyncio.sleep(0.2)
    after = [(await ask(other, person))["experiment"] for person in people]
    assert {(assigned["arm"], assigned["counted"]) for assigned in after} == {("words", False)}
    assert not (await ordered(one, "resume", {}))["ended"]
    async with asyncio.timeout(WITHIN_S):
        while (await reported(other))["ended"]:
            await asyncio.sleep(0.2)
    assert [(await ask(other, person))["experiment"]["arm"] for person in people] == before
