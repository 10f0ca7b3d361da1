"""The guided walk through failures: `ha-rag learn`, or `test_high_availability_rag()` in Python."""

from ha_rag.learn.walk import test_high_availability_rag

__all__ = ["test_high_availability_rag"]
