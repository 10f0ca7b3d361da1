"""Redis's errors, made into ours: did not answer, or answered with an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions as theirs

from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError

_CODES: tuple[tuple[type[Exception], str], ...] = (
    (theirs.BusyLoadingError, "LOADING"),
    (theirs.AuthenticationError, "NOAUTH"),
    (theirs.ReadOnlyError, "READONLY"),
    (theirs.OutOfMemoryError, "OOM"),
    (theirs.NoPermissionError, "NOPERM"),
    (theirs.MasterDownError, "MASTERDOWN"),
    (theirs.ClusterDownError, "CLUSTERDOWN"),
    (theirs.TryAgainError, "TRYAGAIN"),
    (theirs.ClusterCrossSlotError, "CROSSSLOT"),
    (theirs.DataError, "DATA"),
)
"""redis-py takes the code off the message of those errors that have a class of their own."""

_INSIDE_A_SCRIPT = re.compile(r"@user_script: ?\d+: -?([A-Z]{3,}) ")
"""Redis before 7 wraps what a command inside a script answered: "ERR Error running script ...: -READONLY You ..."."""

_SLIPS = (AttributeError,)
"""Mistakes of redis-py itself: in a cluster, the node to which a slot moves is None as long as it is not known."""


@contextmanager
def translated() -> Iterator[None]:
    """Lets no exception of redis-py, and no broken socket, out as itself."""
    try:
        yield
    except (theirs.RedisError, theirs.RedisClusterException, OSError, *_SLIPS) as error:
        raise translate(error) from error


def translate(error: BaseException) -> LedgerUnavailableError | LedgerRefusedError:
    """Ours for theirs: LedgerRefusedError where Redis answered with an error, LedgerUnavailableError otherwise."""
    message = str(error) or type(error).__name__
    for kind, code in _CODES:
        if isinstance(error, kind):
            return LedgerRefusedError(f"{getattr(error, 'status_code', None) or code} {message}")
    if isinstance(error, theirs.ResponseError):
        return LedgerRefusedError(_with_code(message))
    if isinstance(error, _SLIPS):
        return LedgerUnavailableError(f"redis-py failed: {message}")
    return LedgerUnavailableError(message)


def _with_code(message: str) -> str:
    """The message with its code in front: redis-py takes a plain ERR off, and old servers bury the code."""
    inside = _INSIDE_A_SCRIPT.search(message)
    if inside:
        return f"{inside[1]} {message}"
    return message if message.split(" ", 1)[0].isupper() else f"ERR {message}"
