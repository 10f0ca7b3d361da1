"""Recording: what happened during a drill, over time, for the HTML report."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from ha_rag.monitor.snapshot import FleetSnapshot
from ha_rag.simulation.load_stats import QuestionResult

UNREACHABLE = "unreachable"
"""Recorded as the state of every circuit of a replica that does not answer."""


@dataclass(frozen=True, slots=True)
class Span:
    """A state or phase (`what`) that lasted from `from_s` to `to_s`, in seconds since the start of the drill."""

    from_s: float
    to_s: float
    what: str


@dataclass(slots=True)
class Recording:
    """Times are given by the monotonic clock and kept relative to `started_s`. For one event loop.

    `phases`: (stage title, phase) in order. `states`: (circuit, replica) -> its states in order. `replies`: the result
    of each question, with the second at which it was asked. `pictures`: stage title, and the fleet at the end of its
    outage, where a replica answered. `length_s`: time of the last entry.
    """

    started_s: float
    phases: list[tuple[str, Span]] = field(default_factory=list)
    states: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    replies: list[tuple[float, QuestionResult]] = field(default_factory=list)
    pictures: list[tuple[str, FleetSnapshot]] = field(default_factory=list)
    length_s: float = 0.0

    def enter_phase(self, title: str, phase: str, now_s: float) -> None:
        """A stage enters its next phase."""
        self._extend_phase(now_s)
        at_s = self._since_start(now_s)
        self.phases.append((title, Span(at_s, at_s, phase)))

    def add_states(self, states: Mapping[str, Mapping[str, str]], replicas: Mapping[str, str], now_s: float) -> None:
        """Adds a sample of all `replicas`. `states`: replica -> circuit -> state, without those that did not answer."""
        circuits = {circuit for found in states.values() for circuit in found} | {circuit for circuit, _ in self.states}
        for replica in replicas:
            for circuit in circuits:
                state = states.get(replica, {}).get(circuit, UNREACHABLE)
                self._add_state((circuit, replica), state, self._since_start(now_s))
        self._extend_phase(now_s)

    def add_reply(self, reply: QuestionResult) -> None:
        """Adds the result of a question."""
        self.replies.append((max(0.0, reply.asked_at_s - self.started_s), reply))

    @property
    def usual_ms(self) -> float | None:
        """The median latency of all answers that were not degraded; None if there are none."""
        latencies = [reply.ms for _, reply in self.replies if reply.answered and not reply.degraded]
        return statistics.median(latencies) if latencies else None

    def _since_start(self, now_s: float) -> float:
        self.length_s = max(self.length_s, now_s - self.started_s)
        return now_s - self.started_s

    def _add_state(self, key: tuple[str, str], state: str, at_s: float) -> None:
        spans = self.states.setdefault(key, [])
        if spans:
            spans[-1] = Span(spans[-1].from_s, at_s, spans[-1].what)
        if not spans or spans[-1].what != state:
            spans.append(Span(at_s, at_s, state))

    def _extend_phase(self, now_s: float) -> None:
        if self.phases:
            title, last = self.phases[-1]
            self.phases[-1] = (title, Span(last.from_s, self._since_start(now_s), last.what))
