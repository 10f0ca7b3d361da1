"""An application over stand-ins for every test that asks for one."""

from __future__ import annotations

import pytest

from tests.http.street import House, Street


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def street(house: House) -> Street:
    return house.street()
