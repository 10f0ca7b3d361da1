"""The timeline of all circuits' streams: in order, each event once, with resumable positions."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.ledger import Ledger, StreamEntry
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.timeline import Place, events_after, latest_events, merged

TERMS = Terms.of(CircuitPolicy())
CIRCUITS = ("a", "b")


def event(place: Place) -> StreamEntry:
    return StreamEntry(f"{place.ms}-{place.number}", place.circuit, 0, 1, "closed", "open", "", "", "", 0, 0, 0)


places = st.builds(Place, st.integers(1, 6), st.integers(0, 2), st.sampled_from("abc"))


def streams_of(known: list[Place], circuits: str, after: Place | None, limit: int) -> list[list[StreamEntry]]:
    """A ledger that answers `events` from these entries."""

    def later(place: Place) -> bool:
        if after is None:
            return True
        ms, _, number = after.before(place.circuit).partition("-")
        return (place.ms, place.number) > (int(ms), int(number))

    return [[event(p) for p in known if p.circuit == name and later(p)][:limit] for name in circuits]


@given(known=st.sets(places), limit=st.integers(1, 5), complete_to_ms=st.integers(1, 8))
def test_reading_on_from_the_last_position_returns_each_event_once_and_in_order(
    known: set[Place], limit: int, complete_to_ms: int
) -> None:
    entries = sorted(known)
    reported: list[Place] = []
    for _ in range(2 * len(entries) + 1):
        after = reported[-1] if reported else None
        reported += [Place.of(e) for e in merged(streams_of(entries, "abc", after, limit), complete_to_ms, limit)]
    assert reported == [place for place in entries if place.ms < complete_to_ms]


def test_events_as_recent_as_the_read_itself_are_returned_by_the_next_read() -> None:
    entry = Place(5, 0, "a")
    assert merged([[event(entry)]], complete_to_ms=5, limit=10) == []
    assert merged([[event(entry)]], complete_to_ms=6, limit=10) == [event(entry)]


class AtNow(MemoryLedger):
    """A ledger whose clock shows 5 ms, when one of its two events was written."""

    async def now_ms(self) -> int:
        return 5

    async def latest(self, circuit: str, limit: int = 100) -> list[StreamEntry]:
        return [event(Place(4, 0, circuit)), event(Place(5, 0, circuit))]


async def test_the_latest_events_exclude_those_as_recent_as_the_read_itself() -> None:
    assert await latest_events(AtNow(), ["a"]) == [event(Place(4, 0, "a"))]


@pytest.mark.parametrize(
    "text", ["", "5", "5-0", "5-0@", "5-0@a b", "x-0@a", "5-0@" + "a" * 1700, "5-0@a@b", "٣-0@a", "5-0@a\x1d"]
)
def test_a_malformed_position_is_refused_and_quoted_in_the_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an event id"):
        Place.parse(text)


def test_a_position_is_parsed_from_its_text_form() -> None:
    place = Place(1_700_000_000_000, 3, "embedder.primary")
    assert Place.parse(str(place)) == place


async def test_the_timeline_of_a_real_ledger_continues_from_the_last_position(any_redis_url: str) -> None:
    ledger: Ledger = RedisLedger(connect(any_redis_url))
    try:
        await ledger.override("a", TERMS, OverrideMode.OPEN, "first", "op", None)
        await ledger.override("b", TERMS, OverrideMode.OPEN, "second", "op", None)
        await _past_now(ledger)
        first, second = await latest_events(ledger, CIRCUITS)
        assert [first.circuit, second.circuit] == ["a", "b"]
        assert await latest_events(ledger, CIRCUITS, limit=1) == [second]
        assert await events_after(ledger, CIRCUITS, Place.of(first)) == [second]
        assert await events_after(ledger, CIRCUITS, Place.of(second)) == []
        assert await events_after(ledger, CIRCUITS, Place(0, 0, "0")) == [first, second]
        assert await events_after(ledger, CIRCUITS, Place(0, 0, "0"), limit=1) == [first]
        await ledger.override("a", TERMS, None, "third", "op", None)
        await _past_now(ledger)
        assert [e.circuit for e in await events_after(ledger, CIRCUITS, Place.of(second))] == ["a"]
    finally:
        await ledger.aclose()


async def _past_now(ledger: Ledger) -> None:
    """Until the ledger's clock has passed the millisecond of the last write."""
    written_ms = await ledger.now_ms()
    while await ledger.now_ms() <= written_ms:
        pass  # each read is a round trip


@pytest.mark.parametrize(
    "name", ["payments", "shop.example:443", "the payment service", "https://a/b?c=%20", "\u00fcber*"]
)
def test_a_position_in_a_circuit_of_any_name_is_an_id_that_can_be_resumed_from(name: str) -> None:
    place = Place(5, 0, name)
    assert re.fullmatch(r"[A-Za-z0-9._%@-]+", str(place)), "it stands in a header"
    assert Place.parse(str(place)) == place
