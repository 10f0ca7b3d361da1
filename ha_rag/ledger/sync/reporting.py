"""Reporting: what calls ended in goes to the ledger, in one batch a circuit: now and then, or at once on a failure."""

from __future__ import annotations

import asyncio
import math
import random

from ha_rag.circuit.state import CircuitState
from ha_rag.errors import LedgerError
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.contact import Contact
from ha_rag.ledger.sync.pace import Burst
from ha_rag.ledger.view.view import View

BUSY_S, BUSY_INTERVALS = 2.0, 2
"""A circuit reported on within this time, or so many of its intervals, counts as one that will be reported on again."""

BURST_S = 0.1
"""Between two failures that are told at once, where the fleet is small."""


class Reporting:
    """One replica's reports, one at a time for each circuit. Used on one event loop, but for `soon`."""

    def __init__(self, contact: Contact, background: BackgroundTasks) -> None:
        self._contact = contact
        self._background = background
        self._bursts: dict[str, Burst] = {}
        self._reported_s: dict[View, float] = {}
        self._about_to: set[str] = set()
        self._under_way: dict[str, asyncio.Event] = {}
        """Circuit -> what is set when its report has ended."""
        self._again: set[str] = set()

    def soon(self, view: View) -> None:
        """Reports a failure without waiting for the interval, as far as the bucket of 10 allows. From any thread."""
        self._background.soon(lambda: self._at_once(view))

    def _at_once(self, view: View) -> None:
        if view.name in self._about_to:
            return  # that report has not been put together yet, and will hold this failure too
        if view.name in self._under_way:
            self._again.add(view.name)
            return
        slower = self._contact.pace.report_s(BURST_S) / BURST_S
        if self._bursts.setdefault(view.name, Burst()).take(self._contact.now_s(), slower):
            self._about_to.add(view.name)
            self._background.run(self.report(view))

    def if_due(self, view: View) -> None:
        """Reports what there is, where the interval is over."""
        due_s = self._reported_s.get(view, -math.inf) + self._interval_s(view)
        due = due_s <= self._contact.now_s()
        if due and view.has_report and self._contact.link.up and view.name not in self._under_way:
            self._background.run(self.report(view))

    def _interval_s(self, view: View) -> float:
        return self._contact.pace.report_s(view.policy.flush_interval_s)

    def busy(self) -> int:
        """How many circuits were reported on lately: those that rest cost Redis nothing, and need no share of it."""
        now_s = self._contact.now_s()
        return sum(now_s - at_s <= self._busy_s(view) for view, at_s in self._reported_s.items())

    def _busy_s(self, view: View) -> float:
        # Looked back over less than an interval, circuits that only wait for their turn would seem to rest.
        return max(BUSY_S, BUSY_INTERVALS * self._interval_s(view))

    async def report_rest(self, view: View) -> None:
        """Sends all there is, after the report that is under way: what a replica does before it leaves."""
        if view.name in self._under_way:
            await self._under_way[view.name].wait()
        await self.report(view)

    async def report(self, view: View) -> None:
        """Sends one batch, if there is anything to report; afterwards what has come up meanwhile."""
        self._about_to.discard(view.name)
        ledger_now_ms = self._contact.link.ledger_now_ms()
        if ledger_now_ms is None or view.name in self._under_way:
            return
        batch = view.batch(ledger_now_ms)
        if batch is None:
            return
        ended = self._under_way[view.name] = asyncio.Event()
        try:
            reply = await self._contact.ledger.record(view.name, view.terms, batch, random.random())
        except LedgerError as error:
            self._contact.not_taken(view, error)
            return
        finally:
            del self._under_way[view.name]
            ended.set()
            self._reported_s[view] = self._contact.now_s()
        view.batch_acknowledged(batch)
        self._contact.taken(view, reply)
        if batch.failing and reply.snapshot.state is CircuitState.CLOSED:
            view.batch_evaluated(batch)
        if view.name in self._again:
            self._again.discard(view.name)
            self._at_once(view)
