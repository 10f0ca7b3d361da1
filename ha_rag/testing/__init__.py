"""For tests of code that uses a circuit: circuits in memory with a manual clock, and circuits set by hand.

`docs/testing-your-code.md` shows how to use them. The fixture `circuit_registry` is in `ha_rag.pytest_plugin`.
"""

from ha_rag.clock import ManualClock
from ha_rag.testing.by_hand import closed, opened, reset
from ha_rag.testing.registry import ManualRegistry

__all__ = ["ManualClock", "ManualRegistry", "closed", "opened", "reset"]
