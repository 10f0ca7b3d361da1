"""An opening is reported from its event, which may be newer than the picture of the fleet that it is checked with."""

from __future__ import annotations

from collections.abc import Sequence

from ha_rag.alerting.alerter import Alerter
from ha_rag.alerting.notifier import Notifier
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.clock import ManualClock
from ha_rag.ledger.store.ledger import StreamEntry
from ha_rag.monitor.watcher import Watcher
from tests.alerting.test_notifier import Inbox
from tests.monitor.pictures import circuit, picture

OPENED = StreamEntry("1-1", "svc", 1, 2, "closed", "open", "streak", "9 of 9 failed", "rag-1", 0, 9, 0)
POLICY = AlertPolicy(group_s=0.0)


class Store:
    """Incidents in memory; each event is taken once."""

    def __init__(self, *events: StreamEntry) -> None:
        self.events = list(events)
        self.incidents: dict[str, str] = {}

    async def open_incidents(self) -> dict[str, str]:
        return dict(self.incidents)

    async def record(self, key: str, incident: str) -> None:
        self.incidents[key] = incident

    async def forget(self, key: str) -> None:
        del self.incidents[key]

    async def claim(self, key: str, owner: str, ms: int) -> bool:
        return True

    async def release(self, key: str, owner: str) -> None: ...

    async def sent(self, period: str) -> int:
        return 0

    async def count_sent(self, period: str, ms: int) -> None: ...

    async def take(self, circuits: Sequence[str], consumer: str, idle_ms: int) -> list[StreamEntry]:
        taken, self.events = self.events, []
        return taken

    async def acknowledge(self, event: StreamEntry) -> None: ...


def kinds(inbox: Inbox) -> list[str]:
    return [title.partition(":")[0].removeprefix("[ha_rag] ") for title, _ in inbox.messages]


async def test_an_opening_is_not_resolved_by_the_older_picture_but_by_the_next_one():
    store, inbox = Store(OPENED), Inbox()
    notifier = Notifier(store, inbox, POLICY, ManualClock(), owner="a")
    alerter = Alerter(Watcher(CircuitRegistry()), store, notifier, POLICY, consumer="a")
    closed = picture(circuits=(circuit(name="svc", state="closed"),))

    await alerter.check(closed)
    assert kinds(inbox) == ["PROBLEM"]

    await alerter.check(closed)
    assert kinds(inbox) == ["PROBLEM", "RESOLVED"]
