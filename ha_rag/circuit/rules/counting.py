"""What calls ended in, and whether it opens a closed circuit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ha_rag.circuit.rules.changing import capped_open_ms, next_open_ms, trip
from ha_rag.circuit.rules.model import WOULD_OPEN, Batch, Decision, Transition
from ha_rag.circuit.rules.overriding import expire_override
from ha_rag.circuit.state import Circuit, CircuitState, Counts, LastBatch, OverrideMode
from ha_rag.circuit.streak import Streak, grown, opens
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import Trigger
from ha_rag.circuit.window import added, pruned, total

CLOSED = CircuitState.CLOSED

SWEEP_EVERY = 100
"""With every so manieth batch of a replica, those that are gone are forgotten."""


def record(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch, jitter: float = 0.0) -> Decision:
    """Counts a batch and judges. Only a closed circuit counts, and only outcomes of its own epoch, once."""
    circuit, expired = expire_override(circuit, now_ms)
    mode = circuit.override.mode if circuit.override else None
    counted = circuit.batches.get(batch.replica)
    is_old = counted is not None and batch.number <= counted.number
    if circuit.state is not CLOSED or mode is OverrideMode.DISABLED or is_old:
        return Decision(circuit, expired)
    circuit = _counted(circuit, terms, now_ms, batch)
    circuit, streak = _streaks(circuit, terms, now_ms, batch)
    decision = _judged(circuit, terms, now_ms, batch, jitter, mode, streak)
    return replace(decision, events=expired + decision.events)


def _counted(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> Circuit:
    window: Mapping[tuple[int, int], Counts] = pruned(circuit.window, now_ms, terms)
    current = False
    for tally in batch.tallies:
        grown = added(window, tally.at_ms, tally.counts, now_ms, terms) if tally.epoch == circuit.epoch else None
        if grown is not None:
            window, current = grown, True
    voters = {name: until for name, until in circuit.voters.items() if until > now_ms}
    if current:
        _vote(voters, batch.replica, now_ms + terms.window_ms if batch.failing else None)
    if open_ms := _asked_ms(circuit, terms, now_ms, batch):
        _vote(voters, _throttled(batch.replica), now_ms + open_ms)
    return replace(circuit, window=window, voters=voters, batches=_remembered(circuit, terms, now_ms, batch))


def _streaks(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> tuple[Circuit, str]:
    """The circuit with its streaks grown by what the batch holds of the last bucket; and why one opens it, or ""."""
    ours = [tally for tally in batch.tallies if tally.epoch == circuit.epoch]
    recent = [tally.counts for tally in ours if now_ms - tally.at_ms < terms.bucket_ms]
    overdue = sum(tally.overdue for tally in ours)  # however old: what was counted once must be taken back once
    if not (recent or overdue) or not terms.has_streaks:
        return circuit, ""
    counts = sum(recent, Counts())
    how, bad, threshold = (
        "failed or hung" if overdue > 0 else "failed",
        counts.failed + overdue,
        terms.failure_threshold,
    )
    failed, failed_why = _streak(circuit.streak, terms, now_ms, bad, counts.ok, threshold, how)
    slow, slow_why = circuit.slow_streak, ""
    if terms.slow_threshold <= 1:
        fast = max(0, counts.samples - counts.slow)
        slow, slow_why = _streak(slow, terms, now_ms, counts.slow, fast, terms.slow_threshold, "were slow")
    return replace(circuit, streak=failed, slow_streak=slow), failed_why or slow_why


def _streak(
    before: Streak, terms: Terms, now_ms: int, bad: int, good: int, threshold: float, how: str
) -> tuple[Streak, str]:
    streak = grown(before, now_ms, bad, good, threshold, terms.window_ms)
    if not opens(streak, now_ms, bad, good, threshold, terms.min_net_failures, terms.blip_ms):
        return streak, ""
    seconds = (now_ms - streak.since_ms) / 1000
    return streak, f"{streak.bad} of {streak.bad + streak.good} calls {how} within {seconds:.1f} s"


def _remembered(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> dict[str, LastBatch]:
    """Who reported what last. Now and then the gone are forgotten: what they might repeat is too old to count."""
    since_ms = now_ms - 2 * terms.window_ms if batch.number % SWEEP_EVERY == 0 else -1
    kept = {replica: counted for replica, counted in circuit.batches.items() if counted.at_ms > since_ms}
    return {**kept, batch.replica: LastBatch(batch.number, now_ms)}


def _vote(voters: dict[str, int], name: str, until_ms: int | None) -> None:
    if until_ms is None:
        voters.pop(name, None)
    else:
        voters[name] = until_ms


def _throttled(replica: str) -> str:
    """A vote of its own kind: this replica was asked for a rest. ("!" cannot stand in a replica's name.)"""
    return "!" + replica


def _asked_ms(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> int:
    """What is left of the rest that the service asked for: the time since then counts, and so does the epoch."""
    if batch.throttled_ms <= 0 or batch.throttled_epoch != circuit.epoch:
        return 0
    at_ms = min(batch.throttled_at_ms, now_ms) if batch.throttled_at_ms > 0 else now_ms
    return max(0, at_ms + capped_open_ms(batch.throttled_ms, terms) - now_ms)


@dataclass(frozen=True, slots=True)
class _Opening:
    """Why a circuit should open, for how long, and by how much that makes the next time longer."""

    trigger: Trigger
    open_ms: int
    step: int
    reason: str


def _judged(
    circuit: Circuit, terms: Terms, now_ms: int, batch: Batch, jitter: float, mode: OverrideMode | None, streak: str
) -> Decision:
    counts = total(circuit.window, now_ms, terms)
    opening = _requested(circuit, terms, now_ms, batch) or _reached(circuit, terms, now_ms, counts, jitter, streak)
    if opening is None or mode is OverrideMode.CLOSED:
        return Decision(circuit)
    if mode is OverrideMode.SHADOW:
        return _would_open(circuit, now_ms, opening.open_ms, opening.reason, batch.replica, counts)
    return trip(
        circuit, opening.trigger, now_ms, opening.open_ms, opening.step, opening.reason, batch.replica, terms, counts
    )


def _requested(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> _Opening | None:
    """An opening that the service itself asked for."""
    open_ms = _asked_ms(circuit, terms, now_ms, batch)
    if not open_ms or sum(name.startswith("!") for name in circuit.voters) < terms.quorum:
        return None
    return _Opening(Trigger.THROTTLED, open_ms, 0, f"the service asked for a rest of {open_ms} ms")


def _reached(
    circuit: Circuit, terms: Terms, now_ms: int, counts: Counts, jitter: float, streak: str
) -> _Opening | None:
    """An opening that the outcomes call for: by the window first, else by a streak."""
    if now_ms < circuit.judges_from_ms:
        return None
    if terms.quorum > 1 and sum(not name.startswith("!") for name in circuit.voters) < terms.quorum:
        return None
    open_ms = next_open_ms(circuit, terms, now_ms, jitter)
    if counts.samples >= terms.min_samples and terms.reached(counts.failure_rate, counts.slow_rate):
        reason = f"{counts.failed} of {counts.samples} failed, {counts.slow} slow"
        return _Opening(Trigger.THRESHOLD, open_ms, 1, reason)
    return _Opening(Trigger.STREAK, open_ms, 1, streak) if streak else None


def _would_open(circuit: Circuit, now_ms: int, open_ms: int, reason: str, by: str, counts: Counts) -> Decision:
    """Shadow mode says so once for each rest it would have taken."""
    if now_ms < circuit.would_open_at_ms:
        return Decision(circuit)
    event = Transition(circuit.epoch, circuit.epoch, CLOSED, CLOSED, WOULD_OPEN, reason, by, counts)
    return Decision(replace(circuit, would_open_at_ms=now_ms + open_ms), (event,))
