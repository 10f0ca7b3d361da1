"""/metrics of the one port: the metrics of every replica, each line labelled with its replica.

They are not added up: a replica that restarts begins at zero, which would make a sum of counters fall, and states of
circuits have no sum. `sum without (replica) (...)` adds up what can be added (docs/decisions/0006).

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (the lines of one metric stand together).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import aiohttp

from ha_rag.local_fleet.upstreams import Upstream

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WITHIN_S = 2.0
"""How long a scrape waits for a replica that hangs; well below Prometheus's own limit of 10 s."""
LARGEST_BYTES = 4_000_000

UP = "ha_rag_replica_up"


@dataclass(slots=True)
class _Family:
    """One metric: its HELP and TYPE lines, and its samples."""

    about: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


async def gathered_metrics(session: aiohttp.ClientSession, replicas: Sequence[Upstream]) -> str:
    """The metrics of all replicas, in Prometheus's text form; a replica that does not answer is reported as down."""
    texts = await asyncio.gather(*(_metrics_of(session, replica) for replica in replicas))
    by_name = {replica.name: text for replica, text in zip(replicas, texts, strict=True)}
    return merged(by_name)


def merged(texts: dict[str, str | None]) -> str:
    """One text of the metrics by replica (None: it did not answer)."""
    families: dict[str, _Family] = {}
    up = _Family({"HELP": f"# HELP {UP} 1 if the replica answered this scrape, else 0.", "TYPE": f"# TYPE {UP} gauge"})
    for replica, text in texts.items():
        label = f'replica="{_escaped(replica)}"'
        up.lines.append(f"{UP}{{{label}}} {0 if text is None else 1}")
        _sort_in(families, (text or "").split("\n"), label)
    lines = [line for family in (up, *families.values()) for line in (*family.about.values(), *family.lines)]
    return "\n".join(lines) + "\n"


def _sort_in(families: dict[str, _Family], lines: Iterable[str], label: str) -> None:
    family = _Family()
    for line in lines:
        if line.startswith(("# HELP ", "# TYPE ")):
            _, kind, name, *_ = line.split(" ", 3)
            family = families.setdefault(name, _Family())
            family.about.setdefault(kind, line)
        elif line and not line.startswith("#"):
            family.lines.append(_labelled(line, label))


def _labelled(line: str, label: str) -> str:
    """`name{a="b"} 1` or `name 1`, with one more label. A name contains neither a brace nor a space."""
    brace, blank = line.find("{"), line.find(" ")
    if 0 <= brace < blank:
        return f"{line[: brace + 1]}{label},{line[brace + 1 :]}"
    return f"{line[:blank]}{{{label}}}{line[blank:]}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


async def _metrics_of(session: aiohttp.ClientSession, replica: Upstream) -> str | None:
    timeout = aiohttp.ClientTimeout(total=WITHIN_S)
    try:
        async with session.get(f"{replica.url}/metrics", timeout=timeout) as reply:
            if reply.status != 200 or (reply.content_length or 0) > LARGEST_BYTES:
                return None
            return (await reply.read()).decode()
    except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError):
        return None
