"""Restoring: restores circuits in a ledger that lost its data, from this replica's cached state."""

from __future__ import annotations

from ha_rag.errors import LedgerError
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View


class Restoring:
    """Runs at most one restore at a time for each circuit. Used on one event loop."""

    def __init__(self, session: LedgerSession) -> None:
        self._session = session
        self._under_way: set[str] = set()

    async def restore(self, view: View) -> None:
        """Sends this replica's cached state; the ledger ignores it if its own is newer."""
        session = self._session
        ledger_now_ms = session.link.ledger_now_ms()
        if view.name in self._under_way or ledger_now_ms is None:
            return
        self._under_way.add(view.name)
        try:
            point = view.restore_point(ledger_now_ms)
            reply = await session.ledger.restore(view.name, view.terms, session.incarnation, point)
        except LedgerError as error:
            session.on_failed(view, error)
        else:
            session.on_accepted(view, reply)
        finally:
            self._under_way.discard(view.name)
