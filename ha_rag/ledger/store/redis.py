"""RedisLedger: the shared state in Redis. The transition rules run there as Lua scripts, on Redis's clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis, RedisCluster

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, RestorePoint
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError, ShardUnavailableError
from ha_rag.ledger.store import codec, membership
from ha_rag.ledger.store.change_log import read_log
from ha_rag.ledger.store.circuit_history import CircuitHistory
from ha_rag.ledger.store.connection import Client, close
from ha_rag.ledger.store.health import store_health
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.ledger import Change, ChangeLog, Heartbeat, StoreHealth, StreamEntry
from ha_rag.ledger.store.pubsub import listen
from ha_rag.ledger.store.refused_values import INVALID, RefusedValues
from ha_rag.ledger.store.scripts import LuaScripts
from ha_rag.ledger.store.translation import translated
from ha_rag.ledger.store.validation import ForeignReplyError, ForeignValueError, items_of
from ha_rag.outcomes import Outcome

READ_AT_ONCE = 50
"""Circuits read by one script."""


class RedisLedger:
    """The shared state in Redis, under one namespace.

    `client`: from `connection.connect`; the ledger owns it, and `aclose` closes it. `silence_s`: idle time after which
    the pub/sub connection is pinged. `clock`: Lua that replaces Redis's own clock (tests).

    Nothing is sent before the first call. Every verb is one round trip. Safe across tasks of one event loop.
    """

    def __init__(
        self, client: Client, namespace: str = "ha_rag", *, silence_s: float = 2.0, clock: str | None = None
    ) -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._scripts = LuaScripts(client, clock)
        self._silence_s = silence_s
        self.refused_values = RefusedValues()
        self.sent: Counter[tuple[str, str]] = Counter()
        """(verb, "ok" | "refused" | "unavailable") -> number of calls."""
        self._is_cluster = isinstance(client, RedisCluster)
        self._writes_log = not self._is_cluster
        """Whether this client's changes reach the change log, as far as known."""
        self._all_write_log = False

    async def record(self, circuit: str, terms: Terms, batch: Batch, jitter: float) -> Reply:
        tallies = [
            item
            for t in batch.tallies
            for item in (t.epoch, t.at_ms, t.counts.ok, t.counts.failed, t.counts.slow, t.overdue)
        ]
        return await self._verb(
            "record", circuit, terms, batch.replica, batch.number, int(batch.failing), batch.throttled_ms,
            batch.throttled_epoch, batch.throttled_at_ms, jitter, *tallies,
        )  # fmt: skip

    async def lease(
        self, circuit: str, terms: Terms, replica: str, known_epoch: int, token: str, spare_ms: int = 0
    ) -> Reply:
        return await self._verb("lease", circuit, terms, replica, known_epoch, token, spare_ms)

    async def settle(
        self,
        circuit: str,
        terms: Terms,
        replica: str,
        token: str,
        outcome: Outcome,
        throttled_ms: int,
        jitter: float,
        took_ms: int = 0,
    ) -> Reply:
        return await self._verb("settle", circuit, terms, replica, token, outcome.value, throttled_ms, jitter, took_ms)

    async def override(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        return await self._verb(
            "override", circuit, terms, mode.value if mode else "", reason, by, "" if for_ms is None else for_ms
        )

    async def order(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        return await self._verb(
            "order", circuit, terms, mode.value if mode else "", reason, by, "" if for_ms is None else for_ms
        )

    async def expire_order(self, circuit: str, terms: Terms) -> Reply:
        return await self._verb("order", circuit, terms, "expired", "", "", "")

    async def restore(self, circuit: str, terms: Terms, replica: str, point: RestorePoint) -> Reply:
        override = point.override
        override_args: tuple[Any, ...] = ("", "", "", "")
        if override:
            override_args = (override.mode.value, override.reason, override.by, _blank_if_none(override.until_ms))
        return await self._verb(
            "restore", circuit, terms, replica, point.state.value, point.epoch, point.left_ms, point.open_count,
            point.reason, point.opened_by, *override_args, point.changed_at_ms,
        )  # fmt: skip

    async def trial(self, circuit: str, terms: Terms) -> Reply:
        keys = [*self._keys.circuit(circuit), self._keys.trial(circuit)]
        return await self._step("trial", circuit, keys, terms.wire())

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        if not self._is_cluster:
            return await self._read_in_parts(circuits)
        reads = (self._read({name: terms}) for name, terms in circuits.items())
        results = await asyncio.gather(*reads, return_exceptions=True)
        return _merge_successful(results)

    async def _read_in_parts(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        """A few circuits per script, so that neither Redis nor this event loop is blocked for long."""
        names, replies = list(circuits), dict[str, Reply]()
        refusal: LedgerRefusedError | None = None
        for first in range(0, len(names), READ_AT_ONCE):
            try:
                replies |= await self._read({name: circuits[name] for name in names[first : first + READ_AT_ONCE]})
            except LedgerRefusedError as error:
                if error.code != INVALID:
                    raise
                refusal = error
        if refusal is not None and not replies:
            raise refusal
        return replies

    async def events(self, circuit: str, after: str = "-", limit: int = 100) -> list[StreamEntry]:
        with translated():
            return await self._history(circuit).after(after, limit)

    async def latest(self, circuit: str, limit: int = 100) -> list[StreamEntry]:
        with translated():
            return await self._history(circuit).latest(limit)

    def _history(self, circuit: str) -> CircuitHistory:
        return CircuitHistory(self._client, self._keys.circuit(circuit)[-1], circuit, self.refused_values)

    async def now_ms(self) -> int:
        with translated():
            return await membership.now_ms(self._client)

    async def health(self) -> StoreHealth:
        health = await store_health(self._client)
        return replace(health, warnings=(*health.warnings, *self.refused_values.warnings()))

    def changes(self) -> AsyncIterator[Change | None]:
        return listen(self._client, self._keys.changes, self._silence_s, self.refused_values)

    async def change_log(self, cursor: str | None) -> ChangeLog | None:
        if self._is_cluster:
            return None
        with translated():
            return await read_log(
                self._client, self._keys.change_log, cursor, self.refused_values, complete=self._all_write_log
            )

    async def beat(self, incarnation: str, body: str, circuits: Sequence[str], life_ms: int) -> int:
        with translated():
            alive, loggers = await membership.beat(
                self._client, self._keys, incarnation, body, circuits, life_ms, writes_log=self._writes_log
            )
        self._all_write_log = loggers >= alive
        return alive

    async def leave(self, incarnation: str) -> None:
        with translated():
            await membership.leave(self._client, self._keys, incarnation)

    async def replicas(self) -> list[Heartbeat]:
        with translated():
            return await membership.replicas(self._client, self._keys, self.refused_values)

    async def fallen_silent(self, since_ms: int) -> dict[str, int]:
        with translated():
            return await membership.fallen_silent(self._client, self._keys, since_ms)

    async def known_circuits(self) -> list[str]:
        with translated():
            return await membership.circuits(self._client, self._keys, self.refused_values)

    async def remove(self, circuit: str) -> None:
        with translated():
            await self._client.delete(*self._keys.circuit(circuit))
            await membership.remove_circuit(self._client, self._keys, circuit)

    async def aclose(self) -> None:
        with translated():
            await close(self._client)

    async def _verb(self, verb: str, circuit: str, terms: Terms, *args: Any) -> Reply:
        keys = self._keys.circuit(circuit)
        if not self._is_cluster:
            keys.append(self._keys.change_log)
        reply = await self._step(verb, circuit, keys, [*terms.wire(), *args])
        if reply.unpublished or reply.published:
            self._writes_log = reply.published and not self._is_cluster
        return reply

    async def _step(self, verb: str, circuit: str, keys: Sequence[str], args: Sequence[Any]) -> Reply:
        try:
            answer = await self._run(verb, keys, args)
        except LedgerRefusedError as error:
            if error.code == INVALID:
                self.refused_values.refuse_circuit(circuit, str(error))
            raise
        return self._decoded(circuit, answer)

    async def _read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        if not circuits:
            return {}
        keys = [key for name in circuits for key in self._keys.circuit(name)]
        answers = await self._run("read", keys, [item for terms in circuits.values() for item in terms.wire()])
        with translated():
            items_of(answers, len(circuits))
        return self._decoded_all(dict(zip(circuits, answers, strict=True)))

    def _decoded_all(self, answers: Mapping[str, Any]) -> dict[str, Reply]:
        replies, refusal = dict[str, Reply](), None
        for name, answer in answers.items():
            try:
                replies[name] = self._decoded(name, answer)
            except LedgerRefusedError as error:
                refusal = error
        if refusal is not None and not replies:
            raise refusal
        return replies

    def _decoded(self, circuit: str, answer: Any) -> Reply:
        try:
            reply = codec.reply(answer)
        except ForeignReplyError as error:
            self.refused_values.note("reply", str(error))
            raise LedgerUnavailableError(f"Redis gave a reply that cannot be used: {error}") from error
        except ForeignValueError as error:
            self.refused_values.refuse_circuit(circuit, str(error))
            raise LedgerRefusedError(f"{INVALID} circuit {circuit!r} in Redis: {error}") from error
        self.refused_values.accept_circuit(circuit)
        return reply

    async def _run(self, verb: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        result = "ok"
        try:
            with translated():
                return await self._scripts.run(verb, keys, args)
        except LedgerRefusedError as error:
            result = "refused"
            if error.code == "READONLY":
                await self._drop_idle_connections()
            raise
        except LedgerUnavailableError as error:
            result = "unavailable"
            if self._is_cluster:
                raise ShardUnavailableError(str(error)) from error
            raise
        finally:
            self.sent[verb, result] += 1

    async def _drop_idle_connections(self) -> None:
        """Closes idle connections to a server that is no longer the master; the next call then finds the new one."""
        if isinstance(self._client, Redis):
            with translated():
                await self._client.connection_pool.disconnect(inuse_connections=False)


def _merge_successful(results: Sequence[dict[str, Reply] | BaseException]) -> dict[str, Reply]:
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors:
        if not isinstance(error, LedgerError) or len(errors) == len(results):
            raise error
    return {name: reply for result in results if isinstance(result, dict) for name, reply in result.items()}


def _blank_if_none(number: int | None) -> int | str:
    return "" if number is None else number
