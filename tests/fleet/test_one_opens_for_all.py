"""The promise itself, with real processes: one replica's failures open the circuit for all of them."""

from __future__ import annotations

from tests.fleet.processes import Fleet


async def test_one_replicas_failures_open_it_for_all_everybody_is_answered_and_it_closes_again(fleet: Fleet):
    one, *others = fleet.replicas
    healthy = [await replica.ask() for replica in fleet.replicas]
    assert [answer["degraded"] for answer in healthy] == [False] * 3
    assert all(answer["citations"] for answer in healthy)

    await fleet.provider.fail("embeddings")
    for _ in range(3):
        answer = await one.ask()
        assert answer["served_by"]["embedder"] == "secondary"
        assert answer["degraded_stages"] == ["embedder"]
    await fleet.until_all("open", "embedder.primary", within_s=1)

    received = await fleet.provider.calls("embeddings")
    for replica in others:
        answer = await replica.ask()
        assert answer["answer"]
        refused = answer["attempts"][0]
        assert refused["circuit"] == "embedder.primary"
        assert (refused["outcome"], refused["state"]) == ("rejected", "open")
    assert await fleet.provider.calls("embeddings") == received, "replicas that never failed still called the service"

    circuit = await others[0].circuit("embedder.primary")
    assert circuit["opened_by"] == "rag-1"
    assert circuit["recovers_in_s"] <= 1.8 * 1.1  # the fleet stood before: a grown rest is stretched by chance

    await fleet.provider.mend()
    await fleet.until_all("closed", "embedder.primary", within_s=15, ask=True)
    assert [(await replica.ask())["degraded"] for replica in fleet.replicas] == [False] * 3


async def test_failures_spread_over_replicas_that_each_saw_too_few_still_open_it(fleet: Fleet):
    await fleet.provider.fail("chat")
    for replica in fleet.replicas:
        answer = await replica.ask()
        assert answer["served_by"]["generator"] == "extractive"
    await fleet.until_all("open", "generator.primary", within_s=1)


async def test_redis_killed_loses_no_question_and_the_fleet_shares_again_after_its_return(fleet: Fleet):
    fleet.redis.kill()
    for _ in range(5):
        for replica in fleet.replicas:
            assert not (await replica.ask())["degraded"]
    fleet.redis.start()
    await fleet.provider.fail("embeddings")
    for _ in range(3):
        assert (await fleet.replicas[0].ask())["answer"]
    await fleet.until_all("open", "embedder.primary", within_s=5, ask=True)
