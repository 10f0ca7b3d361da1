"""Program: what one process of the fleet runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


async def _at_once() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program of the fleet. Immutable.

    `name`: for people, such as "rag-2". `command`: program and arguments. `environment`: its whole environment.
    `log`: the file for its output. `ready`: polled after a start, true once it serves (default: at once).
    `patience_s`: seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    ready: Callable[[], Awaitable[bool]] = field(default=_at_once)
    patience_s: float = 5.0
