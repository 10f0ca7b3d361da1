"""Ports for servers that tests start: none that the kernel gives to somebody else in between.

A port that is free now, of those that the kernel hands out for outgoing connections (on Linux 32768 to 60999), may be
in use a moment later. These lie below them, and each test process walks through a stretch of its own.
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
    # Several runs at a time on one machine begin elsewhere, too.
    return (worker * STRETCH + os.getpid() * 7) % (LAST - FIRST)


def _walk() -> Iterator[int]:
    return (FIRST + n % (LAST - FIRST) for n in count(_begin()))


_candidates = _walk()


def free_port() -> int:
    """A loopback TCP port that nothing listens on at this moment; the next call returns another one."""
    return next(port for port in _candidates if _is_free(port))


BUS = 10_000
"""By so much a cluster's own port lies above the node's; before Redis 7 nobody can choose it."""


def free_port_with_bus() -> int:
    """Such a port for a node of a cluster: the one for its bus is free as well, and none of the kernel's."""
    return next(port for port in iter(free_port, None) if port + BUS <= LAST and _is_free(port + BUS))


def free_ports_in_a_row(length: int) -> int:
    """The first of `length` such ports, one after another."""
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
