"""Decodes script replies, published messages and stream entries. The only place that knows the order of their items.

Everything is validated (`validation.py`): what the protocol cannot mean raises ForeignValueError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ha_rag.circuit.bounds import MAX_COUNT, MAX_NAME, MAX_REST_MS, MAX_WHOLE
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.snapshot import MAX_VOTERS_NAMED, UNKNOWN, Snapshot
from ha_rag.circuit.state import CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.ledger.store.circuit_names import unescaped
from ha_rag.ledger.store.ledger import Change, StreamEntry
from ha_rag.ledger.store.validation import (
    ForeignReplyError,
    ForeignValueError,
    bounded,
    items_of,
    one_of,
    text,
    time_ms,
    whole,
)

_FIXED = 19
"""Number of snapshot items before the voters' names."""

MAX_MESSAGE = 1_000_000
"""Characters of a pushed message."""

_STATES, _MODES = tuple(CircuitState), ("", *OverrideMode)
_ENTRY_ID = re.compile(r"[0-9]{1,16}-[0-9]{1,16}\Z", re.ASCII)


def reply(answer: Any) -> Reply:
    """Decodes granted, wait_ms, unpublished and the snapshot's items (`lua/prelude/reply.lua`)."""
    items = items_of(answer)
    if len(items) == 2 and text(items[0]) == "invalid":
        raise ForeignValueError(bounded("the reason", items[1], MAX_NAME))
    if len(items) < 3 + _FIXED:
        raise ForeignReplyError(f"it has {len(items)} items, not at least {3 + _FIXED}")
    granted, published = one_of("granted", items[0], "01"), one_of("unpublished", items[2], "012")
    wait_ms = whole("the wait", items[1], UNKNOWN, MAX_REST_MS)
    return Reply(snapshot(items[3:]), granted == "1", wait_ms, published == "1", published == "2")


def snapshot(items: Sequence[Any]) -> Snapshot:
    """Decodes a snapshot's items; the voters' names come last."""
    if not _FIXED <= len(items) <= _FIXED + MAX_VOTERS_NAMED:
        raise ForeignValueError(f"a snapshot of {len(items)} items")
    now, state, epoch, left, opened, reason, by, changed, successes, slot_wait, after, before, *more = items[:_FIXED]
    ok, failed, slow, mode, override_reason, override_by, until = more
    now_ms = whole("the time", now, 0, MAX_WHOLE - MAX_REST_MS)
    left_ms = whole("the open duration", left, UNKNOWN, MAX_REST_MS)
    override = _override(mode, override_reason, override_by, until, now_ms)
    if left_ms == UNKNOWN and not _is_forced_open(override):
        raise ForeignValueError("an open duration without an end that no operator has ordered")
    return Snapshot(
        now_ms=now_ms,
        state=CircuitState(one_of("the state", state, _STATES)),
        epoch=time_ms("the epoch", epoch, now_ms),
        left_ms=left_ms,
        open_count=whole("the number of openings", opened, 0, MAX_COUNT),
        reason=bounded("the reason", reason),
        opened_by=bounded("who opened it", by),
        changed_at_ms=time_ms("the time of the change", changed, now_ms),
        probe_successes=whole("the number of probes", successes, 0, MAX_COUNT),
        slot_wait_ms=whole("the wait for a probe", slot_wait, 0, MAX_REST_MS),
        missed=(time_ms("a missing epoch", after, now_ms), time_ms("a missing epoch", before, now_ms)),
        counts=Counts(whole("a count", ok), whole("a count", failed), whole("a count", slow)),
        voters=tuple(bounded("a voter", voter, MAX_NAME) for voter in items[_FIXED:]),
        override=override,
    )


def _is_forced_open(override: OperatorOverride | None) -> bool:
    """Whether it is an override that keeps the circuit open until somebody ends it."""
    return override is not None and override.mode is OverrideMode.OPEN and override.until_ms is None


def _override(mode: Any, reason: Any, by: Any, until: Any, now_ms: int) -> OperatorOverride | None:
    known = one_of("the override", mode, _MODES)
    if not known:
        return None
    until_ms = whole("the end of the override", until, 0, now_ms + MAX_REST_MS) if text(until) else None
    return OperatorOverride(OverrideMode(known), bounded("the reason", reason), bounded("who", by), until_ms)


def change(message: Any) -> Change | None:
    """Decodes a pushed message: a JSON list of strings (circuit name, previous epoch, the snapshot's items).

    Returns None for anything else: other clients may publish on the channel, and polling covers a lost message.
    """
    try:
        return _change(message)
    except (ValueError, TypeError, RecursionError):
        return None


def _change(message: Any) -> Change | None:
    if not isinstance(message, str | bytes) or len(message) > MAX_MESSAGE:
        return None
    items = json.loads(message)
    if not isinstance(items, list) or len(items) < 2 or not all(isinstance(item, str) for item in items):
        return None
    name, told = unescaped(items[0]), snapshot(items[2:])
    return Change(name, time_ms("the previous epoch", items[1], told.now_ms), told) if name is not None else None


def event(circuit: str, entry_id: Any, entry: Mapping[Any, Any]) -> StreamEntry:
    """Decodes an entry of a circuit's stream."""
    fields = {text(name): value for name, value in entry.items()}
    at = text(entry_id)
    if not _ENTRY_ID.match(at):
        raise ForeignValueError("an id that is none of a stream")
    try:
        return StreamEntry(
            id=at,
            circuit=circuit,
            previous_epoch=whole("the previous epoch", fields["previous_epoch"]),
            epoch=whole("the epoch", fields["epoch"]),
            before=one_of("the state before", fields["from"], _STATES),
            after=one_of("the state after", fields["to"], _STATES),
            trigger=bounded("the trigger", fields["trigger"], MAX_NAME),
            reason=bounded("the reason", fields["reason"]),
            by=bounded("who", fields["by"]),
            ok=whole("a count", fields["ok"]),
            failed=whole("a count", fields["failed"]),
            slow=whole("a count", fields["slow"]),
            until_ms=whole("the end of the override", fields["until"]) if text(fields.get("until", "")) else None,
        )
    except KeyError as missing:
        raise ForeignValueError(f"there is no {missing}") from None
