"""A script decides call by call whether a component fails."""

from __future__ import annotations

import pytest

from ha_rag.components.script import Script
from ha_rag.errors import ServiceError, ThrottledError


def test_steps_are_performed_in_order_and_later_calls_succeed() -> None:
    script = Script(None, ThrottledError("rest", retry_after_s=2.0), "ok", ServiceError)
    script.play()
    with pytest.raises(ThrottledError):
        script.play()
    script.play()
    with pytest.raises(ServiceError):
        script.play()
    for _ in range(3):
        script.play()
    assert script.calls == 7


def test_failing_affects_only_the_first_calls() -> None:
    script = Script.failing(first=2)
    for _ in range(2):
        with pytest.raises(ServiceError, match="on purpose"):
            script.play()
    script.play()


def test_always_never_recovers() -> None:
    script = Script.always(TimeoutError("frozen"))
    for _ in range(50):
        with pytest.raises(TimeoutError, match="frozen"):
            script.play()


def test_a_callable_step_is_called_and_may_raise() -> None:
    calls: list[str] = []

    def explode() -> None:
        raise ValueError("boom")

    script = Script(lambda: calls.append("called"), explode)
    script.play()
    assert calls == ["called"]
    with pytest.raises(ValueError, match="boom"):
        script.play()
