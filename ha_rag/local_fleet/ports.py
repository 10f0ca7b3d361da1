"""Ports of this machine: which are free, and clear errors about those that are not."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from ha_rag.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class PortNeed:
    """A port that the fleet needs. `user`: what would listen on it. `remedy`: what to do if it is taken."""

    host: str
    port: int
    user: str
    remedy: str


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port


def require_free(needs: list[PortNeed]) -> None:
    """Raises ConfigurationError with one sentence for each port that cannot be used. Called before anything starts."""
    problems = [problem for need in needs if (problem := _problem(need))]
    if problems:
        raise ConfigurationError(*problems)


def are_free(needs: list[PortNeed]) -> bool:
    """Whether all of them are free at this moment."""
    return not any(_problem(need) for need in needs)


def _problem(need: PortNeed) -> str | None:
    if not 1 <= need.port <= 65_535:
        return f"port {need.port} for {need.user}: must be between 1 and 65535; {need.remedy}"
    try:
        _try_to_listen(need.host, need.port)
    except OSError as error:
        return f"port {need.port} for {need.user}: {_reason(error, need)}; {need.remedy}"
    return None


def _try_to_listen(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        # As servers do, so that closing connections of an earlier fleet do not block the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()


def _reason(error: OSError, need: PortNeed) -> str:
    if isinstance(error, socket.gaierror):
        return f"{need.host!r} is not an address of this machine (--host)"
    if error.errno == errno.EADDRINUSE:
        return "another program is listening there"
    if error.errno == errno.EACCES:
        return "this user is not allowed to listen there"
    return error.strerror or str(error)
