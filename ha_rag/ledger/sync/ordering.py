"""Records in the ledger that an order over circuits of replicas has ended by itself, so that its end is an event too.

No calls are reported on these circuits, so no other verb would record it. Every replica notices the end at its next
poll; the first one to say so records it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ha_rag.errors import LedgerError
from ha_rag.ledger.sync.session import LedgerSession
from ha_rag.ledger.view.view import View


async def record_order_ends(session: LedgerSession, views: Iterable[View]) -> None:
    """Records the ends of the orders over these circuits whose time is up. A failure is retried at the next poll."""
    for view in views:
        if not view.is_order_over or not session.may_send(view):
            continue
        try:
            reply = await session.ledger.expire_order(view.name, view.terms)
        except LedgerError as error:
            session.on_failed(view, error)
        else:
            session.on_accepted(view, reply)
