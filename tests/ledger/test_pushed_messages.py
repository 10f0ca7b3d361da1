"""Pushed messages, and foreign ones: any client may publish on the channel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ha_rag.ledger.store.codec import change

SNAPSHOT = ["1000", "open", "7", "500", "1", "why", "r1", "900", "0", "0", "0", "0", "1", "2", "0", "", "", "", "",
            "r1", "r2"]  # fmt: skip


def test_a_message_contains_the_circuit_the_previous_epoch_and_the_whole_snapshot() -> None:
    reported = change(json.dumps(["svc", "5", *SNAPSHOT]))
    assert reported is not None
    assert (reported.circuit, reported.previous_epoch) == ("svc", 5)
    assert (reported.snapshot.epoch, reported.snapshot.state, reported.snapshot.voters) == (7, "open", ("r1", "r2"))


@pytest.mark.parametrize(
    "said",
    [
        [["svc"], "5", *SNAPSHOT], [{}, "5", *SNAPSHOT], [7, "5", *SNAPSHOT], ["no name", "5", *SNAPSHOT],
        ["", "5", *SNAPSHOT], ["svc", 5, *SNAPSHOT], ["svc", "x", *SNAPSHOT], ["svc", "5", *SNAPSHOT[:5], ["why"],
        *SNAPSHOT[6:]], ["svc", "5", *SNAPSHOT, 3], ["svc", "5"], ["svc"], [], {}, {"svc": 5}, "svc", 5, None,
    ],
)  # fmt: skip
def test_a_message_of_another_format_is_ignored(said: Any) -> None:
    assert change(json.dumps(said)) is None


@pytest.mark.parametrize("said", ["", "{", b"\xff\xfe", "[" * 100_000])
def test_a_message_that_is_not_json_is_ignored(said: str | bytes) -> None:
    assert change(said) is None
