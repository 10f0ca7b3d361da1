"""Validates what a program passes to a registry, so that a wrong type is a sentence and not a later surprise."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from ha_rag.errors import ConfigurationError

if TYPE_CHECKING:
    from ha_rag.events import Sink


def checked_sinks(sinks: Iterable[Sink]) -> tuple[Sink, ...]:
    """The sinks as a tuple. Raises ConfigurationError unless each is a function that is not async."""
    if not isinstance(sinks, Iterable):
        raise ConfigurationError(f"sinks = {sinks!r}: must be a list of functions")
    return tuple(map(checked_sink, sinks))


def checked_sink(sink: Sink) -> Sink:
    """`sink`, if it can be called with an event. Raises ConfigurationError."""
    if not callable(sink):
        raise ConfigurationError(f"sink {sink!r}: must be a function of one event")
    if iscoroutinefunction(sink) or iscoroutinefunction(type(sink).__call__):
        raise ConfigurationError(f"sink {sink!r}: must not be async: events also come from threads without a loop")
    return sink


def check_ledger(ledger: object) -> None:
    """Raises ConfigurationError for a URL, or anything else that makes no ledger."""
    if ledger is not None and not callable(ledger):
        raise ConfigurationError(f"ledger = {ledger!r:.100}: must be a function; for a URL use CircuitRegistry.connect")


def check_text(**texts: Any) -> None:
    """Raises ConfigurationError for each argument that is not a string."""
    problems = [f"{name} = {text!r}: must be a string" for name, text in texts.items() if not isinstance(text, str)]
    if problems:
        raise ConfigurationError(*problems)
