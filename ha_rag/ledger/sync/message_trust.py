"""MessageTrust: whether a pushed message may be believed until the next poll, which reads what it said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_rag.circuit.bounds import MAX_AHEAD_MS, is_beyond
from ha_rag.ledger.sync.pace import TokenBucket
from ha_rag.ledger.sync.session import LedgerSession

if TYPE_CHECKING:
    from ha_rag.ledger.store.ledger import Change

DISTRUST_S = 60.0
"""After the store contradicted a message, messages only say which circuit to read, for this long."""


class MessageTrust:
    """Judges messages by the store's clock and by what the store said of earlier ones. Used on one event loop."""

    def __init__(self, session: LedgerSession) -> None:
        self._session = session
        self._reads = TokenBucket()

    def is_credible(self, change: Change) -> bool:
        """Whether a replica can have sent this message now."""
        session = self._session
        ledger_now_ms = session.link.ledger_now_ms()
        if ledger_now_ms is None or session.now_s() - session.refuted_s < DISTRUST_S:
            return False
        told = change.snapshot
        is_old = told.now_ms < ledger_now_ms - MAX_AHEAD_MS
        if is_old or is_beyond(told.now_ms, ledger_now_ms) or is_beyond(told.epoch, ledger_now_ms):
            session.ledger.refused_values.note("message", f"{change.circuit}: its time or epoch is not the store's")
            return False
        return True

    def may_read(self) -> bool:
        """Whether a message may cause a read at once; a flood of messages must not become one of reads."""
        slower = self._session.pace.replicas / 50
        return self._reads.take(self._session.now_s(), max(1.0, slower))
