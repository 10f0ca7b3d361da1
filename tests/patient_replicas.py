"""Replicas that wait longer for Redis than in production, where a slow reply must not hold up a question.

A machine that runs tests stands still for longer than that, and a replica then rightly decides alone, or leaves without
a word. Tests of what replicas share would fail by chance. The limits themselves are tested in virtual time, over faulty
connections (`tests/ledger`) and with real processes (`tests/fleet`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ha_rag.ledger.store import connection
from ha_rag.ledger.sync import sync

if TYPE_CHECKING:
    import pytest

REPLY_S = 30.0
"""For each reply of Redis, and for leaving the fleet."""


def in_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replicas of this process, until the test has ended."""
    monkeypatch.setitem(_defaults(), "timeout_s", REPLY_S)
    monkeypatch.setattr(sync, "STOP_S", REPLY_S)
    monkeypatch.setattr("ha_rag.assembly.redis_trial.TIMEOUT_S", REPLY_S)


def in_this_program() -> None:
    """The replicas of a program that a test runs."""
    _defaults()["timeout_s"] = sync.STOP_S = REPLY_S


def _defaults() -> dict[str, Any]:
    defaults: dict[str, Any] | None = connection.connect.__kwdefaults__
    assert defaults is not None
    return defaults


IN_A_PROGRAM_OF_0_1_0 = f"""
from ha_rag.ledger import connection
from ha_rag.ledger.sync import sync
connection.connect.__kwdefaults__["timeout_s"] = sync.STOP_S = {REPLY_S}
"""
"""Source text for the beginning of a program that joins a fleet and runs version 0.1.0."""
