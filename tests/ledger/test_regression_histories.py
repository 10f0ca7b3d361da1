"""Histories that a random search found, shortened and kept as regression tests."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ha_rag import chance
from tests.ledger.fleet_recovery import Recovery
from tests.ledger.openings import (
    probing_after_a_flush,
    restored_by_one_that_missed_the_opening,
    two_transitions_share_an_epoch,
)
from tests.ledger.simulated_fleet import OPEN, QUICK, SVC, Fleet


@pytest.mark.parametrize("seed", range(12))
def test_a_probe_requested_without_a_call_is_seen_by_all_replicas(seed: int) -> None:
    """A replica whose verbs were refused requests a lease, to find out whether they are accepted again.

    The circuit may change by that: one in five random moments fell between the transition and its message.
    """
    chance.generator.seed(seed)
    with Fleet(2, replace(QUICK, probes=1, probe_successes=1, quorum=1)) as fleet:
        fleet.run(probing_after_a_flush(fleet))
        fleet.run(Recovery(fleet, "gone").closes())
        for member in fleet.members:
            member.wire.repair()
        fleet.run(Recovery(fleet, "readonly").closes())
        fleet.run(Recovery(fleet, "slow").closes())


def test_a_closing_with_the_epoch_of_an_opening_ends_no_open_duration_and_the_fleet_agrees_again() -> None:
    """Random steps after that opening seldom leave enough time for the fault to show."""
    with Fleet(2, replace(QUICK, probes=1, probe_successes=1, quorum=1)) as fleet:
        fleet.run(two_transitions_share_an_epoch(fleet))
        conflicting, open_until_s = fleet.ledger.circuit(SVC).epoch, fleet.members[0].view._effective.fleet.open_until_s
        while fleet.now_s < open_until_s - 0.1:
            fleet.run(asyncio.sleep(0.05))
            fleet.check()
        known = fleet.ledger.circuit(SVC)
        assert (known.state, known.epoch > conflicting) == (OPEN, True)
        assert {m.view.fleet.epoch for m in fleet.members} == {known.epoch}
        fleet.run(Recovery(fleet, "up").closes_from_here())


def test_a_first_restore_by_a_replica_that_missed_the_opening_ends_no_open_duration_and_the_fleet_agrees_again() -> (
    None
):
    with Fleet(3, replace(QUICK, recovery_timeout_s=3.0, probes=1, probe_successes=1, quorum=1)) as fleet:
        fleet.run(restored_by_one_that_missed_the_opening(fleet))
        first_restore, knowing = fleet.ledger.circuit(SVC), fleet.members[1:]
        open_until_s = min(member.view._effective.fleet.open_until_s for member in knowing)
        while fleet.ledger.circuit(SVC).epoch == first_restore.epoch:
            fleet.run(asyncio.sleep(0.05))
            fleet.check()
            assert fleet.now_s < open_until_s - 1.0, "the opening that the first restore missed is not restored"
        while fleet.now_s < open_until_s - 0.1:
            assert {member.state for member in knowing} == {OPEN}
            fleet.run(asyncio.sleep(0.05))
            fleet.check()
        known = fleet.ledger.circuit(SVC)
        assert known.state is OPEN
        assert {member.view.fleet.epoch for member in fleet.members} == {known.epoch}
        fleet.run(Recovery(fleet, "up").closes_from_here())
