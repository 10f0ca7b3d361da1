"""The logins of sentinels and of a collector of traces: nothing that a replica or a command says holds them."""

from __future__ import annotations

import asyncio
import re
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.fleet.processes import CIRCUIT, CONFIGURATION, QUESTION, Replica, StandingFleet, until_ready
from tests.fleet.test_secrets_stay_secret import Told, change_password, command
from tests.ports import free_port
from tests.redis_servers import RedisProcess, redis_binary

KINDS = ["redis_password", "sentinel_password", "sentinel_user_password", "collector_token"]
PAGES = ["/health", "/health/ready", "/metrics", "/v1/circuits", "/v1/fleet"]


@pytest.fixture
def hidden() -> dict[str, str]:
    return {kind: f"{kind.replace('_', '-')}.{secrets.token_hex(8)}~" for kind in KINDS}


class Sentinel:
    """Watches one Redis, and wants a login of its own."""

    def __init__(self, folder: Path, watched: RedisProcess, hidden: dict[str, str]) -> None:
        self.port, self._file = free_port(), folder / "sentinel.conf"
        self._file.write_text(
            f"port {self.port}\nbind 127.0.0.1\nrequirepass {hidden['sentinel_password']}\n"
            f"user watcher on >{hidden['sentinel_user_password']} +@all\n"
            f"sentinel monitor mine 127.0.0.1 {watched.port} 1\nsentinel auth-pass mine {hidden['redis_password']}\n"
        )
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        binary = redis_binary() or "redis-server"
        self._process = subprocess.Popen([binary, str(self._file), "--sentinel"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        while "+monitor" not in self._process.stdout.readline():
            assert self._process.poll() is None

    def kill(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


@pytest.fixture
def locked(tmp_path: Path, hidden: dict[str, str]) -> Iterator[tuple[RedisProcess, Sentinel]]:
    server = RedisProcess(tmp_path, options=("--requirepass", hidden["redis_password"]))
    server.start()
    sentinel = Sentinel(tmp_path, server, hidden)
    sentinel.start()
    yield server, sentinel
    sentinel.kill()
    server.kill()


@pytest.fixture
async def collector() -> AsyncIterator[tuple[str, set[str]]]:
    """Takes no spans, and says so with the token that it was sent; its address, and the tokens."""
    given: set[str] = set()

    async def refuse(request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given.add(token)
        return web.Response(status=401, reason=token, text=f"{token} may not")

    app = web.Application()
    app.router.add_post("/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", given
    await runner.cleanup()


@pytest.fixture
def config(tmp_path: Path, standing_fleet: StandingFleet) -> Path:
    standing_fleet.copy_index(tmp_path / "index")
    file = tmp_path / "ha_rag.toml"
    text = CONFIGURATION.format(
        redis_url="redis://nobody", index=tmp_path / "index", provider="http://127.0.0.1:9", circuit=CIRCUIT
    )
    file.write_text(text)
    return file


def sentinel_url(sentinel: Sentinel, hidden: dict[str, str], login: str) -> str:
    return f"redis+sentinel://:{hidden['redis_password']}@127.0.0.1:{sentinel.port}/mine?{login}"


async def look(replica: Replica, told: Told, config: Path) -> None:
    await replica.ask(QUESTION)
    for page in PAGES:
        async with replica._session.get(replica.url + page) as reply:
            told.add(page, await reply.read())
    for words in (("check",), ("check", "--json")):
        await command(replica._environment, told, *words, "--config", str(config))
    await command(replica._environment, told, "circuits", "list", "--url", replica.url)


async def until_state(replica: Replica, state: str) -> None:
    async with asyncio.timeout(30):
        while (await replica.health())["shared_state"] != state:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("user", ["", "sentinel_username=watcher&"])
async def test_the_login_of_sentinels_and_of_the_collector_is_said_nowhere(
    user: str,
    hidden: dict[str, str],
    locked: tuple[RedisProcess, Sentinel],
    collector: tuple[str, set[str]],
    config: Path,
    tmp_path: Path,
):
    server, sentinel = locked
    kind = "sentinel_user_password" if user else "sentinel_password"
    replica = Replica("rag-1", tmp_path, config)
    replica._environment |= {
        "HA_RAG_REDIS_URL": sentinel_url(sentinel, hidden, f"{user}sentinel_password={hidden[kind]}"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector[0],
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{hidden['collector_token']}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    told = Told()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        replica.reached_by(session)
        replica.start()
        try:
            await until_ready(replica.ready, replica)
            await until_state(replica, "fresh")
            await look(replica, told, config)
            sentinel.kill()
            change_password(server.port, hidden["redis_password"])
            await until_state(replica, "local")
            await look(replica, told, config)
        finally:
            replica.stop()
    told.add("the log", replica._log.read_bytes())
    assert collector[1] == {hidden["collector_token"]}
    assert b"401" in told.by_place["the log"], "the collector's refusal is told"
    assert {kind: told.holding(secret) for kind, secret in hidden.items()} == {kind: [] for kind in hidden}


async def test_a_login_that_the_sentinels_refuse_is_not_repeated(
    hidden: dict[str, str], locked: tuple[RedisProcess, Sentinel], config: Path, tmp_path: Path
):
    told, environment = Told(), Replica("rag-1", tmp_path, config)._environment
    wrong = hidden["sentinel_password"] + "-not"
    for login in (f"sentinel_password={wrong}", f"sentinel_username=nobody&sentinel_password={wrong}"):
        given = {**environment, "HA_RAG_REDIS_URL": sentinel_url(locked[1], hidden, login)}
        for words in (("check",), ("check", "--json")):
            assert await command(given, told, *words, "--config", str(config)) == 1
    # The secret begins with "sentinel", so that word is struck out too.
    assert b"know no master named" in told.by_place["ha-rag check"]
    assert {kind: told.holding(secret) for kind, secret in hidden.items()} == {kind: [] for kind in hidden}


MISWRITTEN = [
    "sentinel_pasword={}", "sentinel_password={}&more", "sentinel_pass={}", "Sentinel-Password={}", "{}",
    "sentinel_password=a&{}", "sentinel_password=%&{}", "sentinel_password=a#{}", "sentinel_password=a/{}@b",
    "sentinel_username=u&sentinel_password={}&sentinel_password=b", "sentinel_password=a={}",
    "sentinel_password=a&{}==",
]  # fmt: skip


SENTINELS, SINGLE = "redis+sentinel://127.0.0.1:9/mine", "redis://127.0.0.1:9/0"


@pytest.mark.parametrize(
    ("scheme", "logins", "in_file"),
    [(SENTINELS, MISWRITTEN, False), (SENTINELS, MISWRITTEN, True), (SINGLE, MISWRITTEN[-4:], False)],
)
async def test_a_sentinel_s_login_that_is_miswritten_is_not_repeated(
    scheme: str, logins: list[str], in_file: bool, hidden: dict[str, str], config: Path, tmp_path: Path
):
    """In the environment, and in the file. Two commands at a time: each takes a second to start."""
    environment, turns = Replica("rag-1", tmp_path, config)._environment, asyncio.Semaphore(2)

    async def said(number: int, login: str) -> Told:
        url, told = f"{scheme}?{login.format(hidden['sentinel_password'])}", Told()
        file, given = tmp_path / f"{number}.toml", {} if in_file else {"HA_RAG_REDIS_URL": url}
        file.write_text(config.read_text().replace("redis://nobody", url if in_file else "redis://nobody"))
        async with turns:
            await command({**environment, **given}, told, "check", "--config", str(file))
        assert told.by_place["ha-rag check"], login
        return told

    all_said = await asyncio.gather(*(said(number, login) for number, login in enumerate(logins)))
    assert [told.by_place for told in all_said if told.holding(hidden["sentinel_password"])] == []


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
@pytest.mark.parametrize("headers", ["authorization: Bearer {}", "{}", "x=1,Bearer {}", "authorization=a%0A{}"])
async def test_a_collector_s_token_that_is_miswritten_is_not_repeated(
    headers: str, variable: str, hidden: dict[str, str], collector: tuple[str, set[str]], config: Path, tmp_path: Path
):
    replica = Replica("rag-1", tmp_path, config)
    replica._environment |= {
        "HA_RAG_REDIS_URL": "",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector[0],
        variable: headers.format(hidden["collector_token"]),
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    told = Told()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        replica.reached_by(session)
        replica.start()
        try:
            await until_ready(replica.ready, replica)
            await replica.ask(QUESTION)
        finally:
            replica.stop()
    told.add("the log", replica._log.read_bytes())
    assert told.holding(hidden["collector_token"]) == []
    assert re.search(rf"{variable}: must be .* no traces are written", replica._log.read_text())
