"""Arbitrary bytes in the file and the environment: settings or error sentences, and never a secret."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.tiers import embedder_tiers, generator_tiers
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.address import parse
from ha_rag.settings import Settings
from ha_rag.settings.environment import VARIABLES
from ha_rag.settings.file import MAX_FILE_BYTES
from ha_rag.settings.loading import MOST_PROBLEMS
from ha_rag.settings.reference import EXAMPLE
from tests.waiting import PATIENCE_S

SENTENCE = re.compile(r"[^\n]+: [^\n]+")
LONGEST_SENTENCE = 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


def verdict(folder: Path, text: bytes | str, variables: dict[str, str] | None = None) -> Settings | tuple[str, ...]:
    """The settings, or what is said against them."""
    file = folder / "any.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        return load_settings(file, variables or {})
    except ConfigurationError as refused:
        problems = refused.problems
    assert problems
    assert all(SENTENCE.fullmatch(problem) for problem in problems), problems
    assert max(map(len, problems)) < LONGEST_SENTENCE + len(str(file))
    return problems


def usable(settings: Settings | tuple[str, ...]) -> None:
    """What was accepted can also be run with: nothing is found wrong with it later, without its name and its place."""
    if isinstance(settings, Settings):
        assert embedder_tiers(settings)
        assert generator_tiers(settings)
        assert settings.redis_url is None or parse(settings.redis_url.reveal()).kind


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The documented example with pieces cut out, doubled, swapped and overwritten."""
    data = bytearray(EXAMPLE.encode())
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 20)))
        alone = draw(
            st.sampled_from(
                [
                    b"",
                    bytes(data[start:end]) * 2,
                    b'"',
                    b"[",
                    b"]]",
                    b"\n",
                    b"=",
                    b"0x",
                    b"1e999",
                    b"-",
                    b"true",
                    b"\xff",
                ]
            )
        )
        data[start:end] = alone if draw(st.booleans()) else draw(st.binary(max_size=12))
    return bytes(data)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | mutated())
def test_any_bytes_become_settings_or_error_sentences(folder, data):
    usable(verdict(folder, data))


LINES = st.sampled_from(
    ["[fleet]", "[server]", "[index]", "[alerts]", "[circuit]", "[[embedders]]", "[[retrievers]]", "[[generators]]"]
)
KEYS = st.sampled_from(
    ["redis_url", "redis_password_env", "namespace", "host", "port", "max_concurrent", "request_timeout_s", "path",
     "name", "kind", "base_url", "model", "dimension", "api_key_env", "timeout_s", "max_docs", "circuit.probes",
     "circuit.scope", "circuit", "window_s", "probes", "failure_threshold", "link", "urls_env", "x"]
)  # fmt: skip
VALUES = st.sampled_from(
    ['"a"', '"openai"', '"local"', '"http://a.b/v1"', '"http://["', '"http://a:99999/v1"', '"http://[a]/v1"',
     '"http://\\u00e9\\u2100/v1"', '"http://a/\\u007f"', '"http://u:p@a/v1"', '"redis://["', '"redis://h:1/0"',
     '"unix:///s"', '"\\u0000"', '"\\u202e"', "0", "-1", "1", "256", "1.5", "nan", "inf", "1e308", "true", "[]",
     "{}", "[1]", "{a=1}", "1979-05-27T07:32:00Z", "07:32:00", "9" * 400, "0x" + "f" * 5000, "-0x" + "f" * 5000,
     "[" * 60 + "]" * 60, '"' + "x" * 3000 + '"']
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES | st.tuples(KEYS, VALUES).map(" = ".join), max_size=12))
@example(["[[generators]]", 'kind = "openai"', 'name = "a"', 'model = "m"', 'base_url = "http://["'])
@example(["[circuit]", "probes = 0x" + "f" * 5000])
@example(["[server]", "request_timeout_s = 0x" + "f" * 5000])
def test_any_keys_with_any_values_become_settings_or_error_sentences(folder, lines):
    usable(verdict(folder, "\n".join(lines)))


BOMBS = {
    "dotted keys": "fleet" + ".a" * 5_000 + " = 1",
    "nested arrays": "x = " + "[" * 100_000,
    "nested tables": "x = " + "{a=" * 100_000,
    "many unknown keys": "\n".join(f"a{n} = 1" for n in range(50_000)),
    "one long key": "a" * 900_000 + " = 1",
    "one long value": '[fleet]\nnamespace = "' + "a" * 900_000 + '"',
    "digits": "[server]\nport = " + "9" * 900_000,
    "hexadecimal digits": "[server]\nport = 0x" + "f" * 900_000,
    "many components": '[[embedders]]\nname = "a"\nkind = "local"\n' * 20_000,
    "too much": "#" * (MAX_FILE_BYTES + 1),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_pathological_file_is_refused_quickly_in_a_few_sentences(folder, text):
    begun_s = time.process_time()
    told = verdict(folder, text)
    assert not isinstance(told, Settings)
    assert len(told) <= MOST_PROBLEMS + 1
    assert time.process_time() - begun_s < 10


def test_an_endless_pipe_is_read_only_up_to_the_limit(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            while True:
                pipe.write(b"#" * 65_536)

    writing = threading.Thread(target=write)
    writing.start()
    with pytest.raises(ConfigurationError, match="is larger than 1000000 bytes"):
        load_settings(tmp_path / "pipe", {})
    writing.join(PATIENCE_S)
    assert not writing.is_alive()


any_text = st.text(st.characters(exclude_characters="\0"), max_size=40)
ugly = any_text | st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"").decode(errors="surrogateescape"))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*VARIABLES, "OPENAI_API_KEY", "REDIS_PASSWORD"]), ugly))
@example({"OPENAI_API_KEY": "sk-\udcff", "REDIS_PASSWORD": "\udcff"})
@example({"HA_RAG_ADMIN_TOKEN": "\udcff"})
@example({"OPENAI_API_KEY": " ", "REDIS_PASSWORD": "p"})
@example({"OPENAI_API_KEY": "sk-1\n", "REDIS_PASSWORD": "p"})
@example({"HA_RAG_REDIS_URL": "redis://h/" + "9" * 5000})
def test_any_environment_becomes_settings_or_error_sentences(folder, variables):
    if "HA_RAG_CONFIG" in variables:
        del variables["HA_RAG_CONFIG"]
    usable(verdict(folder, EXAMPLE, variables))


SECRET = "sk-Zq7x"  # what hypothesis draws holds it, so that it can be looked for
secrets = st.text(st.characters(exclude_characters="\0"), max_size=12).map(lambda more: f"{SECRET}{more}{SECRET}")
SCHEMES = ["redis", "rediss", "redis+sentinel", "redis+cluster", "unix"]
# Pieces of addresses, which rarely stand together in any text.
pieces = st.lists(st.sampled_from([
    "redis", "://", ":", "/", "//", "@", "?", "#", "&", "=", "db", "password", "username", "ssl_ca_certs", "h", ":1",
    "/0", " ", "\n", "[", "]", "%",
    "%40", "\u2100", "\u3000", ",", "\\", "@h/?db=", "&protocol=", "&username=", "&ssl_x=",
]), max_size=6).map("".join)  # fmt: skip
secrets = secrets | pieces.map(lambda more: f"{SECRET}{more}{SECRET}")
HARMLESS_URL = "redis://h:1/0"


@settings(max_examples=300, deadline=None)
@given(secret=secrets, user=st.sampled_from(["", "bob"]), scheme=st.sampled_from(SCHEMES))
@example(secret=f"{SECRET}@h/?db={SECRET}", user="", scheme="redis")
@example(secret=f"{SECRET}@h/?db=&username={SECRET}", user="", scheme="redis")
@example(secret=f"{SECRET}://\n{SECRET}", user="", scheme="unix")
@example(secret=f"{SECRET}/{SECRET}", user="", scheme="redis")
@example(secret=f"{SECRET}@\u2100[{SECRET}", user="bob", scheme="redis")
@example(secret=f"[{SECRET}]", user="", scheme="redis")
@example(secret=f"/{SECRET}#?{SECRET}@{SECRET}", user="bob", scheme="redis+sentinel")
def test_a_password_in_a_url_is_never_shown_however_it_is_written(folder, secret, user, scheme):
    without_host = secret.replace("@", "-")  # what follows an @ is the host
    for url in (
        f"{scheme}://{user}:{secret}@h:1/0", f"{user}:{secret}@h:1", f"{scheme}:{user}:{secret}@h",
        f"{scheme}://{user}:{without_host}", f"{scheme}://h/?password={secret}",
        f"{scheme}://h/?password={secret}&protocol=3", f"{scheme}://h/0?{secret}",
    ):  # fmt: skip
        for told in (
            verdict(folder, "", {"HA_RAG_REDIS_URL": url}),
            verdict(folder, f"[fleet]\nredis_url = {_toml(url)}"),
        ):
            assert SECRET not in (f"{told} {told.redis_url_shown}" if isinstance(told, Settings) else str(told))
        assert SECRET not in refusal(url)


def refusal(url: str) -> str:
    try:
        parse(url)
    except ConfigurationError as error:
        return str(error)
    return ""


def _toml(text: str) -> str:
    escaped = "".join(f"\\U{ord(one):08x}" if one in '"\\' or not one.isprintable() else one for one in text)
    return '"' + escaped.replace("\\U0000d8", "\\U0000e0") + '"'


SERVICE = '[[generators]]\nname = "a"\nkind = "openai"\nmodel = "m"'


@pytest.mark.parametrize(
    "text",
    [
        SERVICE + '\nbase_url = "http://a.b/v1"\napi_key_env = "{secret}"',
        SERVICE + '\nbase_url = "http://a.b/v1"\napi_key_env = "skZq7x"',
        SERVICE + '\nbase_url = "http://a.b/v1"\napi_key = "{secret}"',
        SERVICE + '\nbase_url = "http://bob:{secret}@a.b/v1"',
        SERVICE + '\nbase_url = "http://{secret}@a.b/v1"',
        '[fleet]\nredis_password = "{secret}"',
        '[fleet]\nredis_password_env = "{secret}"',
        '[fleet]\nx = {{ password = "{secret}" }}',
        '[fleet]\nx = [ {{ tokens = ["{secret}"] }} ]',
        '[fleet]\nx = [ "redis://bob:{secret}@h" ]',
        '[alerts]\nurls = "slack://{secret}/b/c"',
        '[alerts]\nurls_env = "slack://{secret}/b/c"',
        '[alerts]\nwebhook = "https://h/{secret}"',
    ],
)
def test_a_misplaced_secret_in_the_file_is_not_repeated(folder, text):
    told = verdict(folder, text.format(secret=SECRET))
    said = " ".join(told.warnings if isinstance(told, Settings) else told)
    assert said
    assert SECRET not in said
    assert "skZq7x" not in said


@given(secret=secrets)
@settings(max_examples=100, deadline=None)
def test_no_secret_from_the_environment_is_shown(folder, secret):
    variables = dict.fromkeys(
        ["HA_RAG_ADMIN_TOKEN", "HA_RAG_API_KEYS", "HA_RAG_ALERT_URLS", "OPENAI_API_KEY", "REDIS_PASSWORD"], secret
    )
    told = verdict(folder, EXAMPLE, variables)
    assert SECRET not in repr(told)
    if isinstance(told, Settings):
        assert told.redis_url is not None
        assert quote(secret, safe="") in told.redis_url.reveal()
        assert SECRET not in told.redis_url_shown


@pytest.mark.parametrize("name", ["HA_RAG_ADMIN_TOKEN", "HA_RAG_API_KEYS", "OPENAI_API_KEY"])
def test_a_key_that_no_header_can_carry_is_refused_with_its_variable(folder, name):
    told = verdict(folder, EXAMPLE, {"REDIS_PASSWORD": "p", name: f"{SECRET}-ä"})
    assert told == (
        f"{name}: must be printable ASCII, because it is sent in an HTTP header (its value is not shown here)",
    )
