"""Translates redis-py's exceptions to this package's: the server did not answer, or it answered with an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions as theirs

from ha_rag.errors import HaRagError, LedgerRefusedError, LedgerUnavailableError
from ha_rag.ledger.store.refusals import explained

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
"""redis-py strips the error code from the message of errors that have their own class."""

_SCRIPT_ERROR = re.compile(r"@user_script: ?\d+: -?([A-Z]{3,}) ")
"""Redis before 7 wraps errors of commands inside a script: "ERR Error running script ...: -READONLY You ..."."""


_STRANGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    EOFError,
    AssertionError,
)
"""Raised while a reply is decoded, by redis-py or here, if a server or another client says what the protocol cannot
mean. Their text may contain what was said, so it is shortened."""

_SHOWN = 200


@contextmanager
def translated() -> Iterator[None]:
    """Turns exceptions of redis-py and of the socket into LedgerUnavailableError or LedgerRefusedError.

    So it does with any exception from decoding a reply: the block should include the decoding.
    """
    try:
        yield
    except HaRagError:
        raise
    except (theirs.RedisError, theirs.RedisClusterException, OSError) as error:
        raise translate(error) from error
    except _STRANGE as error:
        raise LedgerUnavailableError(f"Redis gave a reply that cannot be used: {error!r:.{_SHOWN}}") from error


def translate(error: BaseException) -> LedgerUnavailableError | LedgerRefusedError:
    """Returns LedgerRefusedError if Redis answered with an error, LedgerUnavailableError otherwise."""
    message = str(error) or type(error).__name__
    for kind, code in _CODES:
        if isinstance(error, kind):
            return LedgerRefusedError(explained(f"{getattr(error, 'status_code', None) or code} {message}"))
    if isinstance(error, theirs.ResponseError):
        return LedgerRefusedError(explained(_with_code(message)))
    return LedgerUnavailableError(message)


def _with_code(message: str) -> str:
    """The message with its error code first: redis-py strips a plain ERR, and old servers put the code further back."""
    script_error = _SCRIPT_ERROR.search(message)
    if script_error:
        return f"{script_error[1]} {message}"
    return message if message.split(" ", 1)[0].isupper() else f"ERR {message}"
