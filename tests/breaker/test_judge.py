"""What counts by a circuit's own rules: `classify`, `classify_result`, `ignore` and `record`."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from ha_rag.breaker.judge import MOST_TYPES, Judge
from ha_rag.breaker.outcome import FAILED, INVALID, TIMEOUT, classify
from ha_rag.breaker.verdict import Verdict
from ha_rag.circuit.state import Counts
from ha_rag.errors import CircuitOpenError, MisuseError, ServiceError, ThrottledError
from ha_rag.outcomes import Outcome
from tests.breaker.one_breaker import CLOSED, DOWN, HALF_OPEN, OPEN, OneBreaker, down, fine

OK = Outcome.OK


async def raises(error: BaseException) -> None:
    raise error


# ---- a classify that returns nonsense -------------------------------------------------------------------------------


async def _async_classify(_: BaseException) -> Verdict:
    return FAILED


def _broken(_: object) -> Verdict:
    raise RuntimeError("classify is broken")


NONSENSE: list[Any] = [
    lambda _: "nonsense",
    lambda _: 5,
    lambda _: True,
    lambda _: [],
    lambda _: Outcome.REJECTED,
    lambda _: Verdict(Outcome.SKIPPED),
    lambda _: Verdict("nonsense"),  # type: ignore[arg-type]  # what a program may do
    lambda _: Verdict(None),  # type: ignore[arg-type]  # what a program may do
    lambda: FAILED,
    lambda error: _async_classify(KeyError(error)),
    _broken,
]


@pytest.mark.parametrize("classify", NONSENSE)
@pytest.mark.parametrize("half_open", [False, True])
async def test_a_classify_that_returns_nonsense_does_not_replace_the_services_error(
    classify: Any, half_open: bool, caplog: pytest.LogCaptureFixture
) -> None:
    one = OneBreaker(classify=classify)
    if half_open:
        one.half_opens()
    with pytest.raises(ServiceError) as raised:
        await one.breaker.call(down)
    assert raised.value is DOWN
    assert one.breaker.state is (OPEN if half_open else CLOSED)
    assert half_open or one.counts == Counts(0, 1)
    assert "classify failed on ServiceError; the default applies" in caplog.text


@pytest.mark.parametrize("classify_result", NONSENSE)
async def test_a_classify_result_that_returns_nonsense_does_not_replace_the_result(
    classify_result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    one = OneBreaker(classify_result=classify_result)
    assert await one.breaker.call(fine) == "fine"
    assert one.counts == Counts(1, 0)
    assert "the default applies" in caplog.text


async def test_nonsense_is_logged_once_by_a_circuit(caplog: pytest.LogCaptureFixture) -> None:
    one = OneBreaker(classify_result=_broken)
    for _ in range(20):
        await one.breaker.call(fine)
    assert caplog.text.count("the default applies") == 1


@pytest.mark.parametrize("pause", [0.0, -1.0, float("nan"), "5", None])
def test_throttling_without_a_pause_is_a_failure(pause: Any) -> None:
    one = OneBreaker(classify=lambda _: Verdict(Outcome.THROTTLED, pause))
    assert one.permit().raised(KeyError()) is Outcome.FAILED
    assert one.permit().throttled(pause) is Outcome.FAILED


# ---- classify -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Outcome.INVALID, "invalid", INVALID])
async def test_classify_may_return_an_outcome_alone(answer: Any) -> None:
    assert OneBreaker(classify=lambda _: answer).permit().raised(KeyError()) is Outcome.INVALID


async def test_a_classify_without_an_opinion_leaves_the_default() -> None:
    one = OneBreaker(classify=lambda _: None)
    assert one.permit().raised(KeyError()) is Outcome.FAILED
    assert one.permit().raised(ThrottledError("wait", retry_after_s=2.0)) is Outcome.THROTTLED


# ---- classify_result ------------------------------------------------------------------------------------------------


def refused(result: dict[str, str]) -> Outcome | None:
    return Outcome.FAILED if result["status"] == "error" else None


async def test_a_result_can_be_a_failure_and_is_returned() -> None:
    one = OneBreaker(classify_result=refused)

    async def answer() -> dict[str, str]:
        return {"status": "error"}

    for _ in range(4):
        assert await one.breaker.call(answer) == {"status": "error"}
    assert one.breaker.state is OPEN


async def test_every_way_to_call_judges_results() -> None:
    def answer() -> dict[str, str]:
        return {"status": "error"}

    async def answer_soon() -> dict[str, str]:
        return answer()

    one = OneBreaker(classify_result=refused)
    await one.breaker.call(answer)
    one.breaker.call_sync(answer)
    one.breaker(answer)()
    assert one.counts == Counts(0, 3)
    await one.breaker(answer_soon)()
    assert one.breaker.state is OPEN


async def test_a_result_that_fails_a_probe_reopens_the_circuit() -> None:
    one = OneBreaker(classify_result=refused)
    one.half_opens()

    async def answer() -> dict[str, str]:
        return {"status": "error"}

    assert await one.breaker.call(answer) == {"status": "error"}
    assert one.breaker.state is OPEN


async def test_classify_result_may_leave_a_response_to_its_status() -> None:
    one = OneBreaker(classify_result=lambda _: None)
    assert one.permit().returned(httpx.Response(503)) is Outcome.FAILED


async def test_a_response_that_classify_result_accepts_is_a_success() -> None:
    one = OneBreaker(classify_result=lambda _: Outcome.OK)
    assert one.permit().returned(httpx.Response(503)) is Outcome.OK


def test_a_program_with_many_types_of_results_keeps_few_of_them_alive() -> None:
    judge = Judge()
    for number in range(3 * MOST_TYPES):
        assert judge.result(type(f"Result{number}", (), {})()) is None
    assert len(judge.plain) == MOST_TYPES


# ---- ignore and record ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignore", [LookupError, [LookupError], (KeyError, ValueError), {KeyError}])
async def test_an_ignored_exception_counts_nothing(ignore: Any) -> None:
    one = OneBreaker(ignore=ignore)
    for _ in range(10):
        with pytest.raises(KeyError):
            await one.breaker.call(raises, KeyError("order"))
    assert one.counts == Counts(0, 0)
    with pytest.raises(ServiceError):
        await one.breaker.call(down)
    assert one.counts == Counts(0, 1)


async def test_an_ignored_exception_says_nothing_about_recovery() -> None:
    one = OneBreaker(ignore=KeyError)
    one.half_opens()
    with pytest.raises(KeyError):
        await one.breaker.call(raises, KeyError("order"))
    assert one.breaker.state is HALF_OPEN


async def test_with_record_no_other_exception_counts() -> None:
    one = OneBreaker(record=ConnectionError)
    for error in (KeyError("order"), ServiceError("down"), TimeoutError()):
        with pytest.raises(type(error)):
            await one.breaker.call(raises, error)
    assert one.counts == Counts(0, 0)
    with pytest.raises(ConnectionResetError):
        await one.breaker.call(raises, ConnectionResetError())
    assert one.counts == Counts(0, 1)


async def test_an_exception_that_record_does_not_name_is_an_answer_to_a_probe() -> None:
    """The service answered: otherwise a circuit whose callers all send bad orders could never close again."""
    one = OneBreaker(record=ConnectionError)
    one.half_opens()
    with pytest.raises(KeyError):
        await one.breaker.call(raises, KeyError("order"))
    assert one.breaker.state is CLOSED


def test_a_recorded_status_error_counts_whatever_its_status() -> None:
    error = httpx.HTTPStatusError("404", request=httpx.Request("GET", "http://x"), response=httpx.Response(404))
    assert Judge(record=(httpx.HTTPStatusError,)).error(error).outcome is Outcome.FAILED
    assert Judge().error(error).outcome is Outcome.INVALID


def test_a_recorded_exception_may_be_throttling_or_a_timeout() -> None:
    judge = Judge(record=(Exception,))
    assert judge.error(ThrottledError("wait", retry_after_s=2.0)) == Verdict(Outcome.THROTTLED, 2.0)
    assert judge.error(TimeoutError()).outcome is Outcome.TIMEOUT


def status_error(status: int) -> httpx.HTTPStatusError:
    answer = httpx.Response(status, headers={"Retry-After": "7"} if status == 429 else {})
    return httpx.HTTPStatusError("", request=httpx.Request("GET", "http://x"), response=answer)


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        ([status_error(404), status_error(422)], Outcome.INVALID),
        ([status_error(404), status_error(500)], Outcome.FAILED),
        ([TimeoutError(), KeyError()], Outcome.FAILED),
        ([TimeoutError(), status_error(404)], Outcome.TIMEOUT),
        ([status_error(500), status_error(429)], Outcome.THROTTLED),
        ([CircuitOpenError("other")], Outcome.CANCELLED),
        ([CircuitOpenError("other"), ExceptionGroup("inner", [status_error(500)])], Outcome.FAILED),
    ],
)
def test_of_a_group_of_exceptions_the_one_that_counts_most_decides(errors: list[Exception], outcome: Outcome) -> None:
    assert Judge().error(ExceptionGroup("of a TaskGroup", errors)).outcome is outcome


def test_the_lists_apply_to_the_exceptions_of_a_group() -> None:
    group = ExceptionGroup("of a TaskGroup", [KeyError(), ValueError()])
    assert Judge(ignore=(KeyError, ValueError)).error(group).outcome is Outcome.CANCELLED
    assert Judge(ignore=(KeyError,)).error(group).outcome is Outcome.FAILED
    assert Judge(record=(OSError,)).error(group).outcome is Outcome.INVALID
    assert Judge(lambda error: Outcome.OK if isinstance(error, ExceptionGroup) else None).error(group).outcome is OK


def group_of(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("of a TaskGroup", errors)


@pytest.mark.parametrize(
    ("judge", "errors", "verdict"),
    [
        (Judge(record=(Exception,)), [TimeoutError()], Verdict(Outcome.TIMEOUT)),
        (Judge(record=(Exception,)), [ThrottledError("wait", retry_after_s=2.0)], Verdict(Outcome.THROTTLED, 2.0)),
        (Judge(record=(Exception,)), [CircuitOpenError("other")], Verdict(Outcome.CANCELLED)),
        (Judge(record=(ExceptionGroup,)), [CircuitOpenError("other")], Verdict(Outcome.FAILED)),
        (Judge(ignore=(ExceptionGroup,)), [KeyError()], Verdict(Outcome.CANCELLED)),
        (Judge(lambda e: INVALID if isinstance(e, KeyError) else FAILED), [KeyError()], INVALID),
        (Judge(lambda e: INVALID if isinstance(e, KeyError) else classify(e)), [KeyError(), TimeoutError()], TIMEOUT),
        (Judge(classify), [ThrottledError("", retry_after_s=1), ThrottledError("", retry_after_s=9)],
         Verdict(Outcome.THROTTLED, 9.0)),
    ],
)  # fmt: skip
def test_a_group_is_judged_by_what_it_holds_unless_it_is_named(
    judge: Judge, errors: list[Exception], verdict: Verdict
) -> None:
    assert judge.error(group_of(*errors)) == verdict
    assert judge.error(group_of(group_of(*errors))) == verdict


def test_the_default_classifier_judges_a_group_by_what_it_holds() -> None:
    assert classify(group_of(CircuitOpenError("other"), status_error(404))) == INVALID
    assert classify(BaseExceptionGroup("", [KeyboardInterrupt(), ConnectionError()])) == FAILED


def test_ignore_applies_before_record_and_record_before_classify() -> None:
    judge = Judge(lambda _: Outcome.INVALID, ignore=(KeyError,), record=(LookupError,))
    assert judge.error(KeyError()).outcome is Outcome.CANCELLED
    assert judge.error(IndexError()).outcome is Outcome.FAILED
    assert judge.error(ValueError()).outcome is Outcome.INVALID


@pytest.mark.parametrize(
    "error", [CircuitOpenError("other"), asyncio.CancelledError(), KeyboardInterrupt(), MisuseError("no function")]
)
def test_what_says_nothing_about_the_service_is_never_recorded(error: BaseException) -> None:
    assert Judge(record=(BaseException,)).error(error).outcome is Outcome.CANCELLED
    assert Judge(record=(ConnectionError,)).error(error).outcome is Outcome.CANCELLED
