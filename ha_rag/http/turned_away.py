"""TurnedAway: connections beyond the limit, which were told so and linger until their clients have read it."""

from __future__ import annotations

from ha_rag.http.lingering_close import LingeringClose


class TurnedAway:
    """At most `most` refused connections that still linger; one more ends the oldest of them. For one event loop.

    Whoever was refused last is still reading the refusal, and the oldest has had the most time for it. So in a flood
    each client is told the reason, and the flood costs a bounded number of connections.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lingering: dict[LingeringClose, None] = {}

    def __len__(self) -> int:
        return len(self._lingering)

    def add(self, connection: LingeringClose, refusal: bytes) -> None:
        """Writes `refusal` and closes the connection."""
        while len(self._lingering) >= self._most:
            oldest = next(iter(self._lingering))
            del self._lingering[oldest]
            oldest.abort()
        self._lingering[connection] = None
        connection.write(refusal)
        connection.close()

    def discard(self, connection: LingeringClose) -> None:
        """`connection` has ended."""
        self._lingering.pop(connection, None)
