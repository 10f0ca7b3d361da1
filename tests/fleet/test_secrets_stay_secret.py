"""Processes with a secret of each kind, through success and failure: nothing that they say holds any of them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
import psutil
import pytest
import redis
from aiohttp import web

from tests.fleet.processes import (
    CIRCUIT,
    CONFIGURATION,
    HA_RAG,
    QUESTION,
    Process,
    Replica,
    StandingFleet,
    is_ready,
    until_ready,
)
from tests.ports import free_port
from tests.redis_servers import RedisProcess

KINDS = ["admin_token", "api_key", "other_api_key", "redis_password", "provider_key", "alert_token"]
PAGES = [
    "/", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready", "/metrics", "/v1/circuits",
    "/v1/circuits/embedder.primary", "/v1/circuits/nobody", "/v1/fleet", "/v1/models", "/nowhere",
]  # fmt: skip
"""What can be read at once; /v1/events is read beside them."""


def disguised(secret: str) -> tuple[str, ...]:
    """The secret as a URL, a header or a careless service may have it."""
    percent = "".join(f"%{byte:02x}" for byte in secret.encode())
    encoded = base64.b64encode(secret.encode()).decode()
    return quote(secret, safe=""), percent, secret.upper(), encoded, encoded.rstrip("=")[:16]


class Parrot:
    """A provider that repeats the key that it was given wherever it can, in each way in which it can go wrong."""

    def __init__(self) -> None:
        self.mode = "well"
        self.keys: set[str] = set()

    async def reply(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("Authorization", "")
        self.keys.add(key)
        key = key.removeprefix("Bearer ")
        head = {"X-Request-Id": key, "WWW-Authenticate": f'Bearer realm="{key}"', "Retry-After": key}
        url, percent, shouted, encoded, cut = disguised(key)
        said: dict[str, tuple[int, Any, str]] = {
            "well": (200, self._good(request.path), "application/json"),
            "refuses": (
                401,
                {"error": {"message": f"Incorrect API key provided: {key} {encoded} {cut}"}},
                "application/json",
            ),
            "rests": (429, {"error": {"message": f"{shouted} asks too much at ?key={url}"}}, "application/json"),
            "fails": (500, {"error": f"{key} failed"}, "application/json"),
            "dislikes": (400, {"message": f"{percent}: no"}, "application/json"),
            "garbles": (200, key, f"text/{key}"),
            "leads away": (302, {}, f"text/{key}"),
        }
        status, body, kind = said[self.mode]
        if self.mode == "leads away":
            head["Location"] = f"http://127.0.0.1:9/{key}"
        content = body.encode() if isinstance(body, str) else orjson.dumps(body)
        return web.Response(body=content, status=status, reason=key, headers={**head, "Content-Type": kind})

    @staticmethod
    def _good(path: str) -> dict[str, Any]:
        if path.endswith("/embeddings"):
            return {"data": [{"index": 0, "embedding": [1.0] + [0.0] * 255}]}
        return {"choices": [{"message": {"content": "By a probe [1]."}, "finish_reason": "stop"}]}


@dataclass
class Told:
    """Everything that was said, by where."""

    by_place: dict[str, bytes] = field(default_factory=dict)

    def add(self, place: str, said: bytes | str) -> None:
        text = said if isinstance(said, bytes) else said.encode(errors="replace")
        self.by_place[place] = self.by_place.get(place, b"") + text

    def holding(self, secret: str) -> list[str]:
        """The places where a secret stands, however it is written."""
        forms = {form.encode() for form in (secret, *disguised(secret))}
        return [place for place, said in self.by_place.items() if any(form in said for form in forms)]


@pytest.fixture
def hidden() -> dict[str, str]:
    """A secret of each kind. The mark in each is what a password has that an address must escape."""
    return {kind: f"{kind.replace('_', '-')}.{secrets.token_hex(8)}~" for kind in KINDS}


@pytest.fixture
async def parrot() -> AsyncIterator[tuple[Parrot, str]]:
    one = Parrot()
    app = web.Application()
    app.router.add_post("/{path:.*}", one.reply)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield one, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
def locked_redis(tmp_path: Path, hidden: dict[str, str]) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path)
    server.start()
    with redis.Redis(port=server.port) as admin:
        admin.config_set("requirepass", hidden["redis_password"])
    yield server
    server.kill()


def environment(hidden: dict[str, str]) -> dict[str, str]:
    return {
        "HA_RAG_ADMIN_TOKEN": hidden["admin_token"],
        "HA_RAG_API_KEYS": f"{hidden['api_key']},{hidden['other_api_key']}",
        "REDIS_PASSWORD": hidden["redis_password"],
        "OPENAI_API_KEY": hidden["provider_key"],
        "HA_RAG_ALERT_URLS": f"json://127.0.0.1:9/{hidden['alert_token']} nonsense://{hidden['alert_token']}",
    }


async def ask_for_all(session: aiohttp.ClientSession, url: str, hidden: dict[str, str], told: Told) -> None:
    """Questions in each form and with each right, and every page."""
    rights = {"Authorization": f"Bearer {hidden['api_key']}"}
    wrong = {"Authorization": f"Bearer {secrets.token_hex(8)}"}
    admin = {"Authorization": f"Bearer {hidden['admin_token']}"}
    chat = {"messages": [{"role": "user", "content": QUESTION}]}
    asked: list[tuple[str, str, dict[str, Any] | None, dict[str, str]]] = [
        *(("POST", "/v1/query", {"question": QUESTION}, given) for given in (rights, admin, wrong, {})),
        ("POST", "/v1/chat/completions", chat, rights),
        ("POST", "/v1/chat/completions", {**chat, "stream": True}, rights),
        ("PUT", "/v1/circuits/generator.primary/override", {"mode": "shadow", "reason": "a test", "for_s": 1}, admin),
        ("PUT", "/v1/circuits/generator.primary/override", {"mode": "open", "reason": "a test"}, rights),
        ("POST", "/v1/documents", {"id": "d", "text": "Zebras graze."}, admin),
        ("POST", "/v1/documents", {"id": "d", "text": "Zebras graze."}, rights),
        ("POST", "/v1/query", {"question": ""}, rights),
        *(("GET", page, None, given) for page in PAGES for given in (rights, {})),
    ]
    for method, path, body, headers in asked:
        async with session.request(method, url + path, json=body, headers=headers, allow_redirects=False) as reply:
            told.add(f"{method} {path}", f"{reply.raw_headers!r}".encode() + await reply.read())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.5), session.get(f"{url}/v1/events?fleet=true", headers=rights) as reply:
            async for piece in reply.content.iter_any():
                told.add("GET /v1/events", piece)


def watch_for_drift(replica: Replica, locked: RedisProcess, hidden: dict[str, str], told: Told) -> None:
    """The log, the arguments of the process and its children, and all that Redis holds."""
    told.add("the log", replica._log.read_bytes())
    process = psutil.Process(replica.pid)
    for one in (process, *process.children(recursive=True)):
        told.add("the arguments of processes", " ".join(one.cmdline()))
    with redis.Redis(port=locked.port, password=hidden["redis_password"]) as admin:
        for key in admin.keys("*"):
            kind = admin.type(key)
            held = {b"string": admin.get, b"hash": admin.hgetall}.get(kind)
            value = held(key) if held else admin.dump(key)
            told.add("Redis", key + repr(value).encode())
            if kind == b"stream":
                told.add("Redis", repr(admin.xrange(key)))


def change_password(port: int, password: str) -> None:
    """A Redis takes this password no longer, and hangs up on everybody."""
    with redis.Redis(port=port, password=password) as admin:
        admin.config_set("requirepass", password + "-other")
        admin.client_kill_filter(_type="normal", skipme=True)
        admin.client_kill_filter(_type="pubsub")


async def command(given: dict[str, str], told: Told, *words: str) -> int:
    done = await asyncio.to_thread(
        subprocess.run, [*HA_RAG, *words], check=False, capture_output=True, timeout=60, env=given,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    told.add(f"ha-rag {words[0]}", done.stdout + done.stderr)
    return int(done.returncode)


@pytest.mark.faults
@pytest.mark.parametrize("log", ["json", "console"])
async def test_no_secret_stands_in_anything_that_a_replica_says_writes_or_is_started_with(
    log: str,
    hidden: dict[str, str],
    parrot: tuple[Parrot, str],
    locked_redis: RedisProcess,
    standing_fleet: StandingFleet,
    tmp_path: Path,
):
    provider, provider_url = parrot
    standing_fleet.copy_index(tmp_path / "index")
    config = written(tmp_path, locked_redis, provider_url)
    replica = Replica("rag-1", tmp_path, config)
    replica._environment = {**replica._environment, **environment(hidden), "HA_RAG_LOG": log}
    told = Told()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        replica.reached_by(session)
        replica.start()
        try:
            await until_ready(replica.ready, replica)
            await ask_for_all(session, replica.url, hidden, told)
            assert provider.keys == {f"Bearer {hidden['provider_key']}"}, "it was asked with its key"
            assert b'"degraded":false' in told.by_place["POST /v1/query"]
            for mode in ("refuses", "rests", "fails", "dislikes", "garbles", "leads away"):
                provider.mode = mode
                await command(replica._environment, told, "check", "--config", str(config))
                await ask_for_all(session, replica.url, hidden, told)
            watch_for_drift(replica, locked_redis, hidden, told)
            assert b"test:" in told.by_place["Redis"], "it shares its circuits"
            # Redis no longer takes the password: what it says to that, the replica passes on.
            change_password(locked_redis.port, hidden["redis_password"])
            async with asyncio.timeout(20):
                while (await replica.health())["shared_state"] == "fresh":
                    await asyncio.sleep(0.05)
            await command(replica._environment, told, "check", "--config", str(config), "--json")
            await command(replica._environment, told, "circuits", "list", "--url", replica.url)
            await command(replica._environment, told, "ask", QUESTION, "--url", replica.url)
            await ask_for_all(session, replica.url, hidden, told)
        finally:
            replica.stop()
    told.add("the log", replica._log.read_bytes())
    await bad_configurations(replica, hidden, config, told)
    said = b"".join(told.by_place.values())
    assert b"***" in said, "a key that was repeated was struck out"
    assert {kind: told.holding(secret) for kind, secret in hidden.items()} == {kind: [] for kind in hidden}
    assert (b'"level"' in told.by_place["the log"]) == (log == "json")


@pytest.mark.parametrize("log", ["json", "console"])
async def test_no_secret_stands_in_anything_that_the_one_port_or_a_dashboard_says(
    log: str,
    hidden: dict[str, str],
    parrot: tuple[Parrot, str],
    locked_redis: RedisProcess,
    standing_fleet: StandingFleet,
    tmp_path: Path,
):
    provider, provider_url = parrot
    standing_fleet.copy_index(tmp_path / "index")
    config = written(tmp_path, locked_redis, provider_url)
    replica = Replica("rag-1", tmp_path, config)
    replica._environment = given = {**replica._environment, **environment(hidden), "HA_RAG_LOG": log}
    front = Neighbour("front", tmp_path, given, "ha_rag.local_fleet.front", f"rag-1={replica.url}")
    dashboard = Neighbour("dashboard", tmp_path, given, "ha_rag", "dashboard", "--config", str(config))
    told = Told()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        replica.reached_by(session)
        try:
            for process in (replica, front, dashboard):
                process.start()
            for process in (replica, front, dashboard):
                await until_ready(process.ready, process)
            for mode in ("well", "refuses"):
                provider.mode = mode
                for process in (front, dashboard):
                    await ask_for_all(session, process.url, hidden, told)
            for process in (front, dashboard):
                await say_what_is_no_http(process.port, hidden, told)
                told.add("the arguments of processes", " ".join(psutil.Process(process.pid).cmdline()))
        finally:
            for process in (front, dashboard, replica):
                process.stop()
    for process in (front, dashboard):
        told.add(f"the log of the {process.name}", process._log.read_bytes())
    assert b'"degraded":false' in told.by_place["POST /v1/query"]
    assert b" 400 " in told.by_place["what is no HTTP"]
    assert {kind: told.holding(secret) for kind, secret in hidden.items()} == {kind: [] for kind in hidden}


class Neighbour(Process):
    """A process beside the replicas that has their secrets."""

    def __init__(self, name: str, folder: Path, given: dict[str, str], *module: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(name, [sys.executable, "-m", *module, "--port", str(self.port)], folder, given)

    async def ready(self) -> bool:
        return await is_ready(self.url)


async def say_what_is_no_http(port: int, hidden: dict[str, str], told: Told) -> None:
    """A token in each place of a request that cannot be read."""
    token = hidden["admin_token"].encode()
    for request in (
        b"%s / HTTP/1.1\r\n\r\n" % token,
        b"GET /%s HTTP/9.9\r\n\r\n" % token,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer %s\r\n\r\n" % token,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % (token * 2000),
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n" % token,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        told.add("what is no HTTP", await reader.read())
        writer.close()
        await writer.wait_closed()


def written(folder: Path, locked: RedisProcess, provider: str) -> Path:
    """The configuration of a replica whose Redis wants a password."""
    text = CONFIGURATION.format(redis_url=locked.url, index=folder / "index", provider=provider, circuit=CIRCUIT)
    config = folder / "ha_rag.toml"
    config.write_text(text.replace("[fleet]\n", '[fleet]\nredis_password_env = "REDIS_PASSWORD"\n'))
    return config


async def bad_configurations(replica: Replica, hidden: dict[str, str], config: Path, told: Told) -> None:
    """Settings that are refused for what stands beside, in and instead of a secret."""
    good, given = config.read_text(), replica._environment
    mistakes = [
        (given, good.replace("redis://", f"redis://:{hidden['redis_password']}@")),
        (given, good.replace('kind = "openai"', f'kind = "openai"\napi_key = "{hidden["provider_key"]}"', 1)),
        (given, good.replace('kind = "openai"', f'kind = "openai"\napi_key_env = "{hidden["provider_key"]}"', 1)),
        (given, good + f'\n[alerts]\nurls = "slack://{hidden["alert_token"]}/b/c"\n'),
        ({**given, "HA_RAG_REDIS_URL": f"redis://u:/{hidden['redis_password']}@h"}, good),
        ({**given, "HA_RAG_ADMIN_TOKEN": f"{hidden['admin_token']}\u00e4"}, good),
        ({**given, "HA_RAG_API_KEYS": f"{hidden['api_key']}\u00e4"}, good),
        ({**given, "OPENAI_API_KEY": f"{hidden['provider_key']}\u00e4"}, good),
    ]
    for environment_given, text in mistakes:
        config.write_text(text)
        for words in (("serve", "--port", "0"), ("check",)):
            assert await command(environment_given, told, *words, "--config", str(config)) in (1, 2)
    config.write_text(good)
    assert await command(given, told, "alerter", "--config", str(config)) != 0, "one URL is none that apprise knows"
