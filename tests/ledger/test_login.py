"""A server that repeats the password it was given: what the ledger says about it does not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote

import pytest

from ha_rag.errors import LedgerError
from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.redis import RedisLedger

PASSWORD = "p4ss-Word/of~redis"
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in upper case": str.upper,
    "percent-encoded": lambda word: quote(word, safe=""),
    "in base64": lambda word: base64.b64encode(f"default:{word}".encode()).decode(),
    "cut short": lambda word: word[:9],
}


class Parrot:
    """A server that knows no AUTH, and says so with the arguments. `way`: how it writes them."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = b""
        self.way: Callable[[str], str] = str

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard += await reader.read(4096)
        said = f"-ERR unknown command 'AUTH', with args beginning with: '{self.way(PASSWORD)}'\r\n"
        writer.write(said.encode() * 2)
        await writer.drain()
        await reader.read()
        writer.close()


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    one = Parrot()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    server.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "address",
    [
        "redis://:{0}@127.0.0.1:{1}/0",
        "redis://user:{0}@127.0.0.1:{1}/0?protocol=3",
        "redis+cluster://:{0}@127.0.0.1:{1}",
    ],
)
async def test_what_a_server_repeats_of_the_password_is_struck_out(parrot: Parrot, way: str, address: str):
    parrot.way = WAYS[way]
    client = connect(address.format(quote(PASSWORD, safe=""), parrot.port))
    ledger = RedisLedger(client, "test")
    try:
        with pytest.raises(LedgerError) as raised:
            await ledger.health()
    finally:
        await close(client)

    said = f"{raised.value!r} {raised.value.__cause__!r}"
    assert PASSWORD.encode() in parrot.heard
    assert WAYS[way](PASSWORD) not in said
    assert PASSWORD[:8].lower() not in said.lower()


class Provider:
    def get_credentials(self) -> tuple[str]:
        return (PASSWORD,)


@pytest.mark.parametrize("way", WAYS)
async def test_a_password_that_a_provider_gave_is_struck_out_too(parrot: Parrot, way: str):
    parrot.way = WAYS[way]
    client = connect(f"redis://127.0.0.1:{parrot.port}/0", credential_provider=Provider())
    try:
        with pytest.raises(LedgerError) as raised:
            await RedisLedger(client, "test").health()
    finally:
        await close(client)

    assert PASSWORD.encode() in parrot.heard
    assert PASSWORD[:8].lower() not in str(raised.value).lower()


class LaterParrot(Parrot):
    """A server that takes the login, and repeats the password in every other error."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            self.heard += data
            for _ in range(data.count(b"*")):
                is_login = any(word in data for word in (b"AUTH", b"SETINFO", b"HELLO"))
                writer.write(b"+OK\r\n" if is_login else f"-OOM of {self.way(PASSWORD)}\r\n".encode())
            await writer.drain()
        writer.close()


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_server_repeats_of_the_password_after_the_login_is_struck_out(way: str):
    one = LaterParrot()
    one.way = WAYS[way]
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    client = connect(f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{server.sockets[0].getsockname()[1]}/0?protocol=2")
    try:
        with pytest.raises(LedgerError, match="OOM") as raised:
            await RedisLedger(client, "test").now_ms()
    finally:
        await close(client)
        server.close()

    assert PASSWORD.encode() in one.heard
    assert PASSWORD[:8].lower() not in f"{raised.value!r} {raised.value.__cause__!r}".lower()
    assert WAYS[way](PASSWORD) not in str(raised.value)
