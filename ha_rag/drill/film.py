"""Film: what was seen and heard during a drill, moment by moment, for whoever draws it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ha_rag.simulation.load_stats import QuestionResult

GONE = "gone"
"""A replica that does not answer has no states to tell."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that held from `from_s` to `to_s`: seconds since the drill's beginning. `what`: a state, or a phase."""

    from_s: float
    to_s: float
    what: str


@dataclass(slots=True)
class Film:
    """Records by the monotonic clock. For one event loop.

    `phases`: stage and phase, one after the other. `states`: (circuit, replica) -> its states, one after the other.
    `replies`: every question, with the second at which it was asked.
    """

    began_s: float
    phases: list[tuple[str, Span]] = field(default_factory=list)
    states: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    replies: list[tuple[float, QuestionResult]] = field(default_factory=list)
    length_s: float = 0.0

    def entered(self, title: str, phase: str, now_s: float) -> None:
        """A stage comes to its next phase."""
        self._last_phase_ends(now_s)
        at_s = self._at(now_s)
        self.phases.append((title, Span(at_s, at_s, phase)))

    def saw(self, states: Mapping[str, Mapping[str, str]], replicas: Mapping[str, str], now_s: float) -> None:
        """A look at all replicas. `states`: replica -> circuit -> state, without those that did not answer."""
        circuits = {circuit for told in states.values() for circuit in told} | {circuit for circuit, _ in self.states}
        for replica in replicas:
            for circuit in circuits:
                self._holds((circuit, replica), states.get(replica, {}).get(circuit, GONE), self._at(now_s))
        self._last_phase_ends(now_s)

    def heard(self, reply: QuestionResult) -> None:
        """A question was answered, or was not."""
        self.replies.append((max(0.0, reply.asked_at_s - self.began_s), reply))

    def _at(self, now_s: float) -> float:
        self.length_s = max(self.length_s, now_s - self.began_s)
        return now_s - self.began_s

    def _holds(self, whose: tuple[str, str], state: str, at_s: float) -> None:
        spans = self.states.setdefault(whose, [])
        if spans:
            spans[-1] = Span(spans[-1].from_s, at_s, spans[-1].what)
        if not spans or spans[-1].what != state:
            spans.append(Span(at_s, at_s, state))

    def _last_phase_ends(self, now_s: float) -> None:
        if self.phases:
            title, last = self.phases[-1]
            self.phases[-1] = (title, Span(last.from_s, self._at(now_s), last.what))
