"""Notifier: reports incidents and their resolution, once for the whole fleet; several at a time as one message.

For each incident: claim it (`SET NX PX`), check that it was not reported meanwhile, send, record, release. The claim of
an alerter that crashes expires, and another alerter takes over. Delivery is at least once: a crash between sending and
recording causes a second message.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ha_rag.alerting.delivery import Delivery
from ha_rag.alerting.incident import Incident
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.clock import Clock
from ha_rag.harmless import harmless
from ha_rag.ledger.store.alerts import AlertStore
from ha_rag.redaction import NOTHING_KNOWN, Redactor

CLAIM_MS = 30_000
HOUR_MS = 3_600_000

log = logging.getLogger(__name__)


class Notifier:
    """Used on one event loop. `owner`: this alerter's name. `link`: URL of the dashboard, or "".

    `redactor`: strikes this process's secrets out of what others have written to Redis.
    """

    def __init__(
        self, store: AlertStore, delivery: Delivery, policy: AlertPolicy, clock: Clock, *, owner: str, link: str = "",
        redactor: Redactor = NOTHING_KNOWN,
    ) -> None:  # fmt: skip
        self._redactor = redactor
        self._store = store
        self._delivery = delivery
        self._policy = policy
        self._clock = clock
        self._owner = owner
        self._link = link

    async def active(self) -> dict[str, Incident]:
        """Incidents that are reported and not resolved. Raises LedgerError."""
        stored = {key: Incident.from_wire(text) for key, text in (await self._store.open_incidents()).items()}
        return {key: incident for key, incident in stored.items() if incident is not None}

    async def report(self, incidents: Sequence[Incident]) -> bool:
        """Reports those that no other alerter reports or has reported. Whether all were sent. Raises LedgerError."""
        claimed = await self._claim(incidents)
        active = await self._store.open_incidents()
        new = [incident for incident in claimed if incident.key not in active]
        sent = not new or await self._send("PROBLEM", new)
        for incident in claimed:
            if sent and incident in new:
                await self._store.record(incident.key, incident.wire())
            await self._store.release(incident.key, self._owner)
        await self._count(sent and bool(new))
        return sent and len(claimed) == len(incidents)

    async def resolve(self, resolved: Sequence[tuple[Incident, str]]) -> None:
        """Reports that these are resolved, and why. Raises LedgerError."""
        why = dict(resolved)
        claimed = await self._claim(list(why))
        active = await self._store.open_incidents()
        open_ = [incident for incident in claimed if incident.key in active]
        sent = not open_ or await self._send("RESOLVED", [_with_text(incident, why[incident]) for incident in open_])
        for incident in claimed:
            if sent:
                await self._store.forget(incident.key)
            await self._store.release(incident.key, self._owner)
        await self._count(sent and bool(open_))

    async def report_directly(self, incident: Incident, *, resolved: bool = False) -> bool:
        """Reports without the store: the loss of Redis itself, which each alerter reports under the same key."""
        level = "success" if resolved else "failure"
        return await self._deliver("RESOLVED" if resolved else "PROBLEM", [incident], level)

    async def _claim(self, incidents: Sequence[Incident]) -> list[Incident]:
        return [i for i in incidents if await self._store.claim(i.key, self._owner, CLAIM_MS)]

    async def _send(self, status: str, incidents: Sequence[Incident]) -> bool:
        if await self._store.sent(self._hour()) >= self._policy.max_per_hour:
            log.warning(
                "%d alerts are delayed: the limit of %d messages this hour is reached",
                len(incidents),
                self._policy.max_per_hour,
            )
            return False
        level = "success" if status == "RESOLVED" else "failure" if any(i.critical for i in incidents) else "warning"
        return await self._deliver(status, incidents, level)

    async def _deliver(self, status: str, incidents: Sequence[Incident], level: str) -> bool:
        shown: Sequence[Incident] = self._redactor.redacted_in(list(incidents))
        return await self._delivery.send(_title(status, shown), _message(shown, self._link), level=level)

    async def _count(self, sent: bool) -> None:
        # Counted after recording: a failure to count must not cause the message to be sent again.
        if sent:
            await self._store.count_sent(self._hour(), 2 * HOUR_MS)

    def _hour(self) -> str:
        return str(self._clock.unix_ms() // HOUR_MS)


def _with_text(incident: Incident, text: str) -> Incident:
    return replace(incident, text=text)


def _title(status: str, incidents: Sequence[Incident]) -> str:
    first = incidents[0].title
    more = f" and {len(incidents) - 1} more" if len(incidents) > 1 else ""
    return harmless(f"[ha_rag] {status}: {first}{more}")


def _message(incidents: Sequence[Incident], link: str) -> str:
    lines = [harmless(f"{i.title}: {i.text}" if i.text else i.title) for i in incidents]
    keys = harmless(", ".join(i.key for i in incidents))
    return "\n".join([*lines, f"Incident: {keys}", *([f"Dashboard: {link}"] if link else [])])
