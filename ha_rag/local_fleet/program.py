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

    `name`: as people call it, such as "rag-2". `command`: program and arguments. `environment`: all of its variables.
    `log`: the file that takes its output. `ready`: asked again and again after a start, true once it serves (default:
    at once). `patience_s`: seconds it may take to end after SIGTERM; then SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    ready: Callable[[], Awaitable[bool]] = field(default=_at_once)
    patience_s: float = 5.0
