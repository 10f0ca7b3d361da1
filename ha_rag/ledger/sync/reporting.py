"""Reporting: sends outcomes to the ledger, one batch per circuit, at intervals or at once after a failure."""

from __future__ import annotations

import asyncio
import math

from ha_rag import chance
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import LedgerError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.pace import REPLICA_REPORTS_PER_S, TokenBucket
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View

ACTIVE_S, ACTIVE_INTERVALS = 2.0, 2
"""A circuit is active if it was reported on within this many seconds, or this many of its intervals."""

SENDERS = 2
"""Reports that are due are sent by so many at a time, and by as many more as the round trip needs to send
`REPLICA_REPORTS_PER_S`. Each takes a connection, of which a large fleet has few to spare."""

BURST_S = 0.1
"""Seconds between two immediate reports in a small fleet, once the token bucket is empty."""


class Reporting:
    """One replica's reports, one at a time for each circuit. Used on one event loop, except `report_soon`."""

    def __init__(self, session: LedgerSession, background: BackgroundTasks) -> None:
        self._session = session
        self._background = background
        self._buckets: dict[str, TokenBucket] = {}
        self._reported_s: dict[View, float] = {}
        self._scheduled: set[str] = set()
        self._in_flight: dict[str, asyncio.Event] = {}
        """Circuit -> event that is set when its report has ended."""
        self._again: set[str] = set()
        self._due: dict[str, View] = {}
        """Circuits to be reported on next, in order."""
        self._senders: set[asyncio.Task[None]] = set()

    def report_soon(self, view: View) -> None:
        """Reports without waiting for the interval, within the token bucket's limit. Safe from any thread."""
        self._background.soon(lambda: self._report_now(view))

    def _report_now(self, view: View) -> None:
        if view.name in self._scheduled:
            return  # that batch has not been built yet and will include this failure
        if view.name in self._in_flight:
            self._again.add(view.name)
            return
        slower = self._session.pace.report_s(BURST_S) / BURST_S
        if self._buckets.setdefault(view.name, TokenBucket()).take(self._session.now_s(), slower):
            self._scheduled.add(view.name)
            self._background.run(self.report(view))

    def report_if_due(self, view: View) -> None:
        """Reports if the interval has passed and there is something to report."""
        if not view.has_report or view.name in self._in_flight:
            return
        if view.name in self._due or self._is_due(view):
            self._due[view.name] = view
            self._send_more()

    def _is_due(self, view: View) -> bool:
        due_s = self._reported_s.get(view, -math.inf) + self._interval_s(view)
        return due_s <= self._session.now_s() and self._session.link.up and self._session.may_send(view)

    def _send_more(self) -> None:
        if len(self._senders) < SENDERS + int(REPLICA_REPORTS_PER_S * self._session.link.round_trip_s):
            sender = self._background.run(self._send_due())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)

    async def _send_due(self) -> None:
        """Sends the reports that are due, one after the other; drops them while the ledger is unreachable."""
        while self._due:
            view = self._due.pop(next(iter(self._due)))
            if self._session.link.up:
                await self.report(view)

    def _interval_s(self, view: View) -> float:
        return self._session.pace.calm_report_s(view.policy.flush_interval_s, view.policy.bucket_ms / 1000)

    def forget(self, view: View) -> None:
        """Forgets a circuit that fell asleep, until it is used again."""
        self._buckets.pop(view.name, None)
        self._reported_s.pop(view, None)
        self._due.pop(view.name, None)

    def active_circuits(self) -> int:
        """Number of circuits reported on recently; only these share the fleet's limit on reports."""
        now_s = self._session.now_s()
        return sum(now_s - at_s <= self._active_for_s(view) for view, at_s in self._reported_s.items())

    def _active_for_s(self, view: View) -> float:
        # With less than an interval, circuits that only wait for their next report would seem inactive.
        return max(ACTIVE_S, ACTIVE_INTERVALS * self._interval_s(view))

    async def report_remaining(self, view: View) -> None:
        """Sends everything left, after the report in flight; used when a replica stops."""
        if view.name in self._in_flight:
            await self._in_flight[view.name].wait()
        await self.report(view)

    async def report(self, view: View) -> None:
        """Sends one batch, if there is anything to report, then what was requested meanwhile."""
        self._scheduled.discard(view.name)
        ledger_now_ms = self._session.link.ledger_now_ms()
        if ledger_now_ms is None or view.name in self._in_flight:
            return
        batch = view.batch(ledger_now_ms)
        if batch is None:
            return
        ended = self._in_flight[view.name] = asyncio.Event()
        try:
            reply = await self._session.ledger.record(view.name, view.terms, batch, chance.draw())
        except LedgerError as error:
            self._session.on_failed(view, error)
            return
        finally:
            del self._in_flight[view.name]
            ended.set()
            self._reported_s[view] = self._session.now_s()
        view.batch_acknowledged(batch)
        self._session.on_accepted(view, reply)
        if batch.failing and reply.snapshot.state is CircuitState.CLOSED:
            view.batch_evaluated(batch)
        if view.name in self._again:
            self._again.discard(view.name)
            self._report_now(view)
