"""Every error survives pickle and copy whole, so a ProcessPoolExecutor hands it on as it was raised."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import pytest

from ha_rag import errors
from ha_rag.deprecated import DeadlineExceededError
from ha_rag.local_fleet.race import NoReplyError

MADE: list[errors.HaRagError] = [
    errors.HaRagError("text"),
    errors.ConfigurationError("one", "two"),
    errors.MisuseError("no function"),
    errors.CircuitOpenError("payments", 2.5, "half_open"),
    errors.UnknownCircuitError("payments", ("orders", "search")),
    errors.LedgerError("text"),
    errors.LedgerUnavailableError("text"),
    errors.ShardUnavailableError("text"),
    errors.LedgerRefusedError("READONLY You can't write"),
    errors.ComponentError("text", component="embedder.primary"),
    errors.ServiceError("text", component="embedder.primary", status=502),
    errors.ServiceTimeoutError("text", component="embedder.primary"),
    errors.ThrottledError("text", retry_after_s=2.5, component="embedder.primary", status=429),
    errors.InvalidRequestError("text", component="embedder.primary", status=422),
    errors.MalformedReplyError("text", component="embedder.primary"),
    errors.IndexStoreError("text"),
    errors.IndexBusyError("text"),
    errors.IndexTooNewError("text"),
    errors.IndexReadOnlyError("text"),
    errors.IndexDiskFullError("text"),
    errors.UnreadableDocumentError("a.pdf", "it is encrypted"),
    errors.UnknownDocumentError({"a.md": ("b.md",)}),
    DeadlineExceededError(2.0),
    NoReplyError("text", untouched=True),
]
every_error = pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)


class ShopError(errors.ServiceError):
    """A user's own error, whose arguments are not those of its base."""

    def __init__(self, order: int, *, shop: str) -> None:
        super().__init__(f"order {order}", status=500)
        self.order, self.shop = order, shop


def copies(error: BaseException) -> list[BaseException]:
    pickled = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    return [*pickled, copy.copy(error), copy.deepcopy(error)]


def facts(error: BaseException) -> tuple[Any, ...]:
    return type(error), str(error), error.args, vars(error)


def test_every_error_is_tried() -> None:
    defined = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert defined <= {type(error) for error in MADE}


@every_error
def test_an_error_is_pickled_and_copied_whole(error: errors.HaRagError) -> None:
    for made in copies(error):
        assert facts(made) == facts(error)


def test_a_users_own_error_is_pickled_and_copied_whole() -> None:
    error = ShopError(7, shop="north")
    error.add_note("while charging")
    for made in copies(error):
        assert facts(made) == facts(error)
        assert made.__notes__ == ["while charging"]


def refused() -> None:
    raise errors.CircuitOpenError("payments", 2.5, "half_open")


def throttled() -> None:
    raise errors.ThrottledError("busy", retry_after_s=3.0, status=429)


@pytest.mark.parametrize("work", [refused, throttled])
def test_an_error_reaches_the_caller_from_a_process_pool(work: Callable[[], None]) -> None:
    here = import_module(work.__module__)
    assert getattr(here, work.__name__) is work, "the pool must find it by name"
    with pytest.raises(errors.HaRagError) as expected:
        work()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        error = pool.submit(work).exception(60)
    assert error is not None
    assert (type(error), str(error)) == (type(expected.value), str(expected.value))
    assert {**vars(error)} == vars(expected.value)
