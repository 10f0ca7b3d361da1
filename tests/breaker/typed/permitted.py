"""`if admission.permitted` narrows in mypy. Pyright narrows by comparison only (`program.py`), never by truth."""

from __future__ import annotations

from typing import assert_type

from ha_rag import CircuitRegistry, Permit, Refusal

payments = CircuitRegistry.connect(namespace="shop", replica="a").breaker("payments")


def by_truth() -> float | None:
    admission = payments.admit()
    if admission.permitted:
        assert_type(admission, Permit)
        assert_type(admission.permit, Permit)
        admission.permit.ok()
        return None
    assert_type(admission, Refusal)
    return admission.retry_after_s


def by_early_exit() -> None:
    admission = payments.admit()
    if not admission.permitted:
        raise admission.error()
    admission.permit.ok()
