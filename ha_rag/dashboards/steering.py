"""Steering: what the keys of `ha-rag watch` have chosen. Immutable: a key makes a new one, and perhaps a wish.

The wishes (to quit, to begin an order, to give it) are carried out by the command; nothing here talks to the fleet.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from ha_rag.harmless import harmless
from ha_rag.monitor.consequence import COMMANDS, IN_FORCE, Order, undo
from ha_rag.monitor.snapshot import CircuitPicture, FleetSnapshot

ORDERS: dict[str, Order] = {"o": "open", "c": "closed", "d": "disabled", "s": "shadow", "a": "auto"}
LONGEST_REASON = 200
LONGEST_TIME_S = 2_592_000
"""As the HTTP API has it: 30 days."""


class Page(enum.Enum):
    """What is shown."""

    FLEET = "fleet"
    CIRCUIT = "circuit"
    HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """A wish: the command ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MayI:
    """A wish: find out whether orders are allowed, and answer with `allowed` or `refused`."""

    circuit: str
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order that is being written. `seconds`: as typed; "": until somebody ends it. `timing`: they are typed now."""

    circuit: str
    order: Order
    reason: str = ""
    seconds: str = ""
    timing: bool = False

    @property
    def for_s(self) -> float | None:
        """Seconds until it ends by itself. Raises ValueError for what is no number from 1 to 30 days in seconds."""
        if not self.seconds:
            return None
        if not self.seconds.isascii() or not self.seconds.isdecimal() or not 1 <= int(self.seconds) <= LONGEST_TIME_S:
            raise ValueError(self.seconds)
        return float(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """A wish: give this order. `before`: the circuit as it is now, so that its undoing can be named."""

    draft: Draft
    before: CircuitPicture


Wish = Leave | MayI | Give | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """`selected`: a circuit's name. `said`: what the last order came to. `busy`: an answer to a wish is awaited.

    `overridden`: the circuit of the last order, which a snapshot may not show yet.
    """

    selected: str = ""
    page: Page = Page.FLEET
    draft: Draft | None = None
    said: str = ""
    busy: bool = False
    overridden: str = ""

    @property
    def asking(self) -> bool:
        """Whether it is asked if an order is allowed: keys pressed now are meant for that order."""
        return self.busy and self.draft is None

    def within(self, picture: FleetSnapshot) -> Steering:
        """The same, with a circuit selected that exists."""
        names = [circuit.name for circuit in picture.circuits]
        return self if self.selected in names or not names else replace(self, selected=names[0])

    def chosen(self, picture: FleetSnapshot) -> CircuitPicture | None:
        """The selected circuit."""
        return named(picture, self.selected)

    def pressed(self, key: str, picture: FleetSnapshot) -> tuple[Steering, Wish]:
        """After `key`: a character, or "up", "down", "enter", "escape", "backspace" or "clear"."""
        here = self.within(picture)
        if here != self:
            return here.pressed(key, picture)
        if self.draft is not None:
            return self._typed(self.draft, key, picture)
        if key == "q":
            return self, Leave()
        if key in ("j", "down", "k", "up"):
            return self._moved(1 if key in ("j", "down") else -1, picture), None
        if key in ORDERS and self.selected and not self.busy:
            return self._begun(ORDERS[key], picture)
        return self._turned(key), None

    def allowed(self, circuit: str, order: Order) -> Steering:
        """Orders are allowed: this one is written now."""
        return replace(self, draft=Draft(circuit=circuit, order=order), busy=False, said="")

    def refused(self, why: str) -> Steering:
        """A wish was not granted."""
        return replace(self, draft=None, busy=False, said=why)

    def given(self, wish: Give, replicas: int) -> Steering:
        """The order is in force: says so, and how to undo it."""
        order, circuit = wish.draft.order, wish.draft.circuit
        back, reason = undo(wish.before)
        key = next(key for key, each in ORDERS.items() if each == back)
        again = f' --reason "{reason}"' if reason else ""
        where = f"in {replicas} replica{'s' if replicas != 1 else ''}"
        said = f"{circuit} is {IN_FORCE[order]} {where}. To undo: {key}, or ha-rag circuits {COMMANDS[back]} {circuit}"
        overridden = "" if order == "auto" else circuit
        return replace(self, draft=None, busy=False, said=said + again, overridden=overridden)

    # ---- keys -------------------------------------------------------------------------------------------------------

    def _moved(self, by: int, picture: FleetSnapshot) -> Steering:
        names = [circuit.name for circuit in picture.circuits]
        if not names or self.page is Page.HELP:
            return self
        at = min(len(names) - 1, max(0, names.index(self.selected) + by))
        return replace(self, selected=names[at])

    def _turned(self, key: str) -> Steering:
        match key:
            case "?":
                return replace(self, page=Page.FLEET if self.page is Page.HELP else Page.HELP)
            case "enter" if self.selected:
                return replace(self, page=Page.FLEET if self.page is Page.CIRCUIT else Page.CIRCUIT)
            case "escape":
                return replace(self, page=Page.FLEET, said="")
            case _:
                return self

    def _begun(self, order: Order, picture: FleetSnapshot) -> tuple[Steering, Wish]:
        circuit = self.chosen(picture)
        is_overridden = circuit is None or circuit.override is not None or self.overridden == self.selected
        if order == "auto" and not is_overridden:
            return replace(self, said=f"{self.selected} has no override that could be ended"), None
        here = replace(self, said="asking whether orders are allowed ...", busy=True, page=_page_for_orders(self.page))
        return here, MayI(circuit=self.selected, order=order)

    def _typed(self, draft: Draft, key: str, picture: FleetSnapshot) -> tuple[Steering, Wish]:
        if self.busy:
            return self, None
        if key == "escape":
            return replace(self, draft=None, said="no order was given"), None
        if key == "enter":
            return self._entered(draft, picture)
        return replace(self, draft=_edited(draft, key), said=""), None

    def _entered(self, draft: Draft, picture: FleetSnapshot) -> tuple[Steering, Wish]:
        before = named(picture, draft.circuit)
        if before is None:
            return self.refused(f"{draft.circuit} is gone; no order was given"), None
        if draft.order != "auto":
            if not draft.reason.strip():
                return replace(self, said="say why, for those who see the circuit"), None
            if not draft.timing:
                return replace(self, draft=replace(draft, timing=True), said=""), None
        try:
            _ = draft.for_s
        except ValueError:
            return replace(self, said="a whole number of seconds up to 2592000, or nothing: until it is ended"), None
        return replace(self, said="giving the order ...", busy=True), Give(draft=draft, before=before)


def named(picture: FleetSnapshot, name: str) -> CircuitPicture | None:
    """The circuit with this name; None if there is none."""
    return next((circuit for circuit in picture.circuits if circuit.name == name), None)


def _page_for_orders(page: Page) -> Page:
    return Page.FLEET if page is Page.HELP else page


def _edited(draft: Draft, key: str) -> Draft:
    before = draft.seconds if draft.timing else draft.reason
    if key == "clear":
        after = ""
    elif key == "backspace":
        after = before[:-1]
    elif len(key) == 1 and harmless(key) == key:
        after = (before + key)[: 7 if draft.timing else LONGEST_REASON]
    else:
        after = before
    return replace(draft, seconds=after) if draft.timing else replace(draft, reason=after)
