"""The stand-in for a redis-server treats connections as Redis does."""

from __future__ import annotations

import socket

import pytest

from tests.redis_servers import fake_redis

REFUSED = {
    b"INFO": b"-ERR unknown command",
    b"EVALSHA 0123456789012345678901234567890123456789 0": b"-NOSCRIPT ",
    b"GET": b"-ERR wrong number of arguments",
}


@pytest.mark.parametrize(("command", "refusal"), REFUSED.items(), ids=lambda value: value.decode()[:10])
def test_a_connection_stays_open_after_a_command_that_is_refused(command: bytes, refusal: bytes) -> None:
    with (
        fake_redis() as url,
        socket.create_connection(_address(url), timeout=10) as client,
        client.makefile("rb") as replies,
    ):
        client.sendall(_encoded(command))
        assert replies.readline().startswith(refusal)
        client.sendall(_encoded(b"PING"))
        assert replies.readline() == b"+PONG\r\n"


def _encoded(command: bytes) -> bytes:
    words = command.split()
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _address(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rpartition(":")[2].partition("/")[0])
