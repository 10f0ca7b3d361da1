"""A server that speaks RESP and answers whatever a test says, and replies as values that hypothesis can draw."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

WORDS = (
    "OK", "", "banana", "invalid", "open", "closed", "half_open", "0", "1", "-1", "2", "9" * 300, str(2**53), "1e400",
    "nan", "inf", "subscribe", "message", "ha_rag:changes", "1700000000000-0", "svc~ab", "\u202e", "\udcff",
)  # fmt: skip
ERRORS = (
    "ERR unknown command", "EXECABORT Transaction discarded because of previous errors.", "INVALID circuit",
    "WRONGTYPE Operation", "NOSCRIPT No matching script", "NOGROUP no such group", "BUSYGROUP exists", "MOVED 1 h:1",
    "", "ASK 1 h:1", "READONLY no", "LOADING", "NOAUTH", "WRONGPASS", "OOM", "MISCONF", "NOPERM", "-", "CROSSSLOT",
)  # fmt: skip


def _line(kind: bytes, text: str) -> bytes:
    return kind + text.encode("utf-8", "surrogateescape").replace(b"\r", b" ").replace(b"\n", b" ") + b"\r\n"


def _blob(kind: bytes, content: bytes) -> bytes:
    return kind + str(len(content)).encode() + b"\r\n" + content + b"\r\n"


def _list(kind: bytes, items: list[bytes]) -> bytes:
    return kind + str(len(items)).encode() + b"\r\n" + b"".join(items)


def _map(items: list[bytes]) -> bytes:
    pairs = items[: len(items) // 2 * 2]
    return b"%" + str(len(pairs) // 2).encode() + b"\r\n" + b"".join(pairs)


_words = st.one_of(st.sampled_from(WORDS), st.text(max_size=5))
_integers = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
_atoms = st.one_of(
    _words.map(lambda text: _blob(b"$", text.encode("utf-8", "surrogateescape"))),
    st.binary(max_size=6).map(lambda content: _blob(b"$", content)),
    _integers.map(lambda number: _line(b":", str(number))),
    st.sampled_from(ERRORS).map(lambda text: _line(b"-", text)),
    _words.map(lambda text: _line(b"+", text)),
    st.sampled_from([b"$-1\r\n", b"*-1\r\n", b"*0\r\n"]),
)
_atoms_of_3 = st.one_of(
    _atoms,
    st.sampled_from([b"_\r\n", b"#t\r\n", b"#f\r\n", b",inf\r\n", b",nan\r\n", b",1.5\r\n", b",-inf\r\n"]),
    st.sampled_from(["1" * 400, "-5"]).map(lambda digits: _line(b"(", digits)),
    _words.map(lambda text: _blob(b"=", b"txt:" + text.encode("utf-8", "surrogateescape"))),
    st.sampled_from(ERRORS).map(lambda text: _blob(b"!", text.encode())),
)


def _lists(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(inner, max_size=24).map(lambda items: _list(b"*", items))


def replies(protocol: int) -> st.SearchStrategy[bytes]:
    """Any reply of RESP 2 or 3, in bytes; in RESP3 an unasked push may come before it."""
    if protocol == 2:
        return st.recursive(
            _atoms, lambda inner: st.lists(inner, max_size=24).map(lambda items: _list(b"*", items)), max_leaves=40
        )
    value = st.recursive(
        _atoms_of_3,
        lambda inner: st.one_of(
            _lists(inner),
            st.lists(inner, max_size=6).map(lambda items: _list(b"~", items)),
            st.lists(inner, max_size=8).map(_map),
        ),
        max_leaves=40,
    )
    push = st.lists(_atoms, min_size=1, max_size=4).map(lambda items: _list(b">", items))
    return st.one_of(value, st.tuples(push, value).map(b"".join))


@dataclass
class HostileServer:
    """`reply`: what every command but those of the handshake is answered with, in bytes; None: nothing."""

    port: int = 0
    reply: bytes | None = b"+OK\r\n"
    asked: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while count := await reader.readline():
                words = [await _word(reader) for _ in range(int(count[1:]))]
                self.asked.append(words[0].upper())
                writer.write(_greeting(words) or self.reply or b"")
                await writer.drain()
        writer.close()


async def _word(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]


def _greeting(words: list[bytes]) -> bytes:
    if words[0].upper() == b"HELLO":
        return _map([_blob(b"$", b"proto"), b":3\r\n", _blob(b"$", b"server"), _blob(b"$", b"redis")])
    return b"+OK\r\n" if words[0].upper() in (b"CLIENT", b"AUTH", b"SELECT") else b""


@asynccontextmanager
async def hostile_server(**facts: Any) -> AsyncIterator[HostileServer]:
    """The server on a loopback port."""
    server = HostileServer(**facts)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
