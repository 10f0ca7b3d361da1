"""Whole replicas as users of a Redis that trusts nobody: a user of their own, TLS, and questions that mean harm."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis

from ha_rag.ledger.store.permissions import COMMANDS, HELPFUL_COMMANDS, acl_rules
from tests.fleet.crew import Yard
from tests.fleet.processes import CIRCUIT, CONFIGURATION, HA_RAG, Controls, Replica, StandingFleet, until_ready
from tests.ledger.certificates import Authority, TLSRedis, trusting
from tests.ledger.test_hostile_names import NASTY

PASSWORD = "correct-horse:battery@staple/%"
NAMESPACE = "test"


@dataclass
class Guarded:
    """Two replicas, logged in over TLS as a user with the documented rights, and an administrator's connection."""

    replicas: list[Replica]
    provider: Controls
    admin: redis.Redis
    config: Path

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of ha-rag, beside the replicas."""
        return subprocess.run(
            [*HA_RAG, *words], check=False, capture_output=True, text=True, timeout=60,
            env=self.replicas[0]._environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def circuits(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.command("circuits", *words, "--url", self.replicas[0].url)


@pytest.fixture
async def guarded(yard: Yard, standing_fleet: StandingFleet, tmp_path: Path) -> AsyncIterator[Guarded]:
    authority = Authority(tmp_path)
    server = TLSRedis(tmp_path, authority)
    server.start()
    url = server.url + trusting(authority)
    standing_fleet.copy_index(tmp_path / "index")
    config = tmp_path / "ha_rag.toml"
    text = CONFIGURATION.format(
        redis_url=url.replace("rediss://", "rediss://app@"), index=tmp_path / "index", provider=yard.provider.url,
        circuit=CIRCUIT,
    )  # fmt: skip
    config.write_text(text.replace("[fleet]\n", '[fleet]\nredis_password_env = "THE_PASSWORD"\n'))
    replicas = [Replica(f"rag-{n}", tmp_path, config) for n in (1, 2)]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        provider = Controls(yard.provider.url, session)
        await provider.forget()
        with redis.Redis.from_url(url, decode_responses=True) as admin:
            admin.execute_command("ACL", "SETUSER", "app", "reset", "on", f">{PASSWORD}", *acl_rules(NAMESPACE).split())
            for replica in replicas:
                replica._environment = {**replica._environment, "THE_PASSWORD": PASSWORD, "COLUMNS": "200"}
                replica.reached_by(session)
                replica.start()
            try:
                for replica in replicas:
                    await until_ready(replica.ready, replica)
                yield Guarded(replicas, provider, admin, config)
            finally:
                for replica in replicas:
                    replica.stop()
                    assert PASSWORD not in replica._log.read_text()
                server.kill()


@asynccontextmanager
async def heard(admin: redis.Redis) -> AsyncIterator[list[dict[str, Any]]]:
    """Every command that Redis receives meanwhile."""
    commands: list[dict[str, Any]] = []
    with listening(admin, commands):
        yield commands


@contextlib.contextmanager
def listening(admin: redis.Redis, commands: list[dict[str, Any]]) -> Iterator[None]:
    over = threading.Event()

    def listen() -> None:
        with contextlib.suppress(redis.RedisError, OSError, ValueError), admin.monitor() as monitor:
            begun.set()
            while not over.is_set():
                commands.append(monitor.next_command())

    begun = threading.Event()
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    begun.wait(5)
    try:
        yield
    finally:
        over.set()
        admin.ping()  # one more command, so that it looks up
        thread.join(5)


async def asked(guarded: Guarded, times: int) -> list[dict[str, Any]]:
    return [await replica.ask() for _ in range(times) for replica in guarded.replicas]


async def until_state(guarded: Guarded, state: str, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while {(await replica.circuit("embedder.primary"))["state"] for replica in guarded.replicas} != {state}:
            await asked(guarded, 1)
            await asyncio.sleep(0.05)


@pytest.mark.faults
async def test_a_fleet_with_just_the_documented_rights_over_tls_does_all_that_a_fleet_does(guarded: Guarded):
    check = await asyncio.to_thread(guarded.command, "check", "--config", str(guarded.config), "--json")
    findings = {finding["part"]: finding for finding in json.loads(check.stdout)["findings"]}
    assert (findings["redis"]["verdict"], check.returncode) == ("ok", 0), check.stdout
    assert "app:***@" in findings["redis"]["text"]
    assert PASSWORD not in check.stdout + check.stderr

    async with heard(guarded.admin) as commands:
        assert not any(answer["degraded"] for answer in await asked(guarded, 3))
        await guarded.provider.fail("embeddings")
        assert all([await guarded.replicas[0].ask() for _ in range(3)])
        await until_state(guarded, "open", within_s=2)
        await guarded.provider.mend()
        await until_state(guarded, "closed", within_s=15)
        done = await asyncio.to_thread(guarded.circuits, "open", "generator.primary", "--reason", "deploy")
        assert done.returncode == 0, done.stderr
        assert {answer["served_by"]["generator"] for answer in await asked(guarded, 1)} == {"extractive"}
        done = await asyncio.to_thread(guarded.circuits, "auto", "generator.primary")
        assert done.returncode == 0, done.stderr
        listed = await asyncio.to_thread(guarded.circuits, "list")
        assert "shared state: fresh" in listed.stdout
        assert "refuses" not in listed.stdout

    by_them = [told for told in commands if told["client_type"] != "lua"]
    words = {told["command"].split(" ", 1)[0].lower() for told in by_them}
    connecting = {"hello", "auth", "client", "ping"}
    assert {"evalsha", "set", "zadd", "mget"} <= words
    assert words <= {*COMMANDS, *HELPFUL_COMMANDS, *connecting}
    denied = {(entry["username"], entry["object"]) for entry in guarded.admin.acl_log()}
    assert denied <= {("app", "client"), ("app", "client|setinfo")}


@pytest.mark.faults
@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("-publish", "Redis refuses to publish changes"),
        ("-subscribe", "Redis refuses subscriptions"),
        ("resetchannels", "Redis refuses subscriptions"),
        ("-zcount", "Redis refuses heartbeats"),
    ],
)
async def test_a_right_that_is_taken_away_is_told_by_the_replica_its_log_and_the_command_line_and_named_by_a_check(
    guarded: Guarded, rule: str, told: str
):
    guarded.admin.execute_command("ACL", "SETUSER", "app", rule)
    guarded.admin.client_kill_filter(_type="pubsub")
    await guarded.provider.fail("embeddings")
    await asked(guarded, 3)
    await until_state(guarded, "open", within_s=5)  # a poll late, but all the same
    async with asyncio.timeout(10):
        while not any(told in reason for reason in (await guarded.replicas[0].health())["reasons"]):
            await asked(guarded, 1)
            await asyncio.sleep(0.1)
    assert told in guarded.replicas[0].said()
    deadline_s = time.monotonic() + 10
    while told not in (listed := await asyncio.to_thread(guarded.circuits, "list")).stdout:
        assert time.monotonic() < deadline_s, listed.stdout
    assert (await guarded.replicas[0].health())["shared_state"] == "fresh"
    check = await asyncio.to_thread(guarded.command, "check", "--config", str(guarded.config))
    assert check.returncode == 1
    assert "ACL SETUSER app" in check.stdout
    await guarded.provider.mend()


QUESTIONS = [
    "{embedder.primary}:open", "ha_rag:{svc}:circuit", "*", "'; redis.call('FLUSHALL') --", "\r\nFLUSHALL\r\n",
    "test:{embedder.primary}:circuit\nDEL test:circuits", "\u202e{x}:\U0001f600", "a" * 8000, "[a-z]?*\\",
    "$(FLUSHALL)",
    "EVAL \"return redis.call('keys','*')\" 0", "unmistakable-words",
]  # fmt: skip


@pytest.mark.faults
async def test_no_question_and_no_name_in_a_request_reaches_redis_nor_any_key_outside_the_namespace(guarded: Guarded):
    one = guarded.replicas[0]
    guarded.admin.set("other:{embedder.primary}:circuit", "somebody else's")
    await guarded.provider.fail("embeddings", rate=0.5)
    async with heard(guarded.admin) as commands:
        ends_s = time.monotonic() + 3  # a few heartbeats, reports and polls
        while time.monotonic() < ends_s:
            for question in QUESTIONS:
                for replica in guarded.replicas:
                    assert (await replica.ask(question))["answer"]
        for name in NASTY:
            with contextlib.suppress(UnicodeEncodeError):
                await refused_for(one, name[:4000])
        await asked(guarded, 3)
    await guarded.provider.mend()
    said = [told["command"] for told in commands]
    assert len(said) > 20
    for words in ("FLUSHALL", "unmistakable", "aaaaaaaaaa", "[a-z]", "svc", "\\xe2", "}:{y"):
        assert not any(words in command for command in said), words
    keys = set(guarded.admin.keys("*"))
    assert {key for key in keys if not str(key).startswith(f"{NAMESPACE}:")} == {"other:{embedder.primary}:circuit"}
    assert guarded.admin.get("other:{embedder.primary}:circuit") == "somebody else's"
    circuits = {found[1] for key in keys if (found := re.match(rf"{NAMESPACE}:\{{(.*?)\}}:", str(key)))}
    assert circuits <= {"embedder.primary", "generator.primary", ":feedback"}  # the last is no circuit's name


async def refused_for(replica: Replica, name: str) -> None:
    """Asks for a circuit of that name, and to override it."""
    from urllib.parse import quote

    url = f"{replica.url}/v1/circuits/{quote(name, safe='')}"
    word = {"mode": "open", "reason": "\r\nFLUSHALL\r\n{x}:*"}
    async with replica._session.get(url) as reply:
        assert reply.status in (200, 400, 404, 405, 414), (name, reply.status)
        if reply.status == 200:
            assert "circuits" in await reply.json(), "the list of all, where the name came to nothing"
            return
    async with replica._session.put(f"{url}/override", json=word) as reply:
        assert reply.status in (400, 404, 405, 414), (name, reply.status)
