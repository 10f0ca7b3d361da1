from ha_rag.clock import ManualClock
from ha_rag.simulation.counts import REMEMBERED, CallCounts
from ha_rag.simulation.faults import Target


def test_calls_are_counted_by_target_and_outcome():
    counts = CallCounts(ManualClock())
    for outcome in ("ok", "error", "ok"):
        counts.add(Target.CHAT, outcome, "a")
    assert counts.as_json(0) == {
        "embeddings": {"received": 0, "outcomes": {}},
        "chat": {"received": 3, "outcomes": {"ok": 2, "error": 1}},
        "rerank": {"received": 0, "outcomes": {}},
        "arrivals": [],
    }


def test_an_arrival_has_both_times_the_sender_and_the_request():
    clock = ManualClock(now_s=10.0)
    counts = CallCounts(clock)
    clock.advance(0.25)
    counts.add(Target.EMBEDDINGS, "ok", "rag-1", "abc-1", "00-4b-f0-01")
    assert counts.as_json(5)["arrivals"] == [
        {
            "target": "embeddings", "outcome": "ok", "replica": "rag-1", "unix_ms": 10_250, "monotonic_ms": 10_250.0,
            "request": "abc-1", "traceparent": "00-4b-f0-01",
        }
    ]  # fmt: skip


def test_old_arrivals_are_dropped_but_every_call_is_counted():
    counts = CallCounts(ManualClock())
    for _ in range(REMEMBERED + 5):
        counts.add(Target.CHAT, "ok", "")
    told = counts.as_json(REMEMBERED * 2)
    assert told["chat"] == {"received": REMEMBERED + 5, "outcomes": {"ok": REMEMBERED + 5}}
    assert isinstance(told["arrivals"], list)
    assert len(told["arrivals"]) == REMEMBERED
