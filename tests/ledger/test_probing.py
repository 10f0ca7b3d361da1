"""How leases are requested and returned, also by calls outside the sync's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ha_rag.circuit.reply import Reply
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError
from ha_rag.ledger.sync import probing as probing_module
from ha_rag.ledger.sync.background_tasks import BackgroundTasks
from ha_rag.ledger.sync.pace import RETRY_S
from ha_rag.ledger.sync.probing import Probing
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.outcomes import Outcome
from tests.ledger.views import HALF_OPEN, OneView


class OtherLoop(BackgroundTasks):
    """BackgroundTasks whose loop runs in another thread, or not at all. `asked`: the work given to it."""

    def __init__(self, *, runs: bool) -> None:
        super().__init__()
        self.runs = runs
        self.asked: list[Callable[[], object]] = []

    @property
    def here(self) -> bool:
        return False

    def soon(self, act: Callable[[], object], *, last: bool = False) -> bool:
        self.asked.append(act)
        return self.runs


@pytest.fixture
def view() -> OneView:
    view = OneView()
    view.receives(HALF_OPEN, 5)
    return view


def probing(view: OneView, background: BackgroundTasks) -> Probing:
    session: Any = SimpleNamespace(now_s=view.clock.monotonic_s)
    return Probing(session, background)


async def lease_requested_through(session: Any, view: OneView) -> None:
    """Requests a lease, and waits for the reply."""
    background = BackgroundTasks()
    background.open()
    request = Probing(session, background).request_lease(view)
    assert request is not None
    await request


def test_a_thread_hands_its_request_to_the_loop_and_no_other_call_requests_meanwhile(view: OneView) -> None:
    background = OtherLoop(runs=True)
    assert view.refused().ask
    assert probing(view, background).request_lease(view) is None
    assert len(background.asked) == 1
    assert not view.refused().ask


def test_without_a_running_loop_the_next_call_requests_again(view: OneView) -> None:
    background = OtherLoop(runs=False)
    assert view.refused().ask
    assert probing(view, background).request_lease(view) is None
    assert view.refused().ask


async def test_only_a_request_that_runs_on_this_loop_can_be_awaited(view: OneView) -> None:
    background = BackgroundTasks()
    background.open()
    asked = probing(view, background)
    assert asked.pending_request(view) is None
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asked._lease = lambda view, **_: _until(never)  # type: ignore[method-assign]  # it lasts
    request = asked.request_lease(view)
    assert request is not None
    assert asked.pending_request(view) is request
    never.set_result(None)
    await request
    assert asked.pending_request(view) is None


@pytest.mark.parametrize(("granted", "reported"), [(False, "read"), (True, "taken")])
async def test_only_a_granted_lease_proves_that_the_ledger_accepts_verbs(
    view: OneView, granted: bool, reported: str
) -> None:
    async def lease(*_: object) -> Reply:
        return Reply(view.snapshot(HALF_OPEN, 5), granted, wait_ms=500)

    received: list[str] = []
    session: Any = SimpleNamespace(
        now_s=view.clock.monotonic_s, incarnation="r1", ledger=SimpleNamespace(lease=lease),
        on_read=lambda *_: received.append("read"), on_accepted=lambda *_: received.append("taken"),
    )  # fmt: skip
    await lease_requested_through(session, view)
    assert received == [reported]


async def test_a_call_on_the_loop_can_await_a_request_from_a_thread(view: OneView) -> None:
    background = BackgroundTasks()
    background.open()
    asked = probing(view, background)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asked._lease = lambda view, **_: _until(never)  # type: ignore[method-assign]  # it lasts
    assert await asyncio.to_thread(asked.request_lease, view) is None
    request = asked.pending_request(view)
    assert request is not None
    never.set_result(None)
    await request


def test_a_request_that_was_begun_but_never_started_is_started_by_a_later_call(view: OneView) -> None:
    asked = probing(view, OtherLoop(runs=True))
    assert view.refused().ask
    asked.reset_orphaned_request(view)
    assert not view.refused().ask  # a thread may be about to start it
    asked.reset_orphaned_request(view)
    assert view.refused().ask


def test_a_request_that_was_answered_between_two_checks_is_not_reset(view: OneView) -> None:
    asked = probing(view, OtherLoop(runs=True))
    assert view.refused().ask
    asked.reset_orphaned_request(view)
    view.denied(0)
    asked.reset_orphaned_request(view)
    assert view.refused().ask
    asked.reset_orphaned_request(view)
    assert not view.refused().ask


async def test_a_long_running_request_is_not_reset(view: OneView) -> None:
    background = BackgroundTasks()
    background.open()
    asked = probing(view, background)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asked._lease = lambda view, **_: _until(never)  # type: ignore[method-assign]  # it lasts
    assert view.refused().ask
    request = asked.request_lease(view)
    assert request is not None
    for _ in range(5):
        asked.reset_orphaned_request(view)
    assert not view.refused().ask
    never.set_result(None)
    await request


async def _until(done: asyncio.Future[None]) -> None:
    await done


def probing_over(view: OneView, lease: Any, settle: Any) -> Probing:
    """The probing of a replica over a ledger with these two verbs, which accepts everything."""
    background = BackgroundTasks()
    background.open()
    session: Any = SimpleNamespace(
        now_s=view.clock.monotonic_s,
        incarnation="r1~1",
        ledger=SimpleNamespace(lease=lease, settle=settle),
        on_accepted=lambda view, reply: None,
    )
    return Probing(session, background)


async def test_a_grant_that_replaces_an_unused_one_returns_that_one_at_once(view: OneView) -> None:
    settled: list[tuple[str, str, str, Outcome]] = []

    async def lease(circuit: str, terms: object, replica: str, epoch: int, token: str, spare_ms: int) -> Reply:
        return Reply(view.snapshot(HALF_OPEN, 9), granted=True)

    async def settle(
        circuit: str,
        terms: object,
        replica: str,
        token: str,
        outcome: Outcome,
        throttled_ms: int,
        jitter: float,
        took_ms: int,
    ) -> Reply:
        settled.append((circuit, replica, token, outcome))
        return Reply(view.snapshot(HALF_OPEN, 9))

    view.refused()
    view.granted(6, "t1")
    view.receives(HALF_OPEN, 9)
    assert view.refused().ask
    asked = probing_over(view, lease, settle)
    request = asked.request_lease(view)
    assert request is not None
    await request
    await asked.all_settled()
    assert settled == [("svc", "r1~1", "t1", Outcome.CANCELLED)]
    assert view.probes().epoch == 9


async def test_a_refused_lease_request_is_passed_on_with_its_error(view: OneView) -> None:
    refusal, reported = LedgerRefusedError("OOM no memory"), []

    async def lease(*_: object) -> Reply:
        raise refusal

    session: Any = SimpleNamespace(
        now_s=view.clock.monotonic_s, incarnation="r1", ledger=SimpleNamespace(lease=lease),
        on_failed=lambda _, error: reported.append(error),
    )  # fmt: skip
    await lease_requested_through(session, view)
    assert reported == [refusal]


async def test_a_lease_request_contains_the_replica_and_its_known_epoch(view: OneView) -> None:
    asked: list[tuple[object, ...]] = []

    async def lease(*said: object) -> Reply:
        asked.append(said)
        return Reply(view.snapshot(HALF_OPEN, 5), granted=False, wait_ms=500)

    session: Any = SimpleNamespace(
        now_s=view.clock.monotonic_s, incarnation="r1~1", ledger=SimpleNamespace(lease=lease), on_read=lambda *_: None
    )
    await lease_requested_through(session, view)
    assert [said[:4] for said in asked] == [("svc", view.terms, "r1~1", 5)]


async def test_a_lease_that_may_have_been_granted_is_returned_until_it_would_have_expired(
    view: OneView, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried_s: list[float] = []

    async def no_answer(*_: object) -> Reply:
        raise LedgerUnavailableError("gone")

    async def settle(*_: object) -> Reply:
        tried_s.append(view.clock.now_s)
        raise LedgerUnavailableError("gone")

    async def sleep(seconds: float) -> None:
        view.clock.advance(seconds)

    began_s, lease_s = view.clock.now_s, view.terms.lease_ms / 1000
    monkeypatch.setattr(probing_module, "asyncio", SimpleNamespace(sleep=sleep, wait=asyncio.wait))
    session: Any = SimpleNamespace(
        now_s=view.clock.monotonic_s, incarnation="r1", ledger=SimpleNamespace(lease=no_answer, settle=settle),
        on_failed=lambda *_: None, retry_s=lambda: lease_s / 4,
    )  # fmt: skip
    background = BackgroundTasks()
    background.open()
    probes = Probing(session, background)
    await probes._lease(view)
    await probes.all_settled()
    assert tried_s == [began_s, began_s + lease_s / 4, began_s + lease_s / 2, began_s + 3 * lease_s / 4]


@pytest.mark.parametrize(("outcome", "waited_s"), [(Outcome.OK, RETRY_S), (Outcome.CANCELLED, (99.0, 99.0))])
async def test_a_probes_outcome_is_retried_quickly_and_a_returned_lease_at_the_fleets_pace(
    outcome: Outcome, waited_s: tuple[float, float], view: OneView, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def settle(*_: object) -> Reply:
        if slept:
            return Reply(view.snapshot(HALF_OPEN, 5))
        raise LedgerUnavailableError("gone")

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(probing_module, "asyncio", SimpleNamespace(sleep=sleep))
    session: Any = SimpleNamespace(
        now_s=view.clock.monotonic_s, incarnation="r1", ledger=SimpleNamespace(settle=settle), retry_s=lambda: 99.0,
        on_failed=lambda *_: None, on_accepted=lambda *_: None,
    )  # fmt: skip
    grant = Grant("t1", view.clock.now_s + 1, 5, False, view.clock.now_s + 1)
    await Probing(session, BackgroundTasks())._settle(view, grant, outcome)
    assert len(slept) == 1
    assert waited_s[0] <= slept[0] <= waited_s[1]


async def test_a_thread_gets_no_request_of_the_loop_to_wait_for(view: OneView) -> None:
    asked = probing(view, OtherLoop(runs=True))
    asked._requests[view.name] = asyncio.get_running_loop().create_task(_until(asyncio.Future()))
    assert asked.pending_request(view) is None
    asked._requests[view.name].cancel()
