"""Fixtures: an empty index in its own folder, and its clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.clock import ManualClock
from ha_rag.index import Index


@pytest.fixture
def clock() -> ManualClock:
    """The clock that limits how often the index polls."""
    return ManualClock()


@pytest.fixture
def index(tmp_path: Path, clock: ManualClock) -> Iterator[Index]:
    """An empty index."""
    with Index(tmp_path / "index", clock) as opened:
        yield opened
