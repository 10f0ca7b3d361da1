"""Every error that ha_rag raises on purpose.

    HaRagError
    |- ConfigurationError          a setting, an argument or a file is invalid
    |  `- MisuseError              a breaker was asked to guard what it cannot guard; nothing was counted
    |- CircuitOpenError            a circuit refused the call; nothing was sent
    |- UnknownCircuitError         there is no circuit of that name
    |- LedgerError
    |  |- LedgerUnavailableError   Redis did not answer (down, refused, frozen, too slow)
    |  |  `- ShardUnavailableError the cluster shard of one circuit did not answer
    |  `- LedgerRefusedError       Redis answered with an error (READONLY, OOM, NOPERM, ...)
    |- ComponentError              a tier failed
    |  |- ServiceError             the service answered with an error, or the connection failed
    |  |- ServiceTimeoutError      the service did not answer in time
    |  |- ThrottledError           the service asked for a pause (429, or 503 with Retry-After)
    |  |- InvalidRequestError      the request was invalid (400, 413, 422); the service is healthy
    |  `- MalformedReplyError      the reply cannot be used
    |- IndexStoreError
    |  |- IndexBusyError           another process is writing to the index
    |  |- IndexDiskFullError       no space is left on its disk
    |  |- IndexTooNewError         written by a later version of ha_rag
    |  `- IndexReadOnlyError       this process has no write access
    |- UnreadableDocumentError     one document cannot be read; others are not affected
    `- UnknownDocumentError        the index has no document with that id

Errors carry facts as attributes, so that callers need not parse messages. Exceptions of other libraries are translated
once, in the package that uses the library. Errors are plain values: safe across tasks and threads, and they survive
`pickle` and `copy` with their message and every attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

E = TypeVar("E", bound=BaseException)


class HaRagError(Exception):
    """The base of every error that ha_rag raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with `args`, which hold the message and not what __init__ takes.
        return _rebuilt, (type(self), self.args), self.__dict__


def _rebuilt(kind: type[E], args: tuple[object, ...]) -> E:
    """An error without a call of its __init__; its attributes are restored after this."""
    error = kind.__new__(kind, *args)
    error.args = args  # __new__ of an OSError leaves them empty
    return error


class ConfigurationError(HaRagError, ValueError):
    """A setting or an argument is invalid. `problems`: one sentence each (where, value, rule, how to fix it)."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class MisuseError(ConfigurationError):
    """A breaker was asked to guard what it cannot guard: an async function from synchronous code, a generator, or
    something that is not a function. It says nothing about the service, so no outcome was counted.
    """


class CircuitOpenError(HaRagError):
    """A circuit refused the call; the guarded function was not run.

    `circuit`: its name. `state`: "open", "half_open", or "closed" if the call was shed or held back by the ramp.
    `retry_after_s`: seconds until a retry makes sense, or None if unknown.
    """

    def __init__(self, circuit: str, retry_after_s: float | None = None, state: str = "open") -> None:
        wait = "" if retry_after_s is None else f"; ask again in {retry_after_s:.1f} s"
        super().__init__(f"circuit {circuit!r} is {state.replace('_', '-')} and refused the call{wait}")
        self.circuit = circuit
        self.retry_after_s = retry_after_s
        self.state = state


class UnknownCircuitError(HaRagError):
    """There is no circuit of that name. `circuit`: the unknown name. `known`: the names of all circuits."""

    def __init__(self, circuit: str, known: tuple[str, ...] = ()) -> None:
        hint = f"; there are {', '.join(known)}" if known else ""
        super().__init__(f"there is no circuit {circuit!r}{hint}")
        self.circuit = circuit
        self.known = known


class LedgerError(HaRagError):
    """The shared ledger could not be used. Never raised to the caller of a guarded function."""


class LedgerUnavailableError(LedgerError):
    """The ledger did not answer: down, refusing connections, frozen or slower than its timeout."""


class ShardUnavailableError(LedgerUnavailableError):
    """The shard that holds one circuit did not answer; other shards may."""


class LedgerRefusedError(LedgerError):
    """The ledger answered with an error. `code`: its first word, such as READONLY, OOM, MISCONF or NOPERM."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.split(" ", 1)[0]


class ComponentError(HaRagError):
    """A tier failed. `component`: its name, such as "embedder.primary"; empty if unknown."""

    def __init__(self, message: str, *, component: str = "") -> None:
        super().__init__(f"{component}: {message}" if component else message)
        self.component = component


class ServiceError(ComponentError):
    """The service answered with an error, or the connection failed. `status`: its HTTP status, or None."""

    def __init__(self, message: str, *, component: str = "", status: int | None = None) -> None:
        super().__init__(message, component=component)
        self.status = status


class ServiceTimeoutError(ComponentError, TimeoutError):
    """The service did not answer within its timeout."""


class ThrottledError(ServiceError):
    """The service asked for a pause of `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: float, component: str = "", status: int | None = None) -> None:
        super().__init__(message, component=component, status=status)
        self.retry_after_s = retry_after_s


class InvalidRequestError(ComponentError):
    """The service refused the request as invalid (400, 413, 422). `status`: its HTTP status, or None."""

    def __init__(self, message: str, *, component: str = "", status: int | None = None) -> None:
        super().__init__(message, component=component)
        self.status = status


class MalformedReplyError(ComponentError):
    """The reply cannot be used: HTML, truncated JSON, NaN, a wrong dimension or nothing."""


class IndexStoreError(HaRagError):
    """The index on disk cannot be used as asked."""


class IndexBusyError(IndexStoreError):
    """Another process is writing to this index."""


class IndexDiskFullError(IndexStoreError):
    """No space is left on the disk of the index. What was committed before is unaffected."""


class IndexTooNewError(IndexStoreError):
    """The index was written by a later version of ha_rag, in a format that this version cannot read."""


class IndexReadOnlyError(IndexStoreError):
    """This process has no write access to the index."""


class UnreadableDocumentError(HaRagError):
    """One document cannot be read. `document`: its id or path. `why`: the reason, as a sentence.

    `transient`: the trouble is this machine's, such as an I/O error, and says nothing about the document.
    """

    def __init__(self, document: str, why: str, *, transient: bool = False) -> None:
        super().__init__(f"{document}: {why}")
        self.document = document
        self.why = why
        self.transient = transient


class UnknownDocumentError(HaRagError):
    """The index has no document with one of these ids. `documents`: each unknown id -> ids that may be meant."""

    def __init__(self, documents: Mapping[str, tuple[str, ...]]) -> None:
        told = "; ".join(map(_not_there, documents, documents.values()))
        super().__init__(f"{told} (`ha-rag documents` lists the ids)")
        self.documents = dict(documents)


def _not_there(document: str, similar: tuple[str, ...]) -> str:
    hint = f", perhaps {' or '.join(map(repr, similar))}" if similar else ""
    return f"there is no document {document!r}{hint}"


def is_exit(error: BaseException) -> bool:
    """Whether `error` ends a task, a generator or the process, rather than report that something failed.

    Not every failure is an Exception: a panic of a library written in Rust (pyo3's PanicException) derives from
    BaseException, as does a group that contains one. A group with an exit in it is an exit.
    """
    from asyncio import CancelledError  # not with this module: a program that only imports the names needs no asyncio

    if isinstance(error, BaseExceptionGroup):
        return any(is_exit(part) for part in error.exceptions)
    return isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | CancelledError)
