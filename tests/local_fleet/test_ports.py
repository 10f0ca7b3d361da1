"""Ports are looked at before anything is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.ports import PortNeed, require_free


def need(port: int, host: str = "127.0.0.1") -> PortNeed:
    return PortNeed(host=host, port=port, user="the front", remedy="choose another with --port")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_is_no_problem(unused_port: int) -> None:
    require_free([need(unused_port)])


def test_a_taken_port_is_named_with_what_to_do(taken_port: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        require_free([need(taken_port)])
    assert caught.value.problems == (
        f"port {taken_port} for the front: another program is listening there; choose another with --port",
    )


def test_every_taken_port_is_named_at_once(taken_port: int, unused_port: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        require_free([need(taken_port), need(unused_port), need(taken_port)])
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(ConfigurationError, match="between 1 and 65535"):
        require_free([need(port)])


def test_a_host_that_is_not_this_machine_is_refused(unused_port: int) -> None:
    with pytest.raises(ConfigurationError, match="the front"):
        require_free([need(unused_port, host="192.0.2.1")])
