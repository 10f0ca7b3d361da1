"""The environment, and that it takes precedence over the file."""

from __future__ import annotations

import pytest

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.tiers import generator_tiers
from ha_rag.errors import ConfigurationError
from ha_rag.settings import read_environment, redacted


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_named_by_the_environment_is_read(empty_folder):
    (empty_folder / "other.toml").write_text("[server]\nport = 1234")

    assert load_settings(variables={"HA_RAG_CONFIG": "other.toml"}).server.port == 1234


def test_the_file_in_the_working_directory_is_read_if_none_is_named(empty_folder):
    (empty_folder / "ha_rag.toml").write_text("[server]\nport = 1235")

    assert load_settings(variables={}).server.port == 1235


def test_a_file_named_on_the_command_line_takes_precedence(empty_folder):
    (empty_folder / "a.toml").write_text("[server]\nport = 1")
    (empty_folder / "b.toml").write_text("[server]\nport = 2")

    assert load_settings("b.toml", {"HA_RAG_CONFIG": "a.toml"}).server.port == 2


def test_the_redis_url_of_the_environment_takes_precedence(empty_folder):
    (empty_folder / "ha_rag.toml").write_text('[fleet]\nredis_url = "redis://file:1/0"')

    settings = load_settings(variables={"HA_RAG_REDIS_URL": "redis://u:pw@env:2/0"})

    assert settings.redis_url is not None
    assert settings.redis_url.reveal() == "redis://u:pw@env:2/0"
    assert settings.redis_url_shown == "redis://u:***@env:2/0"
    assert "pw" not in repr(settings)


def test_the_password_is_read_from_the_variable_named_in_the_file(empty_folder):
    (empty_folder / "ha_rag.toml").write_text('[fleet]\nredis_url = "redis://bob@h:1/0"\nredis_password_env = "PW"')

    settings = load_settings(variables={"PW": "a/b@c"})

    assert settings.redis_url is not None
    assert settings.redis_url.reveal() == "redis://bob:a%2Fb%40c@h:1/0"


def test_a_password_variable_that_is_not_set_is_refused(empty_folder):
    (empty_folder / "ha_rag.toml").write_text('[fleet]\nredis_url = "redis://h:1/0"\nredis_password_env = "PW"')

    with pytest.raises(ConfigurationError, match=r'fleet\.redis_password_env = "PW": must name a variable that is set'):
        load_settings(variables={})


@pytest.mark.parametrize(
    "url", ["redis://:pw@h/0", "redis://u:pw@h", "rediss://h/0?password=pw", "unix:///s?password=pw"]
)
def test_a_password_in_the_files_url_is_refused_and_not_repeated(empty_folder, url):
    (empty_folder / "ha_rag.toml").write_text(f'[fleet]\nredis_url = "{url}"')

    with pytest.raises(ConfigurationError, match="redis_password_env") as refused:
        load_settings(variables={})
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://h", "must begin with one of redis://"),
        ("redis://", "must name a host"),
        ("redis://h:port/0", "must name a valid host"),
        ("unix://", "must name a socket"),
    ],
)
def test_an_invalid_redis_url_is_refused(url, rule):
    with pytest.raises(ConfigurationError, match=rule):
        load_settings(variables={"HA_RAG_REDIS_URL": url})


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"HA_RAG_LOG": "xml"}, "HA_RAG_LOG = 'xml': must be console or json"),
        ({"HA_RAG_REPLICA": "a b"}, "HA_RAG_REPLICA = 'a b': must be 1 to 64 letters"),
        ({"HA_RAG_API_KEYS": " , "}, "HA_RAG_API_KEYS: must contain at least one key"),
        ({"HA_RAG_ADMIN_TOKEN": "  "}, "HA_RAG_ADMIN_TOKEN: must not consist of white space only"),
    ],
)
def test_an_invalid_variable_is_refused_by_name(variables, problem):
    with pytest.raises(ConfigurationError) as refused:
        load_settings(variables=variables)
    assert str(refused.value).startswith(problem)


def test_an_empty_variable_counts_as_unset():
    settings = load_settings(variables={"HA_RAG_API_KEYS": "", "HA_RAG_ADMIN_TOKEN": "", "HA_RAG_CONFIG": ""})

    assert settings.api_keys == ()
    assert settings.admin_token is None


def test_api_keys_are_split_at_commas_and_trimmed():
    keys = load_settings(variables={"HA_RAG_API_KEYS": "one, two,,"}).api_keys

    assert [key.reveal() for key in keys] == ["one", "two"]


def test_the_default_replica_name_is_valid():
    name = read_environment({}).replica

    assert read_environment({"HA_RAG_REPLICA": name}).problems == ()


def test_a_missing_service_key_is_a_warning(empty_folder):
    (empty_folder / "ha_rag.toml").write_text(
        '[[generators]]\nname = "a"\nkind = "openai"\nbase_url = "http://a.b/v1"\nmodel = "m"\napi_key_env = "MINE"'
    )
    settings = load_settings(variables={})

    assert settings.warnings == (
        'generator.a: api_key_env = "MINE" names a variable that is not set, so no key is sent',
    )
    assert settings.api_keys_of == {}


@pytest.mark.parametrize(("variable", "keys"), [("sk-1\n", ["sk-1"]), (" sk-1 ", ["sk-1"]), (" \n", [])])
def test_white_space_around_a_service_key_is_removed(empty_folder, variable, keys):
    (empty_folder / "ha_rag.toml").write_text(
        '[[generators]]\nname = "a"\nkind = "openai"\nbase_url = "http://a.b/v1"\nmodel = "m"'
    )
    settings = load_settings(variables={"OPENAI_API_KEY": variable})

    assert [key.reveal() for key in settings.api_keys_of.values()] == keys
    assert len(settings.warnings) == 1 - len(keys)
    assert len(generator_tiers(settings)) == 1


@pytest.mark.parametrize("host", ["localhost:9100", "127.0.0.1", "[::1]:9100", "provider:9100"])
def test_a_service_on_this_machine_or_network_needs_no_key(empty_folder, host):
    (empty_folder / "ha_rag.toml").write_text(
        f'[[generators]]\nname = "a"\nkind = "openai"\nbase_url = "http://{host}/v1"\nmodel = "m"'
    )
    assert load_settings(variables={}).warnings == ()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://user@h:1/0", "redis://user@h:1/0"),
        ("redis://user:p:w@h:1/0", "redis://user:***@h:1/0"),
        ("redis://:p@h:1/0", "redis://:***@h:1/0"),
        ("redis+sentinel://:p@a:1,b:2/main?password=x&db=1", "redis+sentinel://:***@a:1,b:2/main?password=***&db=1"),
        ("https://h/v1?api_key=abc#x", "https://h/v1?api_key=***#x"),
        ("no url at all", "no url at all"),
    ],
)
def test_addresses_are_shown_without_their_secrets(url, shown):
    assert redacted(url) == shown
