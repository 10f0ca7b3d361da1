"""The law: what each verb does to a circuit. Pure functions over frozen values; no clock, no I/O, no randomness.

A circuit is changed by six verbs and by nothing else. Reading never changes anything; a verb that refuses changes
nothing either. The same law stands in Lua (`ledger/lua`); a property test holds the two together.

    record    adds outcomes of the current epoch to a closed circuit's window, and opens it when the window says so
    lease     time up: grants a probe, and only together with a grant makes the circuit half-open
    settle    a probe's end: closes, opens again, or gives the lease back
    override  an operator's word for everybody
    teach     restores what a ledger that lost its memory should know
    read      (see `snapshot.py`) a snapshot

Every transition mints an epoch, empties the window and the votes, and starts the count of good probes anew: what was
counted before it decides nothing after it. An epoch is max(last + 1, ledger time in ms), so histories cannot collide
after a failover. A result is counted only in the epoch that admitted it (gobreaker's generation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ha_rag.circuit.state import NOTHING, Circuit, CircuitState, Counted, Counts, Lease, Override, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.circuit.transitions import TABLE, Trigger
from ha_rag.circuit.window import added, pruned, total
from ha_rag.messages import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

JITTER_SHARE = 0.1
"""A rest after a failed recovery is stretched by up to this share, so that circuits do not recover in step."""

SWEEP_EVERY = 100
"""With every so manieth batch of a replica, those that are gone are forgotten."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change, as it goes into the event stream. `counts`: what the window held when it happened."""

    previous_epoch: int
    epoch: int
    before: CircuitState
    after: CircuitState
    trigger: str
    reason: str
    by: str
    counts: Counts = Counts()


WOULD_OPEN = "would open"
"""The trigger named in the event of a circuit in shadow mode, which changes nothing."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a verb made of a circuit. `events`: in order, oldest first. `touched`: others should look again."""

    circuit: Circuit
    events: tuple[Transition, ...] = ()
    granted: bool = False
    touched: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of one epoch that share a bucket. `at_ms`: when they ended, in the ledger's time."""

    epoch: int
    at_ms: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Batch:
    """What one replica reports at once. Sending it twice is safe: `number` grows by one with each new batch.

    `failing`: whether the replica's own rate over its own window is at or above a threshold.
    `throttled_ms`: the longest rest a service asked for, in epoch `throttled_epoch`; 0: none. `throttled_at_ms`: when
    it asked, in the ledger's time; 0: now.
    """

    replica: str
    number: int
    tallies: tuple[Tally, ...] = ()
    failing: bool = False
    throttled_ms: int = 0
    throttled_epoch: int = 0
    throttled_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Belief:
    """What a replica last heard from the ledger, as it teaches it.

    `left_ms`: what is left of a rest. `changed_at_ms`: when the epoch began, in the ledger's time.
    """

    state: CircuitState
    epoch: int
    left_ms: int = 0
    open_count: int = 0
    reason: str = ""
    opened_by: str = ""
    override: Override | None = None
    changed_at_ms: int = 0


def origin(known: Circuit | Belief) -> tuple[bool, int, str, str]:
    """What a transition left that stays as it is while its epoch lasts: an open circuit may come to read as half-open.

    One epoch with two origins is two histories, told apart by nothing else: a ledger that lost its memory can mint an
    epoch that was minted before, in the same millisecond or on a clock that lags.
    """
    return known.state is CLOSED, known.changed_at_ms, known.reason, known.opened_by


def record(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch, jitter: float = 0.0) -> Ruling:
    """Counts a batch and judges. Only a closed circuit counts, and only outcomes of its own epoch, once."""
    circuit, lapsed = _lapse(circuit, now_ms)
    mode = circuit.override.mode if circuit.override else None
    counted = circuit.batches.get(batch.replica)
    is_old = counted is not None and batch.number <= counted.number
    if circuit.state is not CLOSED or mode is OverrideMode.DISABLED or is_old:
        return Ruling(circuit, lapsed)
    circuit = _counted(circuit, terms, now_ms, batch)
    ruling = _judged(circuit, terms, now_ms, batch, jitter, mode)
    return replace(ruling, events=lapsed + ruling.events)


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
    if rest_ms := _asked_ms(circuit, terms, now_ms, batch):
        _vote(voters, _throttled(batch.replica), now_ms + rest_ms)
    return replace(circuit, window=window, voters=voters, batches=_remembered(circuit, terms, now_ms, batch))


def _remembered(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> dict[str, Counted]:
    """Who reported what last. Now and then the gone are forgotten: what they might repeat is too old to count."""
    since_ms = now_ms - 2 * terms.window_ms if batch.number % SWEEP_EVERY == 0 else -1
    kept = {replica: counted for replica, counted in circuit.batches.items() if counted.at_ms > since_ms}
    return {**kept, batch.replica: Counted(batch.number, now_ms)}


def _vote(voters: dict[str, int], name: str, until_ms: int | None) -> None:
    if until_ms is None:
        voters.pop(name, None)
    else:
        voters[name] = until_ms


def _throttled(replica: str) -> str:
    """A vote of its own kind: this replica was asked for a rest. ("!" cannot stand in a replica's name.)"""
    return "!" + replica


def _throttle_ms(asked_ms: int, terms: Terms) -> int:
    return min(asked_ms, terms.throttle_max_ms)


def _asked_ms(circuit: Circuit, terms: Terms, now_ms: int, batch: Batch) -> int:
    """What is left of the rest that the service asked for: the time since then counts, and so does the epoch."""
    if batch.throttled_ms <= 0 or batch.throttled_epoch != circuit.epoch:
        return 0
    at_ms = min(batch.throttled_at_ms, now_ms) if batch.throttled_at_ms > 0 else now_ms
    return max(0, at_ms + _throttle_ms(batch.throttled_ms, terms) - now_ms)


def _judged(
    circuit: Circuit, terms: Terms, now_ms: int, batch: Batch, jitter: float, mode: OverrideMode | None
) -> Ruling:
    counts = total(circuit.window, now_ms, terms)
    seen_by = sum(not name.startswith("!") for name in circuit.voters)
    rested_by = sum(name.startswith("!") for name in circuit.voters)
    asked_ms = _asked_ms(circuit, terms, now_ms, batch)
    if asked_ms and rested_by >= terms.quorum:
        trigger, rest_ms, step = Trigger.THROTTLED, asked_ms, 0
    elif (
        counts.samples >= terms.min_samples
        and terms.reached(counts.failure_rate, counts.slow_rate)
        and (terms.quorum <= 1 or seen_by >= terms.quorum)
    ):
        trigger, rest_ms, step = Trigger.THRESHOLD, _rest_ms(circuit, terms, now_ms, jitter), 1
    else:
        return Ruling(circuit)
    reason = _why(trigger, counts, rest_ms)
    if mode is OverrideMode.CLOSED:
        return Ruling(circuit)
    if mode is OverrideMode.SHADOW:
        return _would_open(circuit, now_ms, rest_ms, reason, batch.replica, counts)
    return _opened(circuit, trigger, now_ms, rest_ms, step, reason, batch.replica, terms, counts)


def _why(trigger: Trigger, counts: Counts, rest_ms: int) -> str:
    if trigger is Trigger.THROTTLED:
        return f"the service asked for a rest of {rest_ms} ms"
    return f"{counts.failed} of {counts.samples} failed, {counts.slow} slow"


def _would_open(circuit: Circuit, now_ms: int, rest_ms: int, reason: str, by: str, counts: Counts) -> Ruling:
    """Shadow mode says so once for each rest it would have taken."""
    if now_ms < circuit.would_open_at_ms:
        return Ruling(circuit)
    event = Transition(circuit.epoch, circuit.epoch, CLOSED, CLOSED, WOULD_OPEN, reason, by, counts)
    return Ruling(replace(circuit, would_open_at_ms=now_ms + rest_ms), (event,))


def _openings(circuit: Circuit, now_ms: int, terms: Terms) -> int:
    """How many times it opened lately: after a whole window closed, the past is forgiven."""
    calm = circuit.state is CLOSED and now_ms - circuit.changed_at_ms >= terms.window_ms
    return 0 if calm else circuit.open_count


def _rest_ms(circuit: Circuit, terms: Terms, now_ms: int, jitter: float) -> int:
    times = _openings(circuit, now_ms, terms)
    grown = min(terms.rest_ms * terms.backoff ** min(times, 64), terms.rest_max_ms)
    return int(grown * (1 + JITTER_SHARE * jitter) if times else grown)


def _opened(
    circuit: Circuit,
    trigger: Trigger,
    now_ms: int,
    rest_ms: int,
    step: int,
    reason: str,
    by: str,
    terms: Terms,
    counts: Counts = Counts(),
) -> Ruling:
    openings = _openings(circuit, now_ms, terms) + step
    changed, event = _changed(circuit, trigger, now_ms, reason, by, counts=counts)
    opened = replace(changed, opened_at_ms=now_ms, open_until_ms=now_ms + rest_ms, open_count=openings, opened_by=by)
    return Ruling(opened, (event,), touched=True)


def _changed(
    circuit: Circuit, trigger: Trigger, now_ms: int, reason: str, by: str, *, above: int = 0, counts: Counts = Counts()
) -> tuple[Circuit, Transition]:
    """The circuit after a transition, and the event that tells of it. `above`: an epoch the new one must exceed."""
    after = TABLE[circuit.state, trigger]
    epoch = max(circuit.epoch + 1, above + 1, now_ms)
    event = Transition(circuit.epoch, epoch, circuit.state, after, trigger, reason, by, counts)
    changed = replace(
        circuit,
        state=after,
        epoch=epoch,
        changed_at_ms=now_ms,
        reason=reason,
        probe_successes=0,
        probe_slow=0,
        missed_after=0,
        missed_before=0,
        window=NOTHING,
        voters=NOTHING,
        batches=NOTHING,
    )
    return changed, event


def lease(circuit: Circuit, terms: Terms, now_ms: int, replica: str, known_epoch: int, token: str) -> Ruling:
    """Grants a probe, or refuses and changes nothing.

    `known_epoch`: the asker's. A ledger that is behind it has forgotten something, and grants nothing.
    """
    current, lapsed = _lapse(circuit, now_ms)
    before = current.leases.get(token)
    spent = before is not None and before.until_ms > now_ms and not before.stands(now_ms)
    if spent or known_epoch > circuit.epoch or lease_wait_ms(current, terms, now_ms, replica) != 0:
        return Ruling(circuit)
    events = lapsed
    if current.state is OPEN:
        current, event = _changed(current, Trigger.PROBE_GRANTED, now_ms, "the rest is over", replica)
        events += (event,)
    kept = {t: held for t, held in current.leases.items() if held.until_ms > now_ms}
    granted = {**kept, token: Lease(now_ms + terms.lease_ms, current.epoch)}
    return Ruling(replace(current, leases=granted), events, granted=True, touched=bool(events))


def lease_wait_ms(circuit: Circuit, terms: Terms, now_ms: int, replica: str) -> int | None:
    """How long until `replica` may probe: 0 now, None where nobody can know (forced open) or need to (closed).

    A replica whose probe failed waits until another one's went well, or two lease lives after the last that failed: if
    it is the replica that is sick, the others get to say so. With a quorum several may have failed, and all wait.
    """
    forced = circuit.override is not None and not circuit.override.over(now_ms)
    if forced or circuit.state is CLOSED:
        return None
    waits = [0]
    if circuit.state is OPEN:
        waits.append(circuit.open_until_ms - now_ms)
    standing = [held.until_ms for held in circuit.leases.values() if held.stands(now_ms)]
    if len(standing) >= terms.probes:
        waits.append(min(standing) - now_ms)
    if circuit.lost_by and (circuit.lost_by == replica or circuit.voters.get(replica, 0) > now_ms):
        waits.append(circuit.lost_at_ms + 2 * terms.lease_ms - now_ms)
    return max(waits)


def settle(
    circuit: Circuit,
    terms: Terms,
    now_ms: int,
    replica: str,
    token: str,
    outcome: Outcome,
    throttled_ms: int = 0,
    jitter: float = 0.0,
) -> Ruling:
    """A probe's end. An expired, spent or foreign token changes nothing; one of another epoch is only given back."""
    held = circuit.leases.get(token)
    if held is None or not held.stands(now_ms):
        return Ruling(circuit)
    circuit, lapsed = _lapse(circuit, now_ms)
    given_back = replace(circuit, leases={**circuit.leases, token: replace(held, epoch=0)})
    if held.epoch != circuit.epoch or circuit.state is not HALF_OPEN or outcome is Outcome.CANCELLED:
        return Ruling(given_back, lapsed, touched=True)
    if outcome is Outcome.OK or outcome is Outcome.INVALID or _slow_but_bearable(circuit, terms, outcome):
        return _won(given_back, terms, now_ms, replica, outcome)
    return _lost(given_back, terms, now_ms, replica, outcome, throttled_ms, jitter)


def _slow_but_bearable(circuit: Circuit, terms: Terms, outcome: Outcome) -> bool:
    share = (circuit.probe_slow + 1) / (circuit.probe_successes + 1)
    return outcome is Outcome.SLOW and share < terms.slow_threshold


def _won(circuit: Circuit, terms: Terms, now_ms: int, replica: str, outcome: Outcome) -> Ruling:
    counted = replace(
        circuit,
        probe_successes=circuit.probe_successes + 1,
        probe_slow=circuit.probe_slow + (outcome is Outcome.SLOW),
        lost_by="",
    )
    if counted.probe_successes < terms.probe_successes:
        return Ruling(counted, touched=True)
    reason = f"{counted.probe_successes} good probes"
    closed, event = _changed(counted, Trigger.PROBES_WON, now_ms, reason, replica)
    return Ruling(closed, (event,), touched=True)


def _lost(
    circuit: Circuit, terms: Terms, now_ms: int, replica: str, outcome: Outcome, throttled_ms: int, jitter: float
) -> Ruling:
    """Opens again, with a quorum above 1 only once that many replicas' probes failed."""
    voters = {name: until for name, until in circuit.voters.items() if until > now_ms}
    voters[replica] = now_ms + max(terms.window_ms, 4 * terms.lease_ms)
    circuit = replace(circuit, voters=voters, lost_by=replica, lost_at_ms=now_ms)
    if len(voters) < terms.quorum:
        return Ruling(circuit, touched=True)
    if outcome is Outcome.THROTTLED:
        trigger, rest_ms, step = Trigger.THROTTLED, _throttle_ms(throttled_ms, terms), 0
    else:
        trigger, rest_ms, step = Trigger.PROBE_LOST, _rest_ms(circuit, terms, now_ms, jitter), 1
    return _opened(circuit, trigger, now_ms, rest_ms, step, f"a probe ended {outcome}", replica, terms)


def override(
    circuit: Circuit, now_ms: int, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None = None
) -> Ruling:
    """An operator's word, for everybody; None ends it. `for_ms`: how long, or None: until somebody ends it."""
    circuit, lapsed = _lapse(circuit, now_ms)
    if mode is None:
        if circuit.override is None:
            return Ruling(circuit, lapsed, touched=bool(lapsed))
        ended, event = _ended(circuit, now_ms, reason, by)
        return Ruling(ended, (*lapsed, event), touched=True)
    trigger = Trigger.FORCED_OPEN if mode is OverrideMode.OPEN else Trigger.FORCED_CLOSED
    changed, event = _changed(circuit, trigger, now_ms, f"{mode}: {reason}", by)
    word = Override(mode, reason, by, None if for_ms is None else now_ms + for_ms)
    told = replace(changed, override=word, would_open_at_ms=0)
    if mode is OverrideMode.OPEN:
        told = replace(told, open_until_ms=now_ms, opened_at_ms=now_ms, opened_by=by)
    return Ruling(told, (*lapsed, event), touched=True)


def _lapse(circuit: Circuit, now_ms: int) -> tuple[Circuit, tuple[Transition, ...]]:
    """Ends an override whose time is up: the first verb that writes after it tells of it."""
    if circuit.override is None or not circuit.override.over(now_ms):
        return circuit, ()
    ended, event = _ended(circuit, now_ms, "its time is up", circuit.override.by)
    return ended, (event,)


def _ended(circuit: Circuit, now_ms: int, reason: str, by: str) -> tuple[Circuit, Transition]:
    """After a forced open the next call may probe; after the others the circuit is closed with an empty window."""
    was_open = circuit.override is not None and circuit.override.mode is OverrideMode.OPEN
    trigger = Trigger.FORCE_ENDED if was_open else Trigger.OVERRIDE_ENDED
    ended, event = _changed(circuit, trigger, now_ms, reason, by)
    return replace(ended, override=None), event


def teach(circuit: Circuit, terms: Terms, now_ms: int, replica: str, belief: Belief) -> Ruling:
    """Restores a ledger that is behind what a replica had from it; does nothing to one that is not.

    One that gave the replica's epoch to another transition (a tie) has lost its memory as well: what either side knows
    goes on under an epoch above both.

    Open where either side is open and still running: the longer rest counts. Half-open, or open with its time up, on
    either side comes back as open for one lease, so that probes handed out before the loss have ended. Closed only if
    both sides are closed: nothing closes without a probe. An operator's word stands as the replica heard it: every
    word mints an epoch, so a ledger that is behind knows at best an older one. In a tie the ledger's own comes first.

    Who teaches first need not know most: for one lease after a lesson the ledger learns from a replica that knows of a
    transition which its teacher had missed.
    """
    tied = circuit.epoch == belief.epoch and origin(circuit) != origin(belief)
    after, before = missed(circuit, terms, now_ms)
    adds = after < belief.epoch < before
    if circuit.epoch >= belief.epoch and not tied and not adds:
        return Ruling(circuit)
    circuit, lapsed = _lapse(circuit, now_ms)
    word = None if belief.override is None or belief.override.over(now_ms) else belief.override
    if tied:
        word = circuit.override or word
    both_closed = circuit.state is CLOSED and belief.state is CLOSED
    rest_ms = max(_left_ms(circuit, now_ms), belief.left_ms if belief.state is OPEN else 0)
    trigger, rest_ms = _restored(word, both_closed, rest_ms, terms)
    reason = belief.reason or "the ledger had lost its memory"
    changed, event = _changed(circuit, trigger, now_ms, reason, replica, above=belief.epoch)
    opened = changed.state is OPEN
    taught = replace(
        changed,
        override=word,
        open_count=max(circuit.open_count, belief.open_count),
        opened_by=belief.opened_by or circuit.opened_by,
        missed_after=belief.epoch,
        missed_before=before if adds else changed.epoch,
        opened_at_ms=now_ms if opened else circuit.opened_at_ms,
        open_until_ms=now_ms + rest_ms if opened else circuit.open_until_ms,
    )
    return Ruling(taught, (*lapsed, event), touched=True)


def missed(circuit: Circuit, terms: Terms, now_ms: int) -> tuple[int, int]:
    """Transitions between these epochs are missing, and another replica may add them; (0, 0): nobody may any more.

    One lease: as long as what was under way before the loss may matter. A replica that stood still for longer, and
    wakes up with what it once knew, changes nothing.
    """
    late = now_ms - circuit.changed_at_ms >= terms.lease_ms
    return (0, 0) if late else (circuit.missed_after, circuit.missed_before)


def _restored(word: Override | None, both_closed: bool, rest_ms: int, terms: Terms) -> tuple[Trigger, int]:
    if word is not None:
        return (Trigger.FORCED_OPEN, 0) if word.mode is OverrideMode.OPEN else (Trigger.FORCED_CLOSED, 0)
    if rest_ms == 0 and both_closed:
        return Trigger.TAUGHT_CLOSED, 0
    return Trigger.TAUGHT_OPEN, rest_ms or terms.lease_ms


def _left_ms(circuit: Circuit, now_ms: int) -> int:
    """What is left of a rest; 0 while an operator holds the circuit, whose word carries its own end."""
    return max(0, circuit.open_until_ms - now_ms) if circuit.state is OPEN and circuit.override is None else 0
