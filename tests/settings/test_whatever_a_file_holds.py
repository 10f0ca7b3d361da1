"""Arbitrary contents of a file: settings or error sentences, never a traceback or a leaked secret."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ha_rag.assembly.configuration import settings_of
from ha_rag.errors import ConfigurationError
from ha_rag.settings import read_environment, redacted
from ha_rag.settings.circuits import CIRCUIT_KEYS

KEYS = [
    "fleet", "server", "index", "circuit", "embedders", "retrievers", "generators", "name", "kind", "port", "host",
    "redis_url", "base_url", "model", "dimension", "timeout_s", "max_docs", "path", *CIRCUIT_KEYS,
]  # fmt: skip
keys = st.sampled_from(KEYS) | st.text(max_size=5)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
    | st.sampled_from(["openai", "local", "hashing", "reduced", "lexical", "extractive", "fleet", "a", "http://h/v1"])
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))
LISTS = ["embedders", "retrievers", "generators"]
ENVIRONMENT = read_environment({})


def verdict(content: dict[str, Any]) -> tuple[str, ...]:
    """What is said about a file: its problems, or one sentence that says there are none."""
    try:
        settings_of(content, ENVIRONMENT)
    except ConfigurationError as refused:
        return refused.problems
    return ("the file: is fine",)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(keys, values, max_size=6))
def test_any_content_becomes_settings_or_error_sentences(content):
    assert all(": " in sentence for sentence in verdict(content) or ("",))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), scalars, max_size=5), st.sampled_from(LISTS))
def test_any_component_becomes_settings_or_error_sentences(component, key):
    assert all(": " in sentence for sentence in verdict({key: [component]}) or ("",))


secrets = st.text("abcdefghijklmnopqrstuvwxyz0123456789!$%&*+,;=.~_-", min_size=8, max_size=20)


@given(
    secret=secrets,
    scheme=st.sampled_from(["redis", "rediss", "redis+sentinel", "https"]),
    user=st.sampled_from(["", "bob"]),
)
def test_no_password_survives_redaction(secret, scheme, user):
    assume(secret not in scheme)  # "sentinel" is a password, too
    assert secret not in redacted(f"{scheme}://{user}:{secret}@host:6379/0")
