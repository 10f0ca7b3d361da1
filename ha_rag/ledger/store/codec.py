"""Decodes script replies, published messages and stream entries. The only place that knows the order of their items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.ledger.store.circuit_names import unescaped
from ha_rag.ledger.store.ledger import Change, StreamEntry

_FIXED = 19
"""Number of snapshot items before the voters' names."""


def text(item: Any) -> str:
    """An item of a reply as str, whether or not the client decodes replies."""
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def reply(items: Sequence[Any]) -> Reply:
    """Decodes granted, wait_ms, unpublished and the snapshot's items (`lua/prelude/reply.lua`)."""
    granted, wait_ms, unpublished, *snapshot_items = map(text, items)
    return Reply(snapshot(snapshot_items), granted == "1", int(wait_ms), unpublished == "1", unpublished == "2")


def snapshot(items: Sequence[str]) -> Snapshot:
    """Decodes a snapshot's items; the voters' names come last."""
    now, state, epoch, left, opened, reason, by, changed, successes, slot_wait, after, before, *more = items[:_FIXED]
    ok, failed, slow, mode, override_reason, override_by, until = more
    override = None
    if mode:
        until_ms = int(until) if until else None
        override = OperatorOverride(OverrideMode(mode), override_reason, override_by, until_ms)
    return Snapshot(
        now_ms=int(now),
        state=CircuitState(state),
        epoch=int(epoch),
        left_ms=int(left),
        open_count=int(opened),
        reason=reason,
        opened_by=by,
        changed_at_ms=int(changed),
        probe_successes=int(successes),
        slot_wait_ms=int(slot_wait),
        missed=(int(after), int(before)),
        counts=Counts(int(ok), int(failed), int(slow)),
        voters=tuple(items[_FIXED:]),
        override=override,
    )


def change(message: str | bytes) -> Change | None:
    """Decodes a pushed message: a JSON list of strings (circuit name, previous epoch, the snapshot's items).

    Returns None for anything else: other clients may publish on the channel, and polling covers a lost message.
    """
    try:
        stored, previous_epoch, *items = _strings(json.loads(message))
        name = unescaped(stored)
        return Change(name, int(previous_epoch), snapshot(items)) if name is not None else None
    except (ValueError, TypeError, RecursionError):
        return None


def _strings(items: Any) -> list[str]:
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise TypeError("not a list of strings")
    return items


def event(circuit: str, entry_id: Any, entry: Mapping[Any, Any]) -> StreamEntry:
    """Decodes an entry of a circuit's stream."""
    fields = {text(name): text(value) for name, value in entry.items()}
    return StreamEntry(
        id=text(entry_id),
        circuit=circuit,
        previous_epoch=int(fields["previous_epoch"]),
        epoch=int(fields["epoch"]),
        before=fields["from"],
        after=fields["to"],
        trigger=fields["trigger"],
        reason=fields["reason"],
        by=fields["by"],
        ok=int(fields["ok"]),
        failed=int(fields["failed"]),
        slow=int(fields["slow"]),
    )
