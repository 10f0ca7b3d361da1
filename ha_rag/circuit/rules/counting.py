"""Counts outcomes, and decides whether they open a closed circuit."""

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
"""Every `SWEEP_EVERY`-th batch of a replica prunes replicas that stopped reporting."""


def record(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch, jitter: float = 0.0) -> Decision:
    """Counts a batch and evaluates. Only a closed circuit counts, only outcomes of its epoch, and each batch once."""
    circuit, expired = expire_override(circuit, now_ms)
    mode = circuit.override.mode if circuit.override else None
    last = circuit.batches.get(batch.replica)
    is_old = last is not None and batch.number <= last.number
    if circuit.state is not CLOSED or mode is OverrideMode.DISABLED or is_old:
        return Decision(circuit, expired)
    circuit = _with_batch(circuit, terms, now_ms, batch)
    circuit, streak = _with_streaks(circuit, terms, now_ms, batch)
    decision = _evaluate(circuit, terms, now_ms, batch, jitter, mode, streak)
    return replace(decision, events=expired + decision.events)


def _with_batch(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> Circuit:
    window: Mapping[tuple[int, int], Counts] = pruned(circuit.window, now_ms, terms)
    current = False
    for tally in batch.tallies:
        grown = added(window, tally.at_ms, tally.counts, now_ms, terms) if tally.epoch == circuit.epoch else None
        if grown is not None:
            window, current = grown, True
    voters = {name: until for name, until in circuit.voters.items() if until > now_ms}
    if current:
        _vote(voters, batch.replica, now_ms + terms.window_ms if batch.failing else None)
    if open_ms := _requested_ms(circuit, terms, now_ms, batch):
        _vote(voters, _throttle_vote(batch.replica), now_ms + open_ms)
    return replace(circuit, window=window, voters=voters, batches=_last_batches(circuit, terms, now_ms, batch))


def _with_streaks(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> tuple[Circuit, str]:
    """The circuit with updated streaks, and the reason if one of them opens it, else "". Old outcomes do not count."""
    current = [tally for tally in batch.tallies if tally.epoch == circuit.epoch]
    recent = [tally.counts for tally in current if now_ms - tally.at_ms < terms.bucket_ms]
    overdue = sum(tally.overdue for tally in current)  # of any age: each call that was added must be subtracted
    if not (recent or overdue) or not terms.has_streaks:
        return circuit, ""
    counts = sum(recent, Counts())
    verb, bad, threshold = (
        "failed or hung" if overdue > 0 else "failed",
        counts.failed + overdue,
        terms.failure_threshold,
    )
    failed, failed_reason = _streak(circuit.streak, terms, now_ms, bad, counts.ok, threshold, verb)
    slow, slow_reason = circuit.slow_streak, ""
    if terms.slow_threshold <= 1:
        fast = max(0, counts.samples - counts.slow)
        slow, slow_reason = _streak(slow, terms, now_ms, counts.slow, fast, terms.slow_threshold, "were slow")
    return replace(circuit, streak=failed, slow_streak=slow), failed_reason or slow_reason


def _streak(
    before: Streak, terms: Terms, now_ms: int, bad: int, good: int, threshold: float, verb: str
) -> tuple[Streak, str]:
    streak = grown(before, now_ms, bad, good, threshold, terms.window_ms)
    if not opens(streak, now_ms, bad, good, threshold, terms.min_net_failures, terms.blip_ms):
        return streak, ""
    seconds = (now_ms - streak.since_ms) / 1000
    return streak, f"{streak.bad} of {streak.bad + streak.good} calls {verb} within {seconds:.1f} s"


def _last_batches(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> dict[str, LastBatch]:
    """The last batch of each replica. A sweep drops those so old that a repetition could not count any more."""
    since_ms = now_ms - 2 * terms.window_ms if batch.number % SWEEP_EVERY == 0 else -1
    kept = {replica: last for replica, last in circuit.batches.items() if last.at_ms > since_ms}
    return {**kept, batch.replica: LastBatch(batch.number, now_ms)}


def _vote(voters: dict[str, int], name: str, until_ms: int | None) -> None:
    if until_ms is None:
        voters.pop(name, None)
    else:
        voters[name] = until_ms


def _throttle_vote(replica: str) -> str:
    """The name of a vote for a pause that the service asked for ("!" is not allowed in a replica's name)."""
    return "!" + replica


def _requested_ms(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> int:
    """What remains of the pause that the service asked for; 0 if it was asked for in another epoch."""
    if batch.throttled_ms <= 0 or batch.throttled_epoch != circuit.epoch:
        return 0
    at_ms = min(batch.throttled_at_ms, now_ms) if batch.throttled_at_ms > 0 else now_ms
    return max(0, at_ms + capped_open_ms(batch.throttled_ms, terms) - now_ms)


@dataclass(frozen=True, slots=True)
class _Opening:
    """Why a circuit should open, for how long, and what it adds to `open_count`."""

    trigger: Trigger
    open_ms: int
    step: int
    reason: str


def _evaluate(
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
    """The opening for a pause that the service asked for, if enough replicas were asked."""
    open_ms = _requested_ms(circuit, terms, now_ms, batch)
    if not open_ms or sum(name.startswith("!") for name in circuit.voters) < terms.quorum:
        return None
    return _Opening(Trigger.THROTTLED, open_ms, 0, f"the service asked for a rest of {open_ms} ms")


def _reached(
    circuit: Circuit, terms: Terms, now_ms: int, counts: Counts, jitter: float, streak: str
) -> _Opening | None:
    """The opening that the outcomes call for: from the window, else from a streak."""
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
    """Shadow mode: reports an opening once per open duration."""
    if now_ms < circuit.would_open_at_ms:
        return Decision(circuit)
    event = Transition(circuit.epoch, circuit.epoch, CLOSED, CLOSED, WOULD_OPEN, reason, by, counts)
    return Decision(replace(circuit, would_open_at_ms=now_ms + open_ms), (event,))
