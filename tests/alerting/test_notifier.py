"""What people read in an alert."""

from __future__ import annotations

from ha_rag.alerting.incident import Incident
from ha_rag.alerting.notifier import Notifier
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.clock import ManualClock
from ha_rag.ledger.store.alerts import RedisAlertStore
from tests.hostile_text import HOSTILE, SHOWN, assert_harmless


class Inbox:
    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    async def send(self, title: str, text: str, *, level: str) -> bool:
        self.messages.append((title, text))
        return True


async def test_hostile_reasons_and_names_add_no_line_to_a_message():
    inbox = Inbox()
    store = RedisAlertStore.__new__(RedisAlertStore)  # a direct report does not use it
    notifier = Notifier(store, inbox, AlertPolicy(), ManualClock(), owner="a", link="http://rag.example")

    await notifier.report_directly(Incident(key=HOSTILE, kind="open", subject="s", title=HOSTILE, text=HOSTILE))

    ((title, text),) = inbox.messages
    assert SHOWN in title
    assert_harmless(title)
    assert_harmless(text)
    assert [line.partition(":")[0] for line in text.split("\n")][1:] == ["Incident", "Dashboard"]
