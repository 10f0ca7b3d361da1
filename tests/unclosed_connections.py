"""Names the test that left a connection to Redis open on an event loop that is closed.

Without it the connection is found by the garbage collector, in whichever test runs then.
"""

from __future__ import annotations

import asyncio
import os
import traceback
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from redis.asyncio.connection import AbstractConnection

_opened_by: weakref.WeakKeyDictionary[AbstractConnection, str] = weakref.WeakKeyDictionary()
_connect = AbstractConnection.connect


async def _connect_and_note(connection: AbstractConnection, *args: Any, **kwargs: Any) -> None:
    _opened_by[connection] = f"{os.environ.get('PYTEST_CURRENT_TEST')}\n{''.join(traceback.format_stack(limit=20))}"
    await _connect(connection, *args, **kwargs)


AbstractConnection.connect = _connect_and_note  # type: ignore[method-assign, assignment]  # redis-py offers no hook


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    yield
    left = [where for connection, where in list(_opened_by.items()) if _is_left(connection)]
    if left:
        _opened_by.clear()
        pytest.fail("left open on a closed loop, connections to Redis made in:\n" + "\n".join(left), pytrace=False)


def _is_left(connection: AbstractConnection) -> bool:
    writer = connection._writer
    if not isinstance(writer, asyncio.StreamWriter):  # fakeredis has writers of its own
        return False
    loop: asyncio.AbstractEventLoop = vars(writer)["_loop"]
    return loop.is_closed()
