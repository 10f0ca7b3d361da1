"""Every error that ha_rag raises on purpose, in one tree.

    HaRagError
    |- ConfigurationError          a setting, an argument or a file is wrong; the text says where, what and the rule
    |- CircuitOpenError            a circuit refused the call: nothing was sent
    |- UnknownCircuitError         there is no circuit of that name
    |- LedgerError
    |  |- LedgerUnavailableError   Redis did not answer (gone, refused, frozen, too slow)
    |  |  `- ShardUnavailableError the part of a cluster that holds one circuit did not; others may
    |  `- LedgerRefusedError       Redis answered with an error (READONLY, OOM, NOPERM ...)
    |- ComponentError              a tier failed
    |  |- ServiceError             it answered with an error, or the connection broke
    |  |- ServiceTimeoutError      it did not answer in time
    |  |- ThrottledError           it asked for a rest (429, or 503 with Retry-After)
    |  |- InvalidRequestError      it refused this very request (400, 413, 422): no fault of the service
    |  `- MalformedReplyError      it answered with what cannot be used
    |- IndexStoreError
    |  |- IndexBusyError           another process is writing
    |  |- IndexTooNewError         written by a later version of ha_rag
    |  `- IndexReadOnlyError       this process may not write there
    `- UnreadableDocumentError     one document cannot be read; the others are not affected

Errors carry facts as attributes, so that callers can decide on values instead of texts. Foreign exceptions are
translated once, in the package that owns the library. All are plain values: safe across tasks and threads.
"""

from __future__ import annotations


class HaRagError(Exception):
    """Anything that ha_rag raises on purpose."""


class ConfigurationError(HaRagError, ValueError):
    """A setting or an argument breaks a rule. `problems`: one sentence each (where, value, rule, how to mend it)."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CircuitOpenError(HaRagError):
    """A circuit refused the call; the guarded function was not run.

    `circuit`: its name. `state`: "open", "half_open", or "closed" where a call was shed or held back.
    `retry_after_s`: seconds until asking again makes sense, or None where nobody can know.
    """

    def __init__(self, circuit: str, retry_after_s: float | None = None, state: str = "open") -> None:
        wait = "" if retry_after_s is None else f"; ask again in {retry_after_s:.1f} s"
        super().__init__(f"circuit {circuit!r} is {state.replace('_', '-')} and refused the call{wait}")
        self.circuit = circuit
        self.retry_after_s = retry_after_s
        self.state = state


class UnknownCircuitError(HaRagError):
    """There is no circuit of that name. `circuit`: the name asked for. `known`: those there are."""

    def __init__(self, circuit: str, known: tuple[str, ...] = ()) -> None:
        there = f"; there are {', '.join(known)}" if known else ""
        super().__init__(f"there is no circuit {circuit!r}{there}")
        self.circuit = circuit
        self.known = known


class LedgerError(HaRagError):
    """The store that the replicas share could not be used. Never reaches the caller of a guarded function."""


class LedgerUnavailableError(LedgerError):
    """The store did not answer: gone, refusing connections, frozen or slower than its timeout."""


class ShardUnavailableError(LedgerUnavailableError):
    """The part of the store that holds one circuit did not answer; those that hold others may."""


class LedgerRefusedError(LedgerError):
    """The store answered with an error. `code`: its first word, such as READONLY, OOM, MISCONF or NOPERM."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.split(" ", 1)[0]


class ComponentError(HaRagError):
    """A tier failed. `component`: its name, such as "embedder.primary"; empty where the raiser does not know it."""

    def __init__(self, message: str, *, component: str = "") -> None:
        super().__init__(f"{component}: {message}" if component else message)
        self.component = component


class ServiceError(ComponentError):
    """The service answered with an error, or the connection failed. `status`: its HTTP status, or None."""

    def __init__(self, message: str, *, component: str = "", status: int | None = None) -> None:
        super().__init__(message, component=component)
        self.status = status


class ServiceTimeoutError(ComponentError, TimeoutError):
    """The service did not answer within the time it was given."""


class ThrottledError(ServiceError):
    """The service asked for a rest. `retry_after_s`: seconds it asked for."""

    def __init__(self, message: str, *, retry_after_s: float, component: str = "", status: int | None = None) -> None:
        super().__init__(message, component=component, status=status)
        self.retry_after_s = retry_after_s


class InvalidRequestError(ComponentError):
    """The service refused this request for what it says (400, 413, 422). `status`: its HTTP status, or None."""

    def __init__(self, message: str, *, component: str = "", status: int | None = None) -> None:
        super().__init__(message, component=component)
        self.status = status


class MalformedReplyError(ComponentError):
    """The service answered with what cannot be used: HTML, half a JSON, NaN, the wrong dimension, nothing."""


class IndexStoreError(HaRagError):
    """The index on disk cannot be used as asked."""


class IndexBusyError(IndexStoreError):
    """Another process is writing to this index."""


class IndexTooNewError(IndexStoreError):
    """The index was written by a later version of ha_rag, whose form this version does not know."""


class IndexReadOnlyError(IndexStoreError):
    """This process has no write access to the index."""


class UnreadableDocumentError(HaRagError):
    """One document cannot be read. `document`: its id or path. `why`: the reason, as a sentence."""

    def __init__(self, document: str, why: str) -> None:
        super().__init__(f"{document}: {why}")
        self.document = document
        self.why = why
