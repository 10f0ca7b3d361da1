import asyncio

import pytest

from ha_rag.clock import ManualClock
from ha_rag.errors import ConfigurationError
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, FaultBoard, GarbageKind, Target


def test_a_fault_request_needs_only_a_mode():
    assert Fault.from_request({"mode": "error"}) == Fault(mode=FaultMode.ERROR, rate=1.0, for_s=30.0)


def test_a_fault_request_can_set_every_option():
    request = {"mode": "garbage", "rate": 0.5, "for_s": 3, "kind": "nan", "delay_s": None}
    assert Fault.from_request(request) == Fault(mode=FaultMode.GARBAGE, rate=0.5, for_s=3, kind=GarbageKind.NAN)


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({}, "mode"),
        ({"mode": "explode"}, "error, slow, drip, hang, throttle, garbage, reset, truncate"),
        ({"mode": ["error"]}, "mode"),
        ({"mode": "garbage", "kind": "beautiful"}, "kind"),
        ({"mode": "error", "rate": 0}, "rate"),
        ({"mode": "error", "rate": 1.5}, "rate"),
        ({"mode": "error", "rate": "often"}, "rate"),
        ({"mode": "error", "rate": True}, "rate"),
        ({"mode": "error", "for_s": -1}, "for_s"),
        ({"mode": "error", "for_s": float("nan")}, "for_s"),
        ({"mode": "error", "for_s": 1e9}, "for_s"),
        ({"mode": "throttle", "retry_after_s": -1}, "retry_after_s"),
        ({"mode": "slow", "delay_s": "long"}, "delay_s"),
        ({"mode": "error", "status": 200}, "status"),
        ({"mode": "error", "status": 500.5}, "status"),
        ({"mode": "error", "raet": 1}, "raet: unknown key"),
        ([], "JSON object"),
        (None, "JSON object"),
    ],
)
def test_an_invalid_fault_request_is_refused_by_key(request_, word):
    with pytest.raises(ConfigurationError, match=word):
        Fault.from_request(request_)


def board(seed=0):
    clock = ManualClock()
    return FaultBoard(clock, seed), clock


def test_a_fault_affects_only_its_target():
    faults, _ = board()
    faults.start(Target.CHAT, Fault(mode=FaultMode.ERROR))
    assert faults.hits(Target.CHAT) is not None
    assert faults.hits(Target.EMBEDDINGS) is None


def test_a_fault_expires():
    faults, clock = board()
    faults.start(Target.CHAT, Fault(mode=FaultMode.ERROR, for_s=5))
    clock.advance(4.9)
    running = faults.hits(Target.CHAT)
    assert running is not None
    clock.advance(0.2)
    assert faults.hits(Target.CHAT) is None
    assert running.over.is_set()


def test_ending_a_fault_releases_hanging_calls():
    faults, _ = board()
    faults.start(Target.CHAT, Fault(mode=FaultMode.HANG))
    running = faults.hits(Target.CHAT)
    assert running is not None
    faults.end_all()
    assert running.over.is_set()
    assert faults.hits(Target.CHAT) is None


def test_a_new_fault_replaces_the_old_one():
    faults, _ = board()
    faults.start(Target.CHAT, Fault(mode=FaultMode.HANG))
    old = faults.hits(Target.CHAT)
    faults.start(Target.CHAT, Fault(mode=FaultMode.ERROR))
    new = faults.hits(Target.CHAT)
    assert old is not None
    assert new is not None
    assert old.over.is_set()
    assert new.fault.mode is FaultMode.ERROR


def test_a_rate_affects_that_share_of_calls_and_the_same_ones_in_every_run():
    def run(seed):
        faults, _ = board(seed)
        faults.start(Target.CHAT, Fault(mode=FaultMode.ERROR, rate=0.3))
        return [faults.hits(Target.CHAT) is not None for _ in range(1000)]

    assert 250 < sum(run(seed=1)) < 350
    assert run(seed=1) == run(seed=1) != run(seed=2)


def test_active_faults_can_be_listed():
    faults, clock = board()
    faults.start(Target.CHAT, Fault(mode=FaultMode.SLOW, for_s=10, delay_s=1.5))
    clock.advance(4)
    told = faults.as_json()
    assert told["embeddings"] is None
    chat = told["chat"]
    assert isinstance(chat, dict)
    assert (chat["mode"], chat["delay_s"], chat["ends_in_s"]) == ("slow", 1.5, 6.0)
    clock.advance(6)
    assert faults.as_json() == {"embeddings": None, "chat": None, "rerank": None}


async def test_the_end_of_a_fault_can_be_awaited():
    faults, _ = board()
    faults.start(Target.CHAT, Fault(mode=FaultMode.HANG))
    running = faults.hits(Target.CHAT)
    assert running is not None
    waiting = asyncio.create_task(running.over.wait())
    faults.end(Target.CHAT)
    assert await waiting
