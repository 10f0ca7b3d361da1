"""A reply that announces more than a replica can need ends the connection, at no cost of memory or time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import InvalidResponse

from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.store import reply_limits
from ha_rag.ledger.store.connection import close, connect
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.reply_limits import MAX_BYTES, MAX_LINE, ReplyScanner
from tests.depth import deep
from tests.ledger.bench import terms
from tests.ledger.hostile_server import hostile_server, replies
from tests.redis_servers import RedisProcess

TERMS = terms()
TOO_MUCH = {
    "two thousand million elements": b"*2000000000\r\n",
    "two thousand million pairs": b"%2000000000\r\n",
    "a set of two thousand million": b"~2000000000\r\n",
    "a push of two thousand million": b">2000000000\r\n",
    "two gigabytes": b"$2000000000\r\n",
    "an error of two gigabytes": b"!2000000000\r\n",
    "a verbatim text of two gigabytes": b"=2000000000\r\n",
    "a length of 300 digits": b"*" + b"9" * 300 + b"\r\n",
    "a streamed length": b"$?\r\n",
    "many lists in a list": b"*3\r\n" + b"*400000\r\n" * 3,
    "a line without end": b"+" + b"x" * (MAX_LINE + 1),
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("reply", TOO_MUCH.values(), ids=TOO_MUCH.keys())
async def test_it_is_refused_by_what_it_announces(reply: bytes, protocol: int) -> None:
    async with hostile_server(reply=reply) as server:
        # Nothing follows the announcement, so only the timeout would end the wait.
        client = connect(f"redis://127.0.0.1:{server.port}/0", protocol=protocol, timeout_s=20.0)
        try:
            with pytest.raises(LedgerUnavailableError, match=r"a reply of more than|a length that is no number"):
                await RedisLedger(client).read({"svc": TERMS})
        finally:
            await close(client)


def in_parts(data: bytes, sizes: list[int]) -> list[bytes]:
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return [*parts, data[at:]]


@deep(200)
@given(
    answers=st.lists(st.one_of(replies(2), replies(3)), max_size=5),
    sizes=st.lists(st.integers(1, 9), max_size=60),
)
def test_any_small_replies_pass_however_they_are_cut_into_parts(answers: list[bytes], sizes: list[int]) -> None:
    scanner = ReplyScanner()
    for part in in_parts(b"".join(answers), sizes):
        scanner.feed(part)
    scanner.begin_reply()
    with pytest.raises(InvalidResponse):  # it is still in step: it does not take a length for content
        scanner.feed(b"*2000000000\r\n")


def test_bytes_are_counted_for_each_reply() -> None:
    scanner = ReplyScanner()
    half = b"$%d\r\n" % (MAX_BYTES // 2) + b"x" * (MAX_BYTES // 2) + b"\r\n"
    scanner.feed(half)
    scanner.begin_reply()
    scanner.feed(half)
    with pytest.raises(InvalidResponse):
        scanner.feed(half)


async def test_real_replies_of_every_size_pass(redis_server: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(redis_server.url, timeout_s=10.0)
    try:
        for size in (0, 1, 65_535, 65_536, 3_000_000):
            await client.set("k", "\r\n$" * (size // 3))
            assert await client.get("k") == "\r\n$" * (size // 3)
        await client.rpush("l", *range(30_000))
        assert await client.lrange("l", 0, -1) == [str(n) for n in range(30_000)]
        monkeypatch.setattr(reply_limits, "MAX_ELEMENTS", 20_000)
        with pytest.raises(InvalidResponse):
            await client.lrange("l", 0, -1)
        assert await client.get("k"), "a new connection works"
    finally:
        await close(client)
