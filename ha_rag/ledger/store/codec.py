"""What the scripts answer and publish, made into values. The one place that knows the order of the items."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, Counts, OperatorOverride, OverrideMode
from ha_rag.ledger.store.keys import is_name
from ha_rag.ledger.store.ledger import Change, StreamEntry

_FIXED = 19
"""Items of a snapshot before the names of its voters."""


def text(item: Any) -> str:
    """An item of a reply, whether or not the client decodes replies."""
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def reply(items: Sequence[Any]) -> Reply:
    """granted, wait_ms, unpublished, then a snapshot (`lua/prelude/reply.lua`)."""
    granted, wait_ms, unpublished, *rest = map(text, items)
    return Reply(snapshot(rest), granted == "1", int(wait_ms), unpublished == "1", unpublished == "2")


def snapshot(items: Sequence[str]) -> Snapshot:
    """A snapshot's items in order, the names of its voters last."""
    now, state, epoch, left, opened, reason, by, changed, won, standing, after, before, *more = items[:_FIXED]
    ok, failed, slow, mode, why, who, until = more
    word = OperatorOverride(OverrideMode(mode), why, who, int(until) if until else None) if mode else None
    return Snapshot(
        now_ms=int(now),
        state=CircuitState(state),
        epoch=int(epoch),
        left_ms=int(left),
        open_count=int(opened),
        reason=reason,
        opened_by=by,
        changed_at_ms=int(changed),
        probe_successes=int(won),
        slot_wait_ms=int(standing),
        missed=(int(after), int(before)),
        counts=Counts(int(ok), int(failed), int(slow)),
        voters=tuple(items[_FIXED:]),
        override=word,
    )


def change(message: str | bytes) -> Change | None:
    """A pushed message: JSON of the circuit's name, the epoch before, and a snapshot's items, all of them strings.

    None where it is nothing of the kind: anybody may publish, and what is missed that way is polled.
    """
    try:
        name, previous_epoch, *items = _strings(json.loads(message))
        return Change(name, int(previous_epoch), snapshot(items)) if is_name(name) else None
    except (ValueError, TypeError, RecursionError):
        return None


def _strings(items: Any) -> list[str]:
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise TypeError("not a list of strings")
    return items


def event(circuit: str, entry_id: Any, entry: Mapping[Any, Any]) -> StreamEntry:
    """An entry of a circuit's stream."""
    said = {text(name): text(value) for name, value in entry.items()}
    return StreamEntry(
        id=text(entry_id),
        circuit=circuit,
        previous_epoch=int(said["previous_epoch"]),
        epoch=int(said["epoch"]),
        before=said["from"],
        after=said["to"],
        trigger=said["trigger"],
        reason=said["reason"],
        by=said["by"],
        ok=int(said["ok"]),
        failed=int(said["failed"]),
        slow=int(said["slow"]),
    )
