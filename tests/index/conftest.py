"""An index in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.clock import ManualClock
from ha_rag.index import Index


@pytest.fixture
def clock() -> ManualClock:
    """The clock by which the index looks for something newer."""
    return ManualClock()


@pytest.fixture
def index(tmp_path: Path, clock: ManualClock) -> Iterator[Index]:
    """An index that is empty yet."""
    with Index(tmp_path / "index", clock) as opened:
        yield opened
