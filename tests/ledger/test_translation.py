"""No exception of redis-py or of the socket reaches callers untranslated."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from redis import exceptions as theirs

from ha_rag.circuit.rules import Batch, RestorePoint
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.ledger.store.translation import translate, translated
from ha_rag.outcomes import Outcome
from tests.ledger.bench import terms

ALL = [
    kind
    for _, kind in inspect.getmembers(theirs, inspect.isclass)
    if issubclass(kind, (theirs.RedisError, theirs.RedisClusterException))
] + [OSError, ConnectionResetError, TimeoutError, AttributeError]


def made(kind: type[Exception]) -> Exception:
    return kind("12182 127.0.0.1:7002") if issubclass(kind, theirs.AskError) else kind("what it said")


class Failing:
    """A client whose every command raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return self._raise

    async def _raise(self, *_: Any, **__: Any) -> Any:
        raise self._error


CALLS: dict[str, Callable[[RedisLedger], Any]] = {
    "record": lambda r: r.record("x", terms(), Batch("a", 1), 0.0),
    "lease": lambda r: r.lease("x", terms(), "a", 0, "t"),
    "settle": lambda r: r.settle("x", terms(), "a", "t", Outcome.OK, 0, 0.0),
    "override": lambda r: r.override("x", terms(), None, "", "", None),
    "restore": lambda r: r.restore("x", terms(), "a", RestorePoint(CircuitState.OPEN, 1)),
    "read": lambda r: r.read({"x": terms()}),
    "events": lambda r: r.events("x"),
    "beat": lambda r: r.beat("a", "{}", ["x"], 1000),
    "leave": lambda r: r.leave("a"),
    "replicas": lambda r: r.replicas(),
    "known_circuits": lambda r: r.known_circuits(),
}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
async def test_no_call_raises_an_exception_of_redis_py(kind: type[Exception]) -> None:
    for call in CALLS.values():
        client: Any = Failing(made(kind))
        with pytest.raises(LedgerError):
            await call(RedisLedger(client))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (theirs.ReadOnlyError("You can't write against a read only replica."), "READONLY"),
        (theirs.OutOfMemoryError("command not allowed"), "OOM"),
        (theirs.NoPermissionError("this user has no permissions"), "NOPERM"),
        (theirs.BusyLoadingError("Redis is loading the dataset in memory"), "LOADING"),
        (theirs.ClusterDownError("CLUSTERDOWN Hash slot not served"), "CLUSTERDOWN"),
        (theirs.MasterDownError("MASTERDOWN Link with MASTER is down"), "MASTERDOWN"),
        (theirs.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "MISCONF"),
        (theirs.ResponseError("NOREPLICAS Not enough good replicas to write."), "NOREPLICAS"),
        (theirs.ResponseError("Error running script (call to f_1): @user_script:5: -READONLY You can't"), "READONLY"),
        (theirs.ResponseError("Error running script (c): @user_script:5: @user_script: 57: -OOM command not"), "OOM"),
        (theirs.ResponseError("Error running script (c): @user_script:7: WRONGTYPE Operation against"), "WRONGTYPE"),
        (theirs.ResponseError("unknown command"), "ERR"),
    ],
)
def test_an_error_reply_keeps_its_code_even_from_inside_a_script(error: Exception, code: str) -> None:
    refused = translate(error)
    assert isinstance(refused, LedgerRefusedError)
    assert refused.code == code


@pytest.mark.parametrize(
    "kind", [theirs.ConnectionError, theirs.TimeoutError, theirs.MaxConnectionsError, ConnectionResetError]
)
def test_no_reply_is_unavailable(kind: type[Exception]) -> None:
    with pytest.raises(LedgerUnavailableError), translated():
        raise kind


def test_the_message_of_redis_or_the_socket_is_kept() -> None:
    assert str(translate(theirs.ConnectionError("nobody listens"))) == "nobody listens"
    assert str(translate(TimeoutError())) == "TimeoutError"
    assert str(translate(theirs.ReadOnlyError("You can't write."))) == "READONLY You can't write."
    assert str(translate(theirs.ResponseError("unknown command"))) == "ERR unknown command"
    assert str(translate(theirs.ResponseError("NOREPLICAS Not enough."))) == "NOREPLICAS Not enough."


@pytest.mark.parametrize(
    ("error", "begins", "setting"),
    [
        (theirs.ResponseError("MISCONF cannot save."), "MISCONF cannot save: Redis accepts no writes", "SET save"),
        (theirs.OutOfMemoryError("command not allowed."), "OOM command not allowed: Redis is full", "maxmemory"),
        (theirs.ResponseError("Error running script (c): @user_script: 57: -OOM command not"), "OOM", "maxmemory"),
    ],
)  # fmt: skip
def test_a_full_redis_or_a_full_disk_of_it_is_explained_with_the_setting(
    error: Exception, begins: str, setting: str
) -> None:
    refused = translate(error)
    assert str(refused).startswith(begins)
    assert setting in str(refused)
    assert isinstance(refused, LedgerRefusedError)
    assert refused.code == begins.split(" ", 1)[0]


def test_a_code_that_redis_py_kept_beside_the_message_comes_before_our_own_code_for_the_class() -> None:
    assert str(translate(theirs.AuthenticationError("invalid password", status_code="WRONGPASS"))) == (
        "WRONGPASS invalid password"
    )
