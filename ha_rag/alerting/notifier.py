"""Notifier: tells incidents, each once for the whole fleet, and that they are over; several at a time as one message.

For each: claim it (`SET NX PX`), see that nobody has told it meanwhile, send, record, release. An alerter that dies in
the middle loses nothing: its claim ends by itself, and another one tells. Only if it dies after the message has left
and before that is recorded is it told twice, which beats not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ha_rag.alerting.delivery import Delivery
from ha_rag.alerting.incident import Incident
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.clock import Clock
from ha_rag.ledger.store.alerts import AlertStore

CLAIM_MS = 30_000
HOUR_MS = 3_600_000

log = logging.getLogger(__name__)


class Notifier:
    """Used on one event loop. `owner`: this alerter's name. `link`: where people can look, or ""."""

    def __init__(
        self, store: AlertStore, delivery: Delivery, policy: AlertPolicy, clock: Clock, *, owner: str, link: str = ""
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._policy = policy
        self._clock = clock
        self._owner = owner
        self._link = link

    async def told(self) -> dict[str, Incident]:
        """Incidents that were told and are not over. Raises LedgerError."""
        kept = {key: Incident.of_wire(text) for key, text in (await self._store.open_incidents()).items()}
        return {key: incident for key, incident in kept.items() if incident is not None}

    async def tell(self, incidents: Sequence[Incident]) -> bool:
        """Tells those that nobody else tells or has told. Whether all of them have been told. Raises LedgerError."""
        mine = await self._claimed(incidents)
        told = await self._store.open_incidents()
        news = [incident for incident in mine if incident.key not in told]
        sent = not news or await self._send("PROBLEM", news)
        for incident in mine:
            if sent and incident in news:
                await self._store.record(incident.key, incident.wire())
            await self._store.release(incident.key, self._owner)
        await self._count(sent and bool(news))
        return sent and len(mine) == len(incidents)

    async def tell_over(self, ended: Sequence[tuple[Incident, str]]) -> None:
        """Tells that these are over, and why. Raises LedgerError."""
        why = dict(ended)
        mine = await self._claimed(list(why))
        told = await self._store.open_incidents()
        news = [incident for incident in mine if incident.key in told]
        sent = not news or await self._send("RESOLVED", [_ended(incident, why[incident]) for incident in news])
        for incident in mine:
            if sent:
                await self._store.forget(incident.key)
            await self._store.release(incident.key, self._owner)
        await self._count(sent and bool(news))

    async def tell_alone(self, incident: Incident, *, over: bool = False) -> bool:
        """Tells without the store: of its own loss, which each alerter tells under the same key."""
        text = _message([incident], self._link)
        level = "success" if over else "failure"
        return await self._delivery.send(_title("RESOLVED" if over else "PROBLEM", [incident]), text, level=level)

    async def _claimed(self, incidents: Sequence[Incident]) -> list[Incident]:
        return [i for i in incidents if await self._store.claim(i.key, self._owner, CLAIM_MS)]

    async def _send(self, word: str, incidents: Sequence[Incident]) -> bool:
        if await self._store.sent(self._hour()) >= self._policy.max_per_hour:
            log.warning("%d alerts wait: %d messages were sent this hour", len(incidents), self._policy.max_per_hour)
            return False
        level = "success" if word == "RESOLVED" else "failure" if any(i.critical for i in incidents) else "warning"
        return await self._delivery.send(_title(word, incidents), _message(incidents, self._link), level=level)

    async def _count(self, sent: bool) -> None:
        # After all has been recorded: a message that cannot be counted must not be sent again for that.
        if sent:
            await self._store.count_sent(self._hour(), 2 * HOUR_MS)

    def _hour(self) -> str:
        return str(self._clock.unix_ms() // HOUR_MS)


def _ended(incident: Incident, why: str) -> Incident:
    return replace(incident, text=why)


def _title(word: str, incidents: Sequence[Incident]) -> str:
    first = incidents[0].title
    more = f" and {len(incidents) - 1} more" if len(incidents) > 1 else ""
    return f"[ha_rag] {word}: {first}{more}"


def _message(incidents: Sequence[Incident], link: str) -> str:
    lines = [f"{i.title}: {i.text}" if i.text else i.title for i in incidents]
    keys = ", ".join(i.key for i in incidents)
    return "\n".join([*lines, f"Incident: {keys}", *([f"Dashboard: {link}"] if link else [])])
