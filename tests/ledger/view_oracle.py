"""A second implementation of what a view should know and do; it uses no code of the ledger.

Times are whole ms of one clock, the replica's own; the oracle receives everything in the order in which it happens. A
window never ends here, and one failure is enough samples: windows have their own tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

NEVER = math.inf
VERDICT_MS = 100
LATE_MS = 1000
LEASE_MS = 1000
MAX_KEPT_MS = 600_000
PROBE_MS = LEASE_MS / 2 / 0.9
"""What must be left of a lease for a probe: its timeout, and a tenth for its outcome to arrive."""
REST_MS, REST_MAX_MS = 1000, 4000
ASK_AGAIN_MS = 1000
BLIP_MS = 500
"""How long a circuit that probes closed counts without opening, if they took no time."""


@dataclass(frozen=True)
class Reading:
    """The ledger's state at `taken_ms` of its clock. `origin`: which transition it was, apart from its epoch.

    `left_ms`: of the open duration; `override`: its mode, for `override_ms` more (None: until it is ended). `missed`:
    the epochs between which a transition is missing.
    """

    epoch: int
    state: str
    origin: int
    taken_ms: int
    left_ms: float = 0
    slot_wait_ms: int = 0
    open_count: int = 0
    override: str = ""
    override_ms: int | None = None
    missed: tuple[int, int] = (0, 0)
    intact_s: tuple[float, float] | None = field(default=None, compare=False)
    """If it is a reply: between which times the ledger lost nothing; None: unknown."""


@dataclass
class Own:
    """The local breaker. `era`: starts anew with each transition; `leases`: until when, and of which era."""

    state: str = "closed"
    era: int = 0
    until_ms: float = 0
    opened: int = 0
    ok: int = 0
    failed: int = 0
    won: int = 0
    evaluates_from_ms: float = 0
    streak: tuple[int, int, float] = (0, 0, 0)
    """Failures, successes, and since when."""
    leases: dict[str, tuple[float, int]] = field(default_factory=dict)

    def reads(self, now: float) -> str:
        return "half_open" if self.state == "open" and now >= self.until_ms else self.state

    def change(self, state: str) -> None:
        self.state, self.era = state, self.era + 1
        self.ok = self.failed = self.won = 0
        self.evaluates_from_ms = 0
        self.streak = (0, 0, 0)

    def open(self, now: float) -> None:
        open_ms = min(REST_MS * 2**self.opened, REST_MAX_MS)
        self.change("open")
        self.until_ms, self.opened = now + open_ms, self.opened + 1

    def reset(self) -> None:
        self.change("closed")
        self.opened = 0

    def grow_streak(self, ok: int, failed: int, now: float) -> bool:
        """Whether the streak opens the circuit."""
        bad, good, since = self.streak if self.streak[0] else (0, 0, now)
        bad, good = bad + failed, good + ok
        self.streak = (bad, good, since) if bad > 2 * good else (0, 0, 0)
        return failed > 2 * ok and self.net(14) and now - since >= BLIP_MS

    def net(self, failures: int) -> bool:
        bad, good, _ = self.streak
        return bad >= failures and bad - failures >= 2 * good

    def reached(self) -> bool:
        return self.failed > 0 and self.failed >= self.ok

    def failing(self) -> bool:
        return self.state != "closed" or self.reached() or self.net(2)


@dataclass(frozen=True)
class Admitted:
    """A call: the fleet's epoch and the replica's era that admitted it."""

    epoch: int
    era: int


class Oracle:
    """`now`: returns the time; `now_s`: the same in seconds. `successes`: successful probes needed to close."""

    def __init__(self, now: Callable[[], float], now_s: Callable[[], float], successes: int) -> None:
        self._now, self._now_s = now, now_s
        self.successes = successes
        self.cached = Reading(0, "closed", 0, -LATE_MS)
        self.replied = self.cached
        self.pushed_s = -NEVER
        """When the message arrived that alone told what is cached; minus infinity: the ledger replied it."""
        self.at_ms = 0.0
        self.confirmed_ms = -NEVER
        self.away = False
        self.own = Own()
        self.verdict: tuple[float, int] | None = None
        self.taken_over: int | None = None
        self.unjudged = 0
        """Successes that the local breaker has not evaluated yet."""
        self.unreported = [0, 0]
        self.batches = 0
        self.asked = False
        self.ask_after_ms = -NEVER
        self.grant: tuple[str, float, int] | None = None
        self.wanted_until_ms = -NEVER
        self.called_ms = -NEVER
        self.unserved = self.wasted = self.sparse = False

    # ---- the fleet's state ------------------------------------------------------------------------------------------

    def _since(self) -> float:
        return self._now() - self.at_ms

    def mode(self) -> str:
        """The active override: until its end, by the replica's own clock."""
        reading = self.cached
        return reading.override if reading.override_ms is None or self._since() < reading.override_ms else ""

    def open_for_ms(self) -> float:
        """The remaining time of the fleet's open duration."""
        left_ms = NEVER if self.cached.left_ms < 0 else self.cached.left_ms
        return max(0.0, left_ms - self._since()) if self.cached.state == "open" else 0.0

    def fleet_reads(self) -> str:
        if self.cached.state == "open":
            return "open" if self.open_for_ms() else "half_open"
        return self.cached.state

    def answered(self, reading: Reading) -> str:
        """Applies a reply: returns "forgot", "unconfirmed", "new" or nothing."""
        known = self.cached
        is_lost = reading.intact_s is not None and self.pushed_s < reading.intact_s[0]
        if self._contradicts_a_message(reading) and not is_lost:
            if reading.intact_s is None or reading.intact_s[1] <= self.pushed_s:
                return "unconfirmed"
            self.confirmed_ms = self._now()
            self._adopt(reading, new=True)
            return "new"
        if reading.epoch < known.epoch or self._is_of_another_history(reading):
            return "forgot"
        self.confirmed_ms = self._now()
        if reading.epoch == known.epoch and 0 < known.taken_ms - reading.taken_ms < LATE_MS:
            return ""
        self._adopt(reading)
        return "new" if reading.epoch > known.epoch else ""

    def receive_message(self, reading: Reading, previous: int) -> str:
        """Applies a message: returns "gap", "new", "new after a gap" or nothing."""
        known = self.cached
        if self._is_of_another_history(reading):
            return "gap"
        if reading.epoch == known.epoch == previous:
            self.ask_after_ms = self._now() + self._probe_in_ms(reading)
        if reading.epoch <= known.epoch:
            return ""
        self.confirmed_ms = self._now()
        replied = self.replied
        self._adopt(reading)
        self.replied, self.pushed_s = replied, self._now_s()
        return "new" if previous == known.epoch else "new after a gap"

    def _contradicts_a_message(self, reading: Reading) -> bool:
        """Whether only a message said what is cached, and the ledger, which has forgotten nothing, does not know it."""
        replied = self.replied
        is_of_same_history = reading.epoch > replied.epoch or reading.origin == replied.origin
        return self.pushed_s >= 0 and replied.epoch <= reading.epoch < self.cached.epoch and is_of_same_history

    def _is_of_another_history(self, reading: Reading) -> bool:
        known = self.cached
        if reading.epoch == known.epoch:
            return reading.origin != known.origin
        adds = (known.state, known.override) != ("closed", "") or (reading.state, reading.override) != ("closed", "")
        return reading.missed[0] < known.epoch < reading.missed[1] and adds

    def _adopt(self, reading: Reading, *, new: bool = False) -> None:
        new = new or reading.epoch > self.cached.epoch
        self.replied, self.pushed_s = reading, -NEVER
        self.cached, self.at_ms = reading, self._now()
        ask_after_ms = self._now() + self._probe_in_ms(reading)
        if new:
            self.ask_after_ms, self.unreported = ask_after_ms, [0, 0]
            # Only a fleet that closes leaves a local trip in place.
            if self.own.state == "closed" or reading.state != "closed" or reading.override:
                self._forget()
        elif reading.state == "half_open":
            self.ask_after_ms = min(self.ask_after_ms, ask_after_ms)
        elif self.ask_after_ms > ask_after_ms:  # here replicas do not spread their requests
            self.ask_after_ms = ask_after_ms

    @staticmethod
    def _probe_in_ms(reading: Reading) -> float:
        return max(reading.left_ms, reading.slot_wait_ms, 0)

    # ---- local decisions --------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self.own.reset()
        self.verdict = None
        self.unjudged = 0

    def goes_away(self, away: bool) -> bool:
        """Returns whether that changed. Without a ledger there is no wait; later only a running open duration stays."""
        news, self.away = away != self.away, away
        if news and away:
            self.verdict = None
        elif news:
            if self.taken_over is not None and self.own.reads(self._now()) != "open":
                self._forget()
            self.taken_over = None
        self.look()
        return news

    def look(self) -> None:
        """Without a ledger the replica probes an open circuit of the fleet itself, once for each of its epochs."""
        alone = self.away and not self.mode() and self.fleet_reads() == "half_open"
        if not alone or self.taken_over == self.cached.epoch:
            return
        self.taken_over, self.verdict = self.cached.epoch, None
        if self.own.state == "closed":
            self.own.change("open")
            self.own.until_ms, self.own.opened, self.unjudged = self._now(), self.cached.open_count, 0

    def ticks(self) -> None:
        """Time has passed: successes end a streak while they are recent, so they are judged now if there is one."""
        self.look()
        if self.own.streak[0]:
            self._judge(failed=False)

    def binds(self) -> str:
        """The local state that applies to its calls."""
        waits = self.verdict is not None and self._now() < self.verdict[0]
        return "closed" if waits else self.own.reads(self._now())

    # ---- calls ------------------------------------------------------------------------------------------------------

    def meets(self) -> tuple[str, float]:
        """The state that a call meets, and for how long it is refused, if known."""
        self.look()
        if mode := self.mode():
            override_ms = self.cached.override_ms
            return (
                ("open", NEVER if override_ms is None else override_ms - self._since())
                if mode == "open"
                else ("closed", 0)
            )
        fleet = "closed" if self.away and self.fleet_reads() == "half_open" else self.fleet_reads()
        if fleet == "open":
            return "open", self.open_for_ms()
        if self.binds() == "open":
            return "open", self.own.until_ms - self._now()
        return ("half_open", 0) if "half_open" in (fleet, self.binds()) else ("closed", 0)

    def calls(self) -> tuple[str, float, bool]:
        """The result of a call (pass, probe, probe alone, refuse), for how long, and whether a lease is requested."""
        state, wait_ms = self.meets()
        if state != "half_open":
            return ("refuse", wait_ms, False) if state == "open" else ("pass", 0, False)
        if self.fleet_reads() == "half_open" and not self.away:
            return self._probes()
        return self._probes_alone()

    def _probes(self) -> tuple[str, float, bool]:
        now, grant = self._now(), self.grant
        if grant is not None and now < grant[1] - PROBE_MS and grant[2] == self.cached.epoch:
            self.grant = None
            self.calls_for_a_probe(now, unserved=False)
            return "probe", 0, False
        self.wasted |= grant is not None
        self.calls_for_a_probe(now, unserved=True)
        asks = not self.asked and now >= self.ask_after_ms
        self.asked |= asks
        return "refuse", max(0.0, self.ask_after_ms - now), asks

    def calls_for_a_probe(self, now: float, *, unserved: bool) -> None:
        """A grant is kept for half a lease, or for two intervals once a call came too late for a grant."""
        since_ms, self.called_ms = now - self.called_ms, now
        too_late = self.unserved and (self.wasted or now >= self.wanted_until_ms)
        self.sparse = since_ms <= MAX_KEPT_MS and (self.sparse or too_late)
        self.unserved, self.wasted = unserved, False
        kept_ms = [0.0, *[LEASE_MS / 2][:unserved], *[min(2 * since_ms, MAX_KEPT_MS)][: self.sparse]]
        self.wanted_until_ms = max(self.wanted_until_ms, now + max(kept_ms))

    def _probes_alone(self) -> tuple[str, float, bool]:
        now, own = self._now(), self.own
        running = [until_ms for until_ms, _ in own.leases.values() if until_ms > now]
        if running:
            return "refuse", min(running) - now, False
        if own.state == "open":
            own.change("half_open")
            self.unjudged = 0
        return "probe alone", 0, False

    def probe_began(self, token: str) -> None:
        self.own.leases[token] = (self._now() + LEASE_MS, self.own.era)

    def probe_ended(self, token: str, well: bool) -> None:
        """A local probe: one that has expired, or of an earlier era, changes nothing."""
        own, (until_ms, era) = self.own, self.own.leases.pop(token)
        if until_ms <= self._now() or era != own.era or own.state != "half_open":
            return
        own.won += well
        if not well:
            own.open(self._now())
        elif own.won >= self.successes:
            own.change("closed")
            own.evaluates_from_ms = self._now() + BLIP_MS
        self.unjudged = 0

    def call(self) -> Admitted:
        return Admitted(self.cached.epoch, self.own.era)

    def call_ended(self, call: Admitted, well: bool) -> bool:
        """Whether it counts: in the epoch and era that admitted it; never while the circuit is disabled."""
        fleets, own = call.epoch == self.cached.epoch, call.era == self.own.era
        if self.mode() == "disabled" or not (fleets or own):
            return False
        if fleets:
            self.unreported[not well] += 1
        if own and well:
            self.unjudged += 1
        elif not well:
            self._judge(failed=own)
        self.look()
        return True

    def _judge(self, failed: bool) -> None:
        ok, self.unjudged = self.unjudged, 0
        if self.own.state != "closed" or self.mode() not in ("", "shadow"):
            return
        self.own.ok, self.own.failed = self.own.ok + ok, self.own.failed + failed
        by_streak = bool(ok or failed) and self.own.grow_streak(ok, int(failed), self._now())
        if self.mode() or not (by_streak or ((ok or failed) and self.own.reached())):
            return
        if self._now() < self.own.evaluates_from_ms:
            return
        self.own.open(self._now())
        if not self.away:
            self.verdict = (self._now() + VERDICT_MS, self.batches + 1)

    def judged(self, batch: int) -> None:
        """The fleet has evaluated that batch and stays closed: the local decision applies."""
        if self.verdict is not None and batch >= self.verdict[1]:
            self.verdict = None

    # ---- leases -----------------------------------------------------------------------------------------------------

    def granted(self, token: str, asked_ms: float, epoch: int) -> str | None:
        """Returns what is to be returned: a grant that was already there."""
        unused, self.grant, self.asked = self.grant, (token, asked_ms + LEASE_MS, epoch), False
        return unused[0] if unused else None

    def denied(self, wait_ms: int | None) -> None:
        """None: unknown."""
        self.asked = False
        self.ask_after_ms = self._now() + (ASK_AGAIN_MS if wait_ms is None else wait_ms)

    def stale_grant(self) -> str | None:
        """A grant that is too old for a probe, no longer wanted, or of another epoch is returned."""
        grant = self.grant
        if grant is None:
            return None
        if self._now() < min(grant[1] - PROBE_MS, self.wanted_until_ms) and grant[2] == self.cached.epoch:
            return None
        self.grant, self.wasted = None, True
        return grant[0]
