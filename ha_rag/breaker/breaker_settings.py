"""BreakerSettings: what a program says about one circuit. Checked here, and compared when it is said again."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, get_args

from ha_rag.breaker.judge import ErrorClasses, Judge
from ha_rag.breaker.outcome import Classify, ClassifyResult, classify
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.errors import ConfigurationError
from ha_rag.sharing import Scope

Classes = type[BaseException] | Iterable[type[BaseException]]
"""One exception class, or several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """The settings of one circuit; None and empty lists are those that were not given.

    Raises ConfigurationError, with one sentence for each setting that is invalid.
    """

    policy: CircuitPolicy | None = None
    scope: Scope | None = None
    timeout_s: float | None = None
    classify: Classify | None = None
    classify_result: ClassifyResult | None = None
    ignore: ErrorClasses = ()
    record: ErrorClasses = ()

    @classmethod
    def checked(cls, *, ignore: Classes = (), record: Classes = (), **settings: Any) -> BreakerSettings:
        """The settings as a program gives them."""
        given = cls(ignore=_classes(ignore), record=_classes(record), **settings)
        problems = [text for broken, text in given._rules() if broken]
        if problems:
            raise ConfigurationError(*problems)
        return given

    def _rules(self) -> list[tuple[bool, str]]:
        policy, timeout_s = self.policy, self.timeout_s
        return [
            (
                policy is not None and not isinstance(policy, CircuitPolicy),
                f"policy = {policy!r}: must be a CircuitPolicy",
            ),
            (
                self.scope not in (None, *get_args(Scope)),
                f'scope = {self.scope!r}: must be "fleet" or "replica"',
            ),
            (
                timeout_s is not None and not _is_duration(timeout_s),
                f"timeout_s = {timeout_s!r}: must be a number of seconds above 0, or None",
            ),
            *(
                (not _is_classifier(value), f"{name} = {value!r}: must be a function that is not async, or None")
                for name, value in (("classify", self.classify), ("classify_result", self.classify_result))
            ),
            *(
                (not _are_classes(value), f"{name} = {value!r}: must be exception classes, such as (KeyError,)")
                for name, value in (("ignore", self.ignore), ("record", self.record))
            ),
        ]  # fmt: skip

    def judge(self) -> Judge:
        """The judge that follows these settings."""
        return Judge(self.classify, self.classify_result, self.ignore, self.record)

    def check_same(self, name: str, again: BreakerSettings) -> None:
        """Raises ConfigurationError if `again`, for the same circuit, gives a setting another value."""
        differences = [
            text
            for field in fields(self)
            if _is_given(value := getattr(again, field.name))
            if (text := _difference(field.name, getattr(self, field.name), value))
        ]
        if differences:
            raise ConfigurationError(
                *(f"circuit {name!r} already has {text}; use one per circuit in a process" for text in differences)
            )


def _is_given(value: object) -> bool:
    return value is not None and value != () and value is not classify


def _difference(name: str, known: Any, again: Any) -> str | None:
    if name == "policy":
        known = known or CircuitPolicy()
        changed = [f.name for f in fields(CircuitPolicy) if getattr(known, f.name) != getattr(again, f.name)]
        shown = ", ".join(f"{field} = {getattr(known, field)!r}, not {getattr(again, field)!r}" for field in changed)
        return f"a different policy: {shown}" if changed else None
    if name == "scope":
        known = known or "fleet"
    if name in ("ignore", "record"):
        same = set(known) == set(again)
    else:
        same = known == again or _is_same_function(known, again)
    return None if same else f"another {name}: {known!r}, not {again!r}"


def _is_same_function(one: Any, other: Any) -> bool:
    """Whether both come from the same lines: a lambda is a new object each time its line runs."""
    code = getattr(one, "__code__", None)
    return code is not None and code is getattr(other, "__code__", None)


def _is_duration(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value > 0


def _is_classifier(value: object) -> bool:
    return value is None or (callable(value) and not inspect.iscoroutinefunction(value))


def _are_classes(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_error_class, value))


def _is_error_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _classes(value: Any) -> Any:
    """A tuple of what was given; anything else stays as it is, for `_rules` to name it."""
    if isinstance(value, type):
        return (value,)
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else value
