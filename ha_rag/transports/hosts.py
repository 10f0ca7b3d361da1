"""Hosts: the circuit of each host that a client calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy

CircuitName = Callable[[str, int | None], str | None]
"""Host and port (None: the scheme's own) -> the name of the circuit; None: such requests are not guarded."""

_OTHERWISE = re.compile(r"[^A-Za-z0-9._-]")


def circuit_name(host: str, port: int | None) -> str:
    """The host, and its port unless that is the scheme's own: `api.example.com`, `localhost-8080`."""
    with suppress(UnicodeError):  # a name that DNS would not take
        host = host.encode("idna").decode()  # so that two hosts with letters beyond ASCII keep two names
    # A name may hold no colon, which the port and an IPv6 address would bring.
    name = _OTHERWISE.sub("-", host if port is None else f"{host}-{port}").lstrip(".-_")
    return name[:128] or "unnamed"


class Hosts:
    """The breakers of one client's hosts. Safe across tasks and threads.

    `policy` and `settings` (`timeout_s`, `classify`, ...) go to `circuits.breaker`; `name` names the circuit.
    """

    def __init__(
        self,
        circuits: CircuitRegistry,
        policy: CircuitPolicy | None = None,
        *,
        name: CircuitName = circuit_name,
        **settings: Any,
    ) -> None:
        self._circuits = circuits
        self._policy = policy
        self._name = name
        self._settings = settings
        self._breakers: dict[tuple[str, int | None], CircuitBreaker | None] = {}

    def breaker(self, host: str, port: int | None) -> CircuitBreaker | None:
        """The breaker of a host; None if it is not guarded."""
        key = (host, port)
        if key not in self._breakers:
            name = self._name(host, port)
            made = None if name is None else self._circuits.breaker(name, self._policy, **self._settings)
            self._breakers[key] = made
        return self._breakers[key]
