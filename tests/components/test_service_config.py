import pytest

from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ConfigurationError


@pytest.mark.parametrize(
    "base_url", ["http://localhost:9100/v1", "http://localhost:9100/v1/", "http://localhost:9100/v1//"]
)
def test_a_slash_at_the_end_of_the_base_url_makes_no_difference(base_url):
    assert str(ServiceConfig(base_url=base_url).url("embeddings")) == "http://localhost:9100/v1/embeddings"


def test_a_repr_shows_no_key_and_no_header():
    config = ServiceConfig(base_url="http://localhost/v1", api_key="sk-secret", headers={"X-Api-Key": "also-secret"})
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"base_url": "localhost:9100"}, "base_url"),
        ({"base_url": "ftp://localhost/v1"}, "base_url"),
        ({"base_url": "http:///v1"}, "base_url"),
        ({"base_url": "http://localhost:99999/v1"}, "base_url"),
        ({"base_url": "http://localhost/v1?key=1"}, "base_url"),
        ({"base_url": ""}, "base_url"),
        ({"base_url": "http://localhost/v1", "timeout_s": 0}, "timeout_s"),
        ({"base_url": "http://localhost/v1", "timeout_s": float("nan")}, "timeout_s"),
        ({"base_url": "http://localhost/v1", "max_connections": 0}, "max_connections"),
        ({"base_url": "http://localhost/v1", "max_reply_bytes": 1}, "max_reply_bytes"),
        ({"base_url": "http://localhost/v1", "api_key": ""}, "api_key"),
        ({"base_url": "http://localhost/v1", "headers": {"X-A": "b\r\nX-C: d"}}, "headers"),
        ({"base_url": "http://localhost/v1", "headers": {"X A": "b"}}, "headers"),
    ],
)
def test_an_invalid_value_is_refused_by_name(settings, word):
    with pytest.raises(ConfigurationError, match=word):
        ServiceConfig(**settings)


@pytest.mark.parametrize("key", ["sk-secret\n", "sk secret", "sk-sécret"])
def test_an_unusable_key_is_refused_without_being_shown(key):
    with pytest.raises(ConfigurationError) as refused:
        ServiceConfig(base_url="http://localhost/v1", api_key=key)
    assert "sk-" not in str(refused.value)


def test_a_password_in_the_url_is_refused_without_being_shown():
    with pytest.raises(ConfigurationError) as refused:
        ServiceConfig(base_url="http://user:hunter2@localhost/v1")
    assert "hunter2" not in str(refused.value)
