"""POST /v1/feedback: what is counted, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from ha_rag.clock import ManualClock
from ha_rag.errors import LedgerUnavailableError
from ha_rag.http.access import Access
from ha_rag.ledger.store.feedback import MemoryFeedbackStore, Rating
from ha_rag.telemetry.answer_ids import AnswerIds
from ha_rag.telemetry.feedback import BURST, Feedback
from tests.http.app_client import AppClient, StubReplica

TIERS = {"embedder": ("primary",), "retriever": ("primary",), "generator": ("primary", "cached")}
SERVED = {"embedder": "primary", "retriever": "primary", "generator": "cached"}
CLOCK = ManualClock()


class Store(MemoryFeedbackStore):
    is_away = False

    async def give(self, rating: Rating) -> bool:
        if self.is_away:
            raise LedgerUnavailableError("gone")
        return await super().give(rating)


class Taking:
    """A replica that takes feedback, and its clients."""

    def __init__(self, replica: StubReplica) -> None:
        self.store = Store()
        self.ids = AnswerIds(TIERS)
        self.feedback = Feedback(self.store, self.ids, CLOCK)
        replica.service.feedback = self.feedback
        self.answer = self.ids.new(SERVED, {"generator"})

    async def counts(self, group: str = "all") -> dict[str, int]:
        counted = (await self.store.counts()).get(group, {})
        return {str(verdict): number for verdict, number in counted.items()}


@pytest.fixture
def taking(replica: StubReplica) -> Taking:
    return Taking(replica)


async def rate(client: AppClient, answer: str, score: Any = 1, **more: Any) -> Any:
    headers = more.pop("headers", None)
    return await client.call("POST", "/v1/feedback", {"answer": answer, "score": score, **more}, headers=headers)


async def test_a_rating_is_counted_once_by_how_the_answer_was_made(client: AppClient, taking: Taking) -> None:
    reply = await rate(client, taking.answer, 0.5)
    assert reply.status == 200
    assert reply.json == {"answer": taking.answer, "counted": True}
    assert (await rate(client, taking.answer, 1)).json["counted"] is False
    assert (await rate(client, taking.answer, -1)).json["counted"] is True
    for group in ("all", "degradation:generator", "degradation:any", "tier:generator.cached", "tier:embedder.primary"):
        assert await taking.counts(group) == {"up": 0, "neutral": 0, "down": 1}, group


@pytest.mark.parametrize("score", [1.0001, -1.1, 2, "1", True, None, [], float("nan"), float("inf"), 10**400])
async def test_a_score_out_of_range_is_refused_by_name(client: AppClient, taking: Taking, score: Any) -> None:
    reply = await rate(client, taking.answer, score)
    assert reply.status in {400, 422}
    assert await taking.counts() == {}


async def test_the_error_of_a_score_names_it_and_the_range(client: AppClient, taking: Taking) -> None:
    kind, message, param = (await rate(client, taking.answer, 5)).error
    assert (kind, param) == ("invalid_request", "score")
    assert "at most 1" in message


async def test_an_answer_of_another_fleet_and_one_that_never_was_are_not_found(
    client: AppClient, taking: Taking
) -> None:
    for answer in (AnswerIds(TIERS).new(SERVED, ()), "f" * len(taking.answer), "a1", "../../etc"):
        reply = await rate(client, answer)
        assert reply.status == 404
        assert reply.error == (
            "not_found",
            "answer: this fleet gave no answer with this id within the last week",
            "answer",
        )
    assert await taking.counts() == {}


@pytest.mark.parametrize(
    ("given", "param"),
    [({"comment": "x" * 1_001}, "comment"), ({"answer": "x" * 201}, "answer"), ({"stars": 5}, "stars")],
)
async def test_too_much_and_unknown_fields_are_refused_by_name(
    client: AppClient, taking: Taking, given: dict[str, Any], param: str
) -> None:
    reply = await client.call("POST", "/v1/feedback", {"answer": taking.answer, "score": 1, **given})
    assert reply.status == 422
    assert reply.error[2] == param


async def test_a_flood_is_refused_until_later(client: AppClient, taking: Taking) -> None:
    replies = [await rate(client, taking.answer) for _ in range(int(BURST) + 1)]
    assert {reply.status for reply in replies[:-1]} == {200}
    assert replies[-1].status == 429
    assert replies[-1].headers["retry-after"] == "1"


async def test_with_api_keys_each_key_rates_for_itself(replica: StubReplica, taking: Taking) -> None:
    replica.service.access = Access(api_keys=("one", "two"))
    client = replica.client()
    for key in ("one", "two", "one"):
        await rate(client, taking.answer, headers={"authorization": f"Bearer {key}"})
    assert (await taking.counts())["up"] == 2


async def test_without_api_keys_a_made_up_one_is_nobody_else(client: AppClient, taking: Taking) -> None:
    for key in ("one", "two"):
        await rate(client, taking.answer, headers={"authorization": f"Bearer {key}"})
    assert (await taking.counts())["up"] == 1


async def test_while_redis_is_away_the_rater_is_told_to_send_it_again(client: AppClient, taking: Taking) -> None:
    taking.store.is_away = True
    reply = await rate(client, taking.answer)
    assert reply.status == 503
    assert reply.headers["retry-after"] == "1"


async def test_operators_read_the_comments(client: AppClient, taking: Taking) -> None:
    await rate(client, taking.answer, -1, comment="  Too old.\u202e ")
    assert (await client.call("GET", "/v1/feedback")).json == {
        "comments": [{"verdict": "down", "about": "degradation:generator", "comment": "Too old.\\u202e"}]
    }
    stranger = AppClient(client.app, peer="192.0.2.1")
    assert (await stranger.call("GET", "/v1/feedback")).status == 403


async def test_a_server_that_takes_no_feedback_says_so(client: AppClient) -> None:
    assert (await rate(client, "a1")).status == 404
