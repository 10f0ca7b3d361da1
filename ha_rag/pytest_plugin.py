"""The pytest plugin: pytest loads it wherever ha_rag is installed. It imports nothing before a test uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ha_rag.testing import ManualRegistry


@pytest.fixture
def circuit_registry() -> ManualRegistry:
    """Circuits in memory for one test; their time moves only by `circuit_registry.advance`."""
    from ha_rag.testing import ManualRegistry  # not while pytest starts

    return ManualRegistry()
