"""Free ports for servers that tests start, outside the kernel's ephemeral range.

A free port of the ephemeral range (on Linux 32768 to 60999) may be taken by an outgoing connection a moment later.
These ports are below that range, and each test process has a stretch of them that no other one takes: a port that is
free now stays free until its server starts, or starts again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import cache
from itertools import chain, cycle

FIRST, LAST = 10_000, 29_999
BUS = 10_000
"""Offset of a cluster node's bus port from its port; fixed before Redis 7."""
LENGTH = 250
"""Of a stretch, and of the ports above it by `BUS`, which belong to it."""


@cache
def _stretch() -> tuple[socket.socket, range]:
    """The ports of this process. While it lives it holds the port below them, which says so to the others."""
    for first in range(FIRST, FIRST + BUS, LENGTH):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", first))
        except OSError:
            holder.close()
        else:
            return holder, range(first + 1, first + LENGTH)
    raise RuntimeError(f"{BUS // LENGTH} test processes have taken all ports from {FIRST} to {LAST}")


@cache
def _candidates() -> Iterator[int]:
    _, ports = _stretch()
    return cycle(chain(ports, (port + BUS for port in ports)))


def free_port() -> int:
    """A loopback TCP port that nothing listens on now; hundreds of calls return as many different ones."""
    return next(port for port in _candidates() if _is_free(port))


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
