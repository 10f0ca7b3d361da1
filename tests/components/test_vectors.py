import numpy as np
import pytest

from ha_rag.components.vectors import unit, unit_or_zero


def test_a_vector_is_scaled_to_unit_length():
    vector = unit_or_zero(np.array([3.0, 4.0]))
    assert vector.tolist() == pytest.approx([0.6, 0.8])
    assert vector.dtype == np.float32


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [-np.inf, np.inf], [1e300, 1e300]])
def test_vectors_without_a_direction_become_none(values):
    assert unit(np.array(values)) is None
    assert unit_or_zero(np.array(values)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_vectors_too_large_to_square_become_none(kind):
    largest = np.finfo(kind).max
    assert unit(np.array([largest, largest], dtype=kind)) is None
