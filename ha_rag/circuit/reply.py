"""Reply: what a verb on a shared circuit returns, whoever runs the law."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Reply:
    """A verb's result. Immutable.

    `granted`: a lease was granted. `wait_ms`: when to ask for one again (-1: unknown). `published`: there was an event
    or a message, and it went out. `unpublished`: the step was taken, but its event or message was refused (ACL, a full
    store), so other replicas find out by polling.
    """

    snapshot: Snapshot
    granted: bool = False
    wait_ms: int = 0
    unpublished: bool = False
    published: bool = False
