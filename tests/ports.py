"""Free ports for servers that tests start, outside the kernel's ephemeral range.

A free port of the ephemeral range (on Linux 32768 to 60999) may be taken by an outgoing connection a moment later.
These ports are below that range, and each test process starts at a different one.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from itertools import count

FIRST, LAST = 10_000, 29_999
STRETCH = 1_000


def _begin() -> int:
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    # The process id keeps concurrent test runs on one machine apart.
    return (worker * STRETCH + os.getpid() * 7) % (LAST - FIRST)


def _walk() -> Iterator[int]:
    return (FIRST + n % (LAST - FIRST) for n in count(_begin()))


_candidates = _walk()


def free_port() -> int:
    """A loopback TCP port that nothing listens on now; each call returns a different one."""
    return next(port for port in _candidates if _is_free(port))


BUS = 10_000
"""Offset of a cluster node's bus port from its port; fixed before Redis 7."""


def free_port_with_bus() -> int:
    """A free port for a cluster node, whose bus port is free too and below the ephemeral range."""
    return next(port for port in iter(free_port, None) if port + BUS <= LAST and _is_free(port + BUS))


def free_ports_in_a_row(length: int) -> int:
    """The first of `length` consecutive free ports."""
    row: list[int] = []
    while len(row) < length:
        port = free_port()
        row = [*row, port] if row and port == row[-1] + 1 else [port]
    return row[0]


def _is_free(port: int) -> bool:
    # Without SO_REUSEADDR: a port whose last connections are still closing does not count as free.
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
