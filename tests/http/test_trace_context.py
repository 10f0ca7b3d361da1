"""traceparent and tracestate are passed on if they are valid by W3C Trace Context."""

from __future__ import annotations

import pytest

from ha_rag.http.trace_context import trace_headers, trace_parent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


def test_a_valid_parent_is_passed_on_unchanged():
    assert trace_headers([(b"host", b"x"), (b"traceparent", GOOD.encode())]) == {"traceparent": GOOD}


def test_a_later_version_is_passed_on_as_version_00():
    assert trace_parent(f"cc-{TRACE}-{SPAN}-03-future-fields") == f"00-{TRACE}-{SPAN}-03"


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "00",
        GOOD.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"{GOOD}-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"{GOOD}\r\nX-Evil: 1",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-\u0660\u0661",
    ],
)
def test_a_malformed_parent_is_dropped_together_with_the_state(bad):
    assert trace_parent(bad) is None
    assert trace_headers([(b"traceparent", bad.encode()), (b"tracestate", b"a=1")]) == {}


def test_two_parents_are_both_dropped():
    assert trace_headers([(b"traceparent", GOOD.encode())] * 2) == {}


def test_several_state_headers_are_joined_in_order():
    headers = [(b"traceparent", GOOD.encode()), (b"tracestate", b"rojo=1, congo@eu=2"), (b"tracestate", b"third=3")]

    assert trace_headers(headers)["tracestate"] == "rojo=1,congo@eu=2,third=3"


@pytest.mark.parametrize(
    "bad",
    [b"no-equals", b"A=1", b"a=1,a=2", b"a=" + b"x" * 600, b",".join(b"k%d=1" % n for n in range(33)), b"a=\xff"],
)
def test_a_malformed_state_is_dropped_and_the_parent_kept(bad):
    assert trace_headers([(b"traceparent", GOOD.encode()), (b"tracestate", bad)]) == {"traceparent": GOOD}
