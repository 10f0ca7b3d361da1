"""What a program says about a circuit is checked, and saying something else later is an error that names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ha_rag import CircuitPolicy, CircuitRegistry, ConfigurationError, Outcome
from ha_rag.breaker.outcome import classify
from ha_rag.events import Event
from tests.breaker.one_breaker import POLICY, OneBreaker


def registry() -> CircuitRegistry:
    return CircuitRegistry.connect(replica="r1")


def never(error: BaseException) -> Outcome:
    return Outcome.CANCELLED


def always(error: BaseException) -> Outcome:
    return Outcome.FAILED


# ---- said again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "again", "named"),
    [
        ({}, {"policy": CircuitPolicy(probes=2)}, r"a different policy: probes = 1, not 2;"),
        (
            {"policy": POLICY},
            {"policy": CircuitPolicy(min_samples=9, window_s=10.0, recovery_timeout_s=10.0, probe_successes=1)},
            r"a different policy: min_samples = 4, not 9;",
        ),
        ({}, {"timeout_s": 2.0}, r"another timeout_s: None, not 2\.0"),
        ({"timeout_s": 1.0}, {"timeout_s": 2.0}, r"another timeout_s: 1\.0, not 2\.0"),
        ({}, {"scope": "replica"}, r"another scope: 'fleet', not 'replica'"),
        ({"scope": "replica"}, {"scope": "fleet"}, r"another scope: 'replica', not 'fleet'"),
        ({}, {"classify": never}, r"another classify: None, not <function never"),
        ({"classify": always}, {"classify": never}, r"another classify: <function always"),
        ({}, {"classify_result": never}, r"another classify_result: None"),
        ({"ignore": KeyError}, {"ignore": (KeyError, IndexError)}, r"another ignore: \(<class 'KeyError'>,\), not"),
        ({}, {"record": OSError}, r"another record: \(\), not \(<class 'OSError'>,\)"),
    ],
)
def test_other_settings_for_a_known_circuit_are_refused_by_name(
    first: dict[str, Any], again: dict[str, Any], named: str
) -> None:
    circuits = registry()
    known = circuits.breaker("svc", **first)
    with pytest.raises(ConfigurationError, match=rf"^circuit 'svc' already has {named}"):
        circuits.breaker("svc", **again)
    assert circuits.breaker("svc", **first) is known


def test_every_difference_is_a_problem_of_its_own() -> None:
    circuits = registry()
    circuits.breaker("svc")
    with pytest.raises(ConfigurationError) as raised:
        circuits.breaker("svc", scope="replica", timeout_s=2.0, ignore=KeyError)
    assert [problem.split()[5].rstrip(":") for problem in raised.value.problems] == ["scope", "timeout_s", "ignore"]


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": POLICY},
        {"scope": "replica", "timeout_s": 2.0},
        {"classify": never, "classify_result": never},
        {"ignore": [KeyError, OSError], "record": {TimeoutError}},
    ],
)
def test_the_same_settings_again_or_none_are_the_same_breaker(settings: dict[str, Any]) -> None:
    circuits = registry()
    known = circuits.breaker("svc", **settings)
    assert circuits.breaker("svc", **settings) is known
    assert circuits.breaker("svc") is known
    assert circuits.breaker("svc", classify=classify) is known, "the default, said explicitly"


def test_a_lambda_on_the_same_line_is_the_same_classify() -> None:
    circuits = registry()

    def payments() -> object:
        return circuits.breaker("svc", classify=lambda _: None)

    assert payments() is payments()


def test_the_order_of_ignored_classes_does_not_matter() -> None:
    circuits = registry()
    known = circuits.breaker("svc", ignore=[KeyError, OSError])
    assert circuits.breaker("svc", ignore=[OSError, KeyError]) is known


# ---- wrong types ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("timeout_s", value) for value in (-1, 0, -0.0, "2", True, float("nan"), float("inf"), [1])),
        *(("policy", value) for value in ({"min_samples": 3}, CircuitPolicy, 5, "default")),
        *(("scope", value) for value in ("world", "", 5, ["fleet"])),
        *(("classify", value) for value in (5, "failed", Outcome.FAILED)),
        *(("classify_result", value) for value in (5, "failed")),
        *((name, value) for name in ("ignore", "record") for value in (5, "KeyError", [KeyError()], [int], ["x"])),
    ],
)  # fmt: skip
def test_a_setting_of_the_wrong_type_is_refused_by_name(setting: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{setting} = .*: must be "):
        registry().breaker("svc", **{setting: value})


@pytest.mark.parametrize("name", ["classify", "classify_result"])
def test_an_async_classify_is_refused(name: str) -> None:
    async def judged(_: object) -> None: ...

    with pytest.raises(ConfigurationError, match="must be a function that is not async"):
        registry().breaker("svc", **{name: judged})  # type: ignore[arg-type]  # what a program may do


@pytest.mark.parametrize("name", [5, None, b"svc", ["svc"], ("svc",)])
def test_a_name_that_is_no_string_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a string"):
        registry().breaker(name)


async def _async_sink(event: Event) -> None: ...


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: CircuitRegistry.connect(5), "url = 5: must be a string"),  # type: ignore[arg-type]  # on purpose
        (lambda: CircuitRegistry.connect(b"redis://x"), "url = b'redis://x': must be a string"),  # type: ignore[arg-type]  # on purpose
        (lambda: CircuitRegistry.connect(namespace=5), "namespace = 5: must be a string"),  # type: ignore[arg-type]  # on purpose
        (lambda: CircuitRegistry.connect(replica=5), "replica 5: must be"),  # type: ignore[arg-type]  # on purpose
        (lambda: CircuitRegistry.connect(sinks=print), "must be a list of functions"),  # type: ignore[arg-type]  # on purpose
        (lambda: CircuitRegistry.connect(sinks=[5]), "sink 5: must be a function of one event"),  # type: ignore[list-item]  # on purpose
        (lambda: CircuitRegistry.connect(sinks=[_async_sink]), "must not be async"),  # type: ignore[list-item]  # on purpose
        (lambda: registry().add_sink("print"), "sink 'print': must be a function"),  # type: ignore[arg-type]  # on purpose
        (lambda: CircuitRegistry("redis://x"), "for a URL use CircuitRegistry.connect"),  # type: ignore[arg-type]  # on purpose
    ],
)  # fmt: skip
def test_a_wrong_argument_of_a_registry_is_refused(make: Callable[[], object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        make()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"reason": 5}, "reason = 5: must be a string"),
        ({"by": None}, "by = None: must be a string"),
        ({"for_s": "5"}, "for_s = '5': must be a number"),
        ({"for_s": True}, "for_s = True: must be a number"),
    ],
)
async def test_a_wrong_argument_of_an_override_is_refused(changed: dict[str, Any], named: str) -> None:
    one = OneBreaker()
    with pytest.raises(ConfigurationError, match=named):
        await one.registry.override("svc", "open", **{"reason": "deploy", "by": "me", **changed})
    (report,) = one.registry.snapshot()
    assert report.override is None
