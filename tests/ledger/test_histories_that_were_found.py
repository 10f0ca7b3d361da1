"""Histories that a random search found, each shortened, and kept: what must come to pass, comes to pass in each."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.ledger.fleet_recovery import Recovery
from tests.ledger.openings import probing_a_forgetful_ledger
from tests.ledger.simulated_fleet import QUICK, Fleet


@pytest.mark.parametrize("seed", range(12))
def test_a_probe_asked_for_without_a_call_is_heard_of_by_all(seed: int) -> None:
    """A replica whose verbs were refused asks for a probe, to see whether they are taken again: the circuit may step.

    One in five of the moments that chance chooses fell between that step and the message that tells of it.
    """
    random.seed(seed)
    with Fleet(2, replace(QUICK, probes=1, probe_successes=1, quorum=1)) as fleet:
        fleet.run(probing_a_forgetful_ledger(fleet))
        fleet.run(Recovery(fleet, "gone").closes())
        for member in fleet.members:
            member.wire.mend()
        fleet.run(Recovery(fleet, "readonly").closes())
        fleet.run(Recovery(fleet, "slow").closes())
