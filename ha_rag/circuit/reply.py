"""Reply: the result of a verb on a shared circuit, from any ledger."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Reply:
    """A verb's result. Immutable.

    `granted`: a lease was granted. `wait_ms`: when to request one again (-1: unknown). `published`: an event or a
    message was published. `unpublished`: the change was made, but its event or message was refused (ACL, out of
    memory), so other replicas see it only when they poll.
    """

    snapshot: Snapshot
    granted: bool = False
    wait_ms: int = 0
    unpublished: bool = False
    published: bool = False
