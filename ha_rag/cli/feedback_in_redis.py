"""Feedback and experiments straight from Redis, where no replica can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from ha_rag.assembly.configuration import load_settings
from ha_rag.cli.trouble import CommandError
from ha_rag.errors import ConfigurationError, LedgerError
from ha_rag.ledger.store.connection import Client, close, connect
from ha_rag.ledger.store.experiment import RedisExperimentStore, Told
from ha_rag.ledger.store.experiment_counts import ExperimentKey
from ha_rag.ledger.store.feedback import RedisFeedbackStore
from ha_rag.redaction import Redactor
from ha_rag.settings.known_secrets import of_redis
from ha_rag.telemetry.experiment_report import Comparison, read_compared, report
from ha_rag.telemetry.satisfaction import cost_of_degrading, table

T = TypeVar("T")
COMMENTS_SHOWN = 100

Found = tuple[ExperimentKey, Comparison, Told]


def experiment_in_redis(url: str, config: Path | None, name: str | None, end: str | None) -> dict[str, Any]:
    """The report of the experiment with this name, else of the one that counted last.

    `end`: the arm that is to answer everybody from now on, "" to resume the split, None to change nothing.
    """
    namespace = load_settings(config).namespace

    async def read(client: Client) -> dict[str, Any]:
        store = RedisExperimentStore(client, namespace)
        key, compared, told = await _found(store, namespace, name)
        if end is not None:
            names = [arm.name for arm in compared.arms]
            if end and end not in names:
                raise ConfigurationError(f"--end = {end!r}: must be one of {', '.join(names)}")
            await store.end(key, end)
            told = await store.told(key)
        return asdict(report(told, compared, key.split))

    return _run(url, read)


def degradation_in_redis(url: str, config: Path | None, *, comments: bool) -> dict[str, Any]:
    """Satisfaction by group, and what degrading costs."""
    namespace = load_settings(config).namespace

    async def read(client: Client) -> dict[str, Any]:
        store = RedisFeedbackStore(client, namespace)
        rows = table(await store.counts())
        cost = cost_of_degrading(rows)
        told = {"satisfaction": [asdict(row) for row in rows], "cost_of_degrading": cost and asdict(cost)}
        if not comments:
            return told
        redactor = Redactor(of_redis(url))
        written = [(one, redactor.redacted(one.text)) for one in await store.comments(COMMENTS_SHOWN)]
        return told | {
            "comments": [{"verdict": one.verdict, "about": one.about, "comment": shown} for one, shown in written]
        }

    return _run(url, read)


async def _found(store: RedisExperimentStore, namespace: str, name: str | None) -> Found:
    known = [found for body in await store.described() if (found := read_compared(body)) is not None]
    wanted = [found for found in known if name is None or found[0].name == name]
    if not wanted:
        names = sorted({key.name for key, _ in known})
        others = f"; there are {', '.join(names)}" if names else ""
        which = "no experiment" if name is None else f"no experiment called {name!r}"
        raise CommandError(f"{which} is known in this Redis, under the namespace {namespace!r}{others}")
    read = [(key, compared, await store.told(key)) for key, compared in wanted]
    return max(read, key=lambda found: found[2].counts.get("changed", 0))


def _run(url: str, read: Callable[[Client], Awaitable[T]]) -> T:
    async def work() -> T:
        client = connect(url)
        try:
            return await read(client)
        finally:
            await close(client)

    try:
        return asyncio.run(work())
    except LedgerError as error:
        raise CommandError(f"this Redis does not answer: {Redactor(of_redis(url)).redacted(str(error))}") from None
