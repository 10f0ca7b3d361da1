"""Judge: the verdict on what a guarded call raised or returned, by one circuit's rules.

The service's own error or result always reaches the caller: a `classify` that raises or returns nonsense is logged,
and the default applies. Safe across tasks and threads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from ha_rag.breaker.http_clients import is_response, response_verdict
from ha_rag.breaker.outcome import Classify, ClassifyResult, classify, says_nothing
from ha_rag.breaker.verdict import CANCELLED, FAILED, INVALID, Verdict, checked_verdict, worst
from ha_rag.errors import MisuseError
from ha_rag.outcomes import Outcome

log = logging.getLogger(__name__)

ErrorClasses = tuple[type[BaseException], ...]

MOST_TYPES = 256
"""Remembered types of results; a program with more is judged more slowly."""
LAZY = (CoroutineType, GeneratorType, AsyncGeneratorType)
"""Results that need a closer look each time: the work may not have begun."""


class Judge:
    """The rules of one circuit, in the order in which they apply to an exception.

    1. An exception of a class in `ignore` never counts.
    2. One in `record` always counts: as throttling or a timeout if it is one, else as a failure.
    3. `classify` decides, unless it returns None.
    4. If `record` is not empty, no other exception counts; the service is taken to have answered.
    5. The default (`outcome.classify`).

    Of a group of exceptions each one is judged, and the worst counts; unless a list names a class of groups, or
    `classify` has an opinion on the group and on nothing in it.
    A result is judged by `classify_result`, then, if it is an HTTP client's response, by its status.
    `plain`: types of results that are successes without a closer look.
    """

    __slots__ = ("_classify", "_classify_result", "_ignore", "_logged", "_record", "plain")

    def __init__(
        self,
        classify: Classify | None = None,
        classify_result: ClassifyResult | None = None,
        ignore: ErrorClasses = (),
        record: ErrorClasses = (),
    ) -> None:
        self._classify = classify
        self._classify_result = classify_result
        self._ignore = ignore
        self._record = record
        self.plain: set[type] = set()
        self._logged: set[int] = set()

    def error(self, error: BaseException) -> Verdict:
        """The verdict on an exception. Raises nothing."""
        if isinstance(error, MisuseError) or _is_named(error, self._ignore):
            return CANCELLED
        if _is_named(error, self._record) and not says_nothing(error):
            verdict = _default(error)
            return verdict if verdict.outcome in (Outcome.THROTTLED, Outcome.TIMEOUT) else FAILED
        if isinstance(error, BaseExceptionGroup) and not self._names_only_the_group(error):
            return worst(map(self.error, error.exceptions))
        own = None if self._classify is None else self._asked(self._classify, error)
        if own is not None:
            return own
        return INVALID if self._record and not says_nothing(error) else _default(error)

    def _names_only_the_group(self, group: BaseExceptionGroup[BaseException]) -> bool:
        classify = self._classify
        if classify is None or self._asked(classify, group) is None:
            return False
        return all(self._asked(classify, one) is None for one in _leaves(group))

    def result(self, result: Any) -> Verdict | None:
        """The verdict on a returned value; None: a success. Raises nothing."""
        if self._classify_result is not None:
            own = self._asked(self._classify_result, result)
            if own is not None:
                return own
        kind = type(result)
        if not is_response(kind):
            self._remember(kind)
            return None
        try:
            return response_verdict(result)
        except Exception:
            log.exception("a response of %s cannot be judged; it counts as a success", kind.__qualname__)
            return None

    def _remember(self, kind: type) -> None:
        if self._classify_result is None and kind not in LAZY and len(self.plain) < MOST_TYPES:
            self.plain.add(kind)

    def _asked(self, classifier: Callable[[Any], object], about: Any) -> Verdict | None:
        """What a user's function says; None if it has no opinion, fails or returns nonsense."""
        answer: object = None
        try:
            answer = classifier(about)
            return checked_verdict(answer)
        except Exception:
            if isinstance(answer, CoroutineType):
                answer.close()  # an async classify: Python would warn that it was never awaited
            if id(classifier) not in self._logged:  # once each: a busy circuit would fill the log
                self._logged.add(id(classifier))
                log.exception("classify failed on %s; the default applies", type(about).__qualname__)
            return None


def _is_named(error: BaseException, classes: ErrorClasses) -> bool:
    """Whether `error` is of one of `classes`. `Exception` names what is in a group of exceptions, not the group."""
    if isinstance(error, BaseExceptionGroup):
        classes = tuple(one for one in classes if issubclass(one, BaseExceptionGroup))
    return isinstance(error, classes)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one


def _default(error: BaseException) -> Verdict:
    try:
        return classify(error)
    except Exception:  # an attribute of the exception raises
        log.exception("%s cannot be classified; it counts as a failure", type(error).__qualname__)
        return FAILED
