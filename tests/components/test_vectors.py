import numpy as np
import pytest

from ha_rag.components.vectors import unit, unit_or_zero


def test_a_vector_is_scaled_to_length_one():
    vector = unit_or_zero(np.array([3.0, 4.0]))
    assert vector.tolist() == pytest.approx([0.6, 0.8])
    assert vector.dtype == np.float32


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [-np.inf, np.inf], [1e300, 1e300]])
def test_numbers_without_a_direction_are_no_vector(values):
    assert unit(np.array(values)) is None
    assert unit_or_zero(np.array(values)).tolist() == [0.0, 0.0]


def test_large_float32_numbers_still_have_a_direction():
    assert unit_or_zero(np.array([3e30, 4e30], dtype=np.float32)).tolist() == pytest.approx([0.6, 0.8])
