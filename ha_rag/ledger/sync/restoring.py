"""Restoring: a ledger that lost its memory is told what a replica remembers of each circuit."""

from __future__ import annotations

from ha_rag.errors import LedgerError
from ha_rag.ledger.sync.contact import Contact
from ha_rag.ledger.view.view import View


class Restoring:
    """One lesson at a time for each circuit. Used on one event loop."""

    def __init__(self, contact: Contact) -> None:
        self._contact = contact
        self._under_way: set[str] = set()

    async def restore(self, view: View) -> None:
        """Tells it; the ledger takes what it does not know better."""
        contact = self._contact
        ledger_now_ms = contact.link.ledger_now_ms()
        if view.name in self._under_way or ledger_now_ms is None:
            return
        self._under_way.add(view.name)
        try:
            belief = view.restore_point(ledger_now_ms)
            reply = await contact.ledger.restore(view.name, view.terms, contact.incarnation, belief)
        except LedgerError as error:
            contact.not_taken(view, error)
        else:
            contact.taken(view, reply)
        finally:
            self._under_way.discard(view.name)
