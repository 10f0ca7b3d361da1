"""What a file may add to the requests of a service."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ha_rag.assembly.kinds import component_lists
from ha_rag.errors import ConfigurationError
from ha_rag.settings.environment import read_environment
from ha_rag.settings.loading import settings_from
from ha_rag.settings.settings import Settings

SERVICE = {"name": "primary", "kind": "openai", "base_url": "http://localhost:9/v1", "model": "m", "dimension": 8}


def settings(**keys: Any) -> Settings:
    return settings_from({"embedders": [SERVICE | keys]}, read_environment({}), component_lists())


def test_nothing_is_added_by_default() -> None:
    (table,) = settings().components[component_lists()[0].component_type]
    assert table.model_dump(include={"headers", "extra_body", "request_model", "api_key_header"}) == {
        "headers": {},
        "extra_body": {},
        "request_model": None,
        "api_key_header": "Authorization",
    }


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"extra_body": {"model": "x"}}, "must not set model; what decides on it is model or request_model"),
        ({"extra_body": {"input": "x"}}, "must not set input"),
        ({"extra_body": {"messages": []}}, "must not set messages"),
        ({"extra_body": {"stream": True}}, "must not set stream"),
        ({"extra_body": {"encoding_format": "float"}}, "what decides on it is encoding_format"),
        ({"extra_body": {"dimensions": 8}}, "what decides on it is dimension and send_dimension"),
        ({"extra_body": {"x": float("nan")}}, "cannot be sent as JSON"),
        ({"extra_body": {"x": 2**64}}, "cannot be sent as JSON"),
        ({"extra_body": {"x": date(2026, 1, 1)}}, "cannot be sent as JSON"),
        ({"extra_body": []}, "must be a table"),
        ({"headers": {"Authorization": "Bearer x"}}, "put it into the environment"),
        ({"headers": {"X-Api-Key": "x"}}, "put it into the environment"),
        ({"headers": {"Cookie": "x"}}, "put it into the environment"),
        ({"headers": {"Host": "x"}}, "Host is set for each request"),
        ({"headers": {"Content-Length": "1"}}, "is set for each request"),
        ({"headers": {"X A": "x"}}, "is not the name of a header"),
        ({"headers": {"": "x"}}, "is not the name of a header"),
        ({"headers": {"X-A": "a\r\nb"}}, "must be printable ASCII"),
        ({"headers": {"X-A": "größer"}}, "must be printable ASCII"),
        ({"headers": {"X-A": 5}}, "must be a string"),
        ({"api_key_header": "X Key"}, "must be the name of a header"),
        ({"api_key_header": "Host"}, "choose another"),
        ({"request_model": ""}, "must not be empty"),
        ({"encoding_format": "hex"}, "must be 'base64', 'float' or 'none'"),
        ({"send_dimension": "yes"}, "must be true or false"),
        ({"batch_size": 0}, "must be at least 1"),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_refused_with_its_rule(keys: dict[str, Any], rule: str) -> None:
    with pytest.raises(ConfigurationError, match="embedders") as refused:
        settings(**keys)
    assert rule in str(refused.value)


def test_a_secret_in_a_refused_header_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings(headers={"X-Api-Key": "sk-1234567890abcdef"})
    assert "sk-1234" not in str(refused.value)
