"""The experiment over HTTP: who asks, what an answer tells, the report, and an operator's end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.store.experiment import MemoryExperimentStore
from ha_rag.ledger.store.experiment_counts import ExperimentKey
from ha_rag.messages import AssignedArm
from ha_rag.telemetry.experiment import ExperimentCounter
from ha_rag.telemetry.experiment_report import Compared, ComparedArm
from tests.http.app_client import ANSWER, AppClient, StubReplica

KEY = ExperimentKey("bigger", "01234567", (1, 1))
COMPARED = Compared("bigger", [ComparedArm("small", 1), ComparedArm("large", 1, {"generator": "large"})], 5.0)
CHAT = {"messages": [{"role": "user", "content": "How?"}]}


class Store(MemoryExperimentStore):
    is_away = False

    async def end(self, key: ExperimentKey, arm: str) -> None:
        if self.is_away:
            raise LedgerUnavailableError("gone")
        await super().end(key, arm)


@pytest.fixture
def store(replica: StubReplica) -> Store:
    """The store of the replica's experiment."""
    made = Store(lambda: 1_000)
    replica.service.experiment = ExperimentCounter(made, KEY, COMPARED, "one")
    replica.service.asker_header = "X-Session-Id"
    return made


@pytest.mark.parametrize(
    ("user", "headers", "who"),
    [
        ("ann", {}, "ann"),
        ("ann", {"x-session-id": "s1"}, "ann"),
        (None, {"x-session-id": "s1"}, "s1"),
        ("", {"X-SESSION-ID": "s1"}, "s1"),
        (None, {}, ""),
    ],
)
@pytest.mark.usefixtures("store")
async def test_who_asks_is_the_user_else_the_session_else_nobody(
    replica: StubReplica, client: AppClient, user: str | None, headers: dict[str, str], who: str
) -> None:
    await client.call("POST", "/v1/query", {"question": "How?", "user": user}, headers=headers)
    await client.call("POST", "/v1/chat/completions", {**CHAT, "user": user}, headers=headers)
    await client.call("POST", "/v1/chat/completions", {**CHAT, "user": user, "stream": True}, headers=headers)
    assert replica.rag.askers == [who] * 3


@pytest.mark.usefixtures("store")
async def test_openais_newer_name_of_the_user_counts_first(replica: StubReplica, client: AppClient) -> None:
    await client.call("POST", "/v1/chat/completions", {**CHAT, "user": "old", "safety_identifier": "new"})
    assert replica.rag.askers == ["new"]


@pytest.mark.parametrize("user", [5, ["ann"], {"name": "ann"}, True])
@pytest.mark.usefixtures("store")
async def test_a_user_that_is_no_text_names_nobody_in_a_chat_and_is_refused_in_a_query(
    replica: StubReplica, client: AppClient, user: Any
) -> None:
    assert (await client.call("POST", "/v1/chat/completions", {**CHAT, "user": user})).status == 200
    assert replica.rag.askers == [""]
    reply = await client.call("POST", "/v1/query", {"question": "How?", "user": user})
    assert (reply.status, reply.error[2]) == (422, "user")


async def test_without_an_experiment_headers_are_not_read(replica: StubReplica, client: AppClient) -> None:
    await client.call("POST", "/v1/query", {"question": "How?"}, headers={"x-session-id": "s1"})
    assert replica.rag.askers == [""]


async def test_a_name_that_is_too_long_is_refused_by_name(client: AppClient) -> None:
    reply = await client.call("POST", "/v1/query", {"question": "How?", "user": "x" * 513})
    assert (reply.status, reply.error[2]) == (422, "user")


async def test_an_answer_tells_its_arm_and_not_who_asked(replica: StubReplica, client: AppClient) -> None:
    replica.rag.answer = replace(ANSWER, experiment=AssignedArm("bigger", "large", True, False, unit=123456789))
    told = {"name": "bigger", "arm": "large", "sticky": True, "as_assigned": False, "counted": True}
    reply = await client.call("POST", "/v1/query", {"question": "How?", "user": "ann"})
    assert reply.json["experiment"] == told
    assert b"123456789" not in reply.body
    chat = await client.call("POST", "/v1/chat/completions", CHAT)
    assert chat.json["ha_rag"]["experiment"] == told


@pytest.mark.usefixtures("store")
async def test_the_report_has_both_arms_and_a_verdict(client: AppClient) -> None:
    reply = await client.call("GET", "/v1/experiment")
    assert reply.status == 200
    assert [arm["name"] for arm in reply.json["arms"]] == ["small", "large"]
    assert reply.json["arms"][1]["firsts"] == {"generator": "large"}
    assert reply.json["verdict"].startswith("no verdict yet")


async def test_where_no_experiment_is_configured_that_is_said(client: AppClient) -> None:
    for method, path in (("GET", "/v1/experiment"), ("POST", "/v1/experiment/resume")):
        reply = await client.call(method, path, {} if method == "POST" else None)
        assert (reply.status, reply.error[0]) == (404, "not_found")
        assert "[experiment]" in reply.error[1]


async def test_an_operator_ends_the_split_and_resumes_it(client: AppClient, store: Store) -> None:
    ended = await client.call("POST", "/v1/experiment/end", {"arm": "large"})
    assert ended.json["ended"] == (await store.told(KEY)).ended == "large"
    resumed = await client.call("POST", "/v1/experiment/resume", {})
    assert resumed.json["ended"] == (await store.told(KEY)).ended == ""


@pytest.mark.parametrize("body", [{"arm": "tiny"}, {}, {"arm": ""}, {"arm": 1}, {"arm": "large", "for": 3}])
@pytest.mark.usefixtures("store")
async def test_an_arm_that_is_none_is_refused_by_name(client: AppClient, body: dict[str, Any]) -> None:
    reply = await client.call("POST", "/v1/experiment/end", body)
    assert reply.status == 422
    assert reply.error[2] in {"arm", "for"}


async def test_a_stranger_reads_the_report_and_ends_nothing(client: AppClient, store: Store) -> None:
    stranger = AppClient(client.app, peer="192.0.2.1")
    assert (await stranger.call("GET", "/v1/experiment")).status == 200
    for path, body in (("/v1/experiment/end", {"arm": "large"}), ("/v1/experiment/resume", {})):
        assert (await stranger.call("POST", path, body)).status == 403
    assert (await store.told(KEY)).ended == ""


async def test_while_redis_is_away_the_split_cannot_be_ended(client: AppClient, store: Store) -> None:
    store.is_away = True
    reply = await client.call("POST", "/v1/experiment/end", {"arm": "large"})
    assert reply.status == 503
