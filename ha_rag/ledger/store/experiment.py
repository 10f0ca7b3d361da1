"""ExperimentStore: an experiment's counts, the same for the whole fleet. What is counted: `experiment_counts.py`.

Every key expires when nothing was counted for `KEPT_MS`. Redis may lose all of it at any time: what is told then says
so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ha_rag.ledger.store.experiment_counts import BLOCK, Counts, ExperimentKey, ExperimentTally, Seen
from ha_rag.ledger.store.experiment_scripts import BITS, COUNT, RATE
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.replaceable import read_or_delete
from ha_rag.ledger.store.translation import translated
from ha_rag.ledger.store.validation import ForeignValueError, bounded, text

KEPT_MS = 90 * 24 * 3600 * 1000
MAX_FIELDS = 4_000
MAX_LISTED = 50
MAX_DESCRIBED = 4_096

_FIELD = re.compile(r"(total|ms|share|block|difference|units) [a-z0-9_: -]{1,80}\Z|(started|lost|changed)\Z")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?\Z")
_ARM = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
LARGEST = 1e15


@dataclass(frozen=True, slots=True)
class CountedBatch:
    """What a replica counted since the last batch. `owner`, `number`: so that one sent twice is counted once."""

    owner: str
    number: int
    totals: Mapping[str, int]
    seen: Sequence[Seen]


@dataclass(frozen=True, slots=True)
class Told:
    """What the fleet knows of an experiment. `ended`: the arm that answers all questions, "" while the split lasts."""

    counts: Counts
    ended: str = ""


class ExperimentStore(Protocol):
    """The fleet's experiments. Every method raises LedgerError. Safe across tasks."""

    async def count(self, key: ExperimentKey, batch: CountedBatch) -> None:
        """Counts a replica's questions."""
        ...

    async def rate(self, key: ExperimentKey, arm: int, place: int, up: bool) -> bool:
        """Counts a unit's rating. False if an earlier one of it was counted."""
        ...

    async def told(self, key: ExperimentKey) -> Told:
        """What was counted, and whether it was ended."""
        ...

    async def lost(self, key: ExperimentKey, at_ms: int) -> None:
        """Notes that earlier counts were lost."""
        ...

    async def end(self, key: ExperimentKey, arm: str) -> None:
        """Has the arm of this name answer all questions; "": the split goes on."""
        ...

    async def describe(self, key: ExperimentKey, described: Mapping[str, Any]) -> None:
        """Says what is compared, for whoever reads the counts without the configuration."""
        ...

    async def described(self) -> Sequence[Mapping[str, Any]]:
        """What each experiment compares, as far as it is known."""
        ...


@dataclass(slots=True)
class MemoryExperimentStore:
    """ExperimentStore of one process, for a replica without Redis."""

    now_ms: Callable[[], int]
    tallies: dict[tuple[str, str], ExperimentTally] = field(default_factory=dict)
    _ended: dict[tuple[str, str], str] = field(default_factory=dict)
    _described: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def tally(self, key: ExperimentKey) -> ExperimentTally:
        """The counts of one experiment."""
        made = ExperimentTally({"started": float(self.now_ms())})
        return self.tallies.setdefault((key.name, key.digest), made)

    async def count(self, key: ExperimentKey, batch: CountedBatch) -> None:
        self.tally(key).count(key.split, batch.totals, batch.seen)

    async def rate(self, key: ExperimentKey, arm: int, place: int, up: bool) -> bool:
        return self.tally(key).rate(key.split, arm, place, int(up))

    async def told(self, key: ExperimentKey) -> Told:
        return Told(dict(self.tally(key).fields), self._ended.get((key.name, key.digest), ""))

    async def lost(self, key: ExperimentKey, at_ms: int) -> None:
        self.tally(key).fields["lost"] = float(at_ms)

    async def end(self, key: ExperimentKey, arm: str) -> None:
        self._ended[key.name, key.digest] = arm

    async def describe(self, key: ExperimentKey, described: Mapping[str, Any]) -> None:
        self._described[key.name, key.digest] = described

    async def described(self) -> Sequence[Mapping[str, Any]]:
        return list(self._described.values())


class RedisExperimentStore:
    """ExperimentStore in Redis. Does not close `client`. `refused`: told of what no replica can have written."""

    def __init__(self, client: Any, namespace: str = "ha_rag", refused: Callable[[str], None] | None = None) -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._refused = refused or (lambda why: None)

    async def count(self, key: ExperimentKey, batch: CountedBatch) -> None:
        keys = [self._key(key, part) for part in ("counts", "asked", f"batch:{batch.owner}")]
        totals = [part for name, number in batch.totals.items() for part in (name, number)]
        seen = [_seen(one) for one in batch.seen]
        values = (KEPT_MS, key.split, BLOCK, batch.number, len(totals), *totals, *seen)
        with translated():
            await self._client.eval(COUNT, len(keys), *keys, *values)

    async def rate(self, key: ExperimentKey, arm: int, place: int, up: bool) -> bool:
        keys = [self._key(key, part) for part in ("counts", "rated")]
        values = (KEPT_MS, key.split, BLOCK, arm, place // BITS, place % BITS, int(up))
        with translated():
            return bool(await self._client.eval(RATE, len(keys), *keys, *values))

    async def told(self, key: ExperimentKey) -> Told:
        with translated():
            stored = await self._map(self._key(key, "counts"))
        read = {text(name): text(value) for name, value in list(stored.items())[:MAX_FIELDS]}
        ended = read.pop("ended", "")
        counts: dict[str, float] = {}
        for name, value in read.items():
            try:
                counts[name] = _number(name, value)
            except ForeignValueError as error:
                self._refused(str(error))
        if ended and not _ARM.match(ended):
            self._refused("an experiment was ended in favour of what is no arm")
            ended = ""
        return Told(counts, ended)

    async def lost(self, key: ExperimentKey, at_ms: int) -> None:
        with translated():
            await self._client.hset(self._key(key, "counts"), "lost", at_ms)

    async def end(self, key: ExperimentKey, arm: str) -> None:
        counts = self._key(key, "counts")
        with translated():
            await (self._client.hset(counts, "ended", arm) if arm else self._client.hdel(counts, "ended"))
            await self._client.pexpire(counts, KEPT_MS)

    async def describe(self, key: ExperimentKey, described: Mapping[str, Any]) -> None:
        name, written = f"{key.name}:{key.digest}", json.dumps(described, sort_keys=True)
        with translated():
            known = await self._map(self._keys.experiments)
            if {text(one): text(value) for one, value in known.items()}.get(name) != written:
                if len(known) >= MAX_LISTED:
                    await self._client.hdel(self._keys.experiments, *list(known)[: len(known) - MAX_LISTED + 1])
                await self._client.hset(self._keys.experiments, name, written)
            await self._client.pexpire(self._keys.experiments, KEPT_MS)

    async def described(self) -> Sequence[Mapping[str, Any]]:
        with translated():
            stored = await self._map(self._keys.experiments)
        read = []
        for value in list(stored.values())[: 2 * MAX_LISTED]:
            try:
                body = json.loads(bounded("what an experiment compares", value, MAX_DESCRIBED))
                if not isinstance(body, dict):
                    raise ForeignValueError("what an experiment compares is no object")
                read.append(body)
            except ValueError as error:  # JSON's and ours
                self._refused(str(error))
        return read

    async def _map(self, key: str) -> Mapping[Any, Any]:
        stored = await read_or_delete(self._client, key, self._refused, lambda: self._client.hgetall(key)) or {}
        if not isinstance(stored, dict):
            raise ForeignValueError("an experiment's counts are no map")
        return stored

    def _key(self, key: ExperimentKey, part: str) -> str:
        return self._keys.experiment(key.name, key.digest, part)


def _seen(one: Seen) -> str:
    place = "-1 0" if one.place is None else f"{one.place // BITS} {one.place % BITS}"
    return f"{one.arm} {place} " + " ".join(f"{metric}={up}" for metric, up in one.shares.items())


def _number(name: str, value: str) -> float:
    if not _FIELD.match(name):
        raise ForeignValueError("a count of an experiment has a name that no replica gives")
    if not _NUMBER.match(value) or abs(number := float(value)) > LARGEST:
        raise ForeignValueError("a count of an experiment is no number")
    if number < 0 and not name.endswith(" sum"):
        raise ForeignValueError("a count of an experiment is below 0")
    return number
