"""Unit vectors, the only ones that embedders return beside the zero vector, and their weight in hybrid search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ha_rag.errors import ConfigurationError
from ha_rag.messages import Vector


@np.errstate(over="ignore", invalid="ignore")
def unit(values: NDArray[Any]) -> Vector | None:
    """`values` scaled to unit length, as float32; None if they are all zero or not finite."""
    square = float(values.dot(values))
    return (values * (1.0 / math.sqrt(square))).astype(np.float32, copy=False) if 0.0 < square < math.inf else None


def unit_or_zero(values: NDArray[Any]) -> Vector:
    """`values` scaled to unit length, or all zeros if that is impossible (a text without known words)."""
    vector = unit(values)
    return np.zeros(values.shape[0], dtype=np.float32) if vector is None else vector


def valid_weight(weight: float) -> float:
    """`weight`, if it is from 0 to 1. Raises ConfigurationError."""
    if not 0 <= weight <= 1:
        raise ConfigurationError(f"weight = {weight!r}: must be from 0 to 1")
    return weight
