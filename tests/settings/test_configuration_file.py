"""What a configuration file may contain, and how an invalid one is refused."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ha_rag.assembly.configuration import load_settings
from ha_rag.errors import ConfigurationError
from ha_rag.settings import Settings

DESIGN = """
[fleet]
redis_url = "redis://localhost:6379/0"
namespace = "ha_rag"
[server]
host = "127.0.0.1"
port = 8000
request_timeout_s = 30.0
max_concurrent = 256
[index]
path = ".ha_rag"
[circuit]
failure_threshold = 0.5
slow_call_s = 0.0
slow_threshold = 0.5
min_samples = 5
window_s = 10.0
recovery_timeout_s = 10.0
recovery_backoff = 2.0
recovery_timeout_max_s = 120.0
probes = 1
probe_successes = 2
quorum = 1
probe_timeout_s = 10.0
throttle_max_s = 60.0
flush_interval_s = 0.1
ramp_s = 0.0
shed = false
[[embedders]]
name = "primary"
kind = "openai"
base_url = "http://localhost:9100/v1"
model = "text-embedding-3-small"
dimension = 256
api_key_env = "OPENAI_API_KEY"
timeout_s = 1.0
[embedders.circuit]
recovery_timeout_s = 5.0
[[embedders]]
name = "secondary"
kind = "local"
[[retrievers]]
name = "primary"
kind = "local"
[[retrievers]]
name = "reduced"
kind = "reduced"
max_docs = 2
[[retrievers]]
name = "lexical"
kind = "lexical"
[[generators]]
name = "primary"
kind = "openai"
base_url = "http://localhost:9100/v1"
model = "gpt-4o-mini"
api_key_env = "OPENAI_API_KEY"
timeout_s = 8.0
[[generators]]
name = "extractive"
kind = "extractive"
"""


def loaded(tmp_path: Path, text: str, **variables: str) -> Settings:
    file = tmp_path / "ha_rag.toml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return load_settings(file, variables)


def problems(tmp_path: Path, text: str, **variables: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, text, **variables)
    return refused.value.problems


def test_a_complete_file_is_loaded(tmp_path):
    settings = loaded(tmp_path, DESIGN, OPENAI_API_KEY="sk-1")

    assert [embedder.name for embedder in settings.embedders] == ["primary", "secondary"]
    assert settings.circuits["embedder.primary"].policy.recovery_timeout_s == 5.0
    assert settings.circuits["generator.primary"].policy.recovery_timeout_s == 10.0
    assert settings.api_keys_of["generator.primary"].reveal() == "sk-1"
    assert settings.warnings == ()


def test_without_a_file_the_components_inside_the_process_are_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    settings = load_settings(variables={})

    assert settings.source is None
    assert [embedder.kind for embedder in settings.embedders] == ["local", "hashing"]
    assert [retriever.kind for retriever in settings.retrievers] == ["local", "reduced", "lexical"]
    assert [generator.kind for generator in settings.generators] == ["extractive"]


def test_an_empty_file_gives_the_defaults(tmp_path):
    assert loaded(tmp_path, "").server.port == 8000


def test_circuits_of_services_are_shared_and_those_of_in_process_kinds_are_not(tmp_path):
    circuits = loaded(tmp_path, DESIGN).circuits

    assert {name: circuit.scope for name, circuit in circuits.items()} == {
        "embedder.primary": "fleet",
        "embedder.secondary": "replica",
        "retriever.primary": "replica",
        "retriever.reduced": "replica",
        "retriever.lexical": "replica",
        "generator.primary": "fleet",
        "generator.extractive": "replica",
    }


def test_a_components_own_scope_takes_precedence_over_the_general_table_and_the_kind(tmp_path):
    text = DESIGN.replace("shed = false", 'shed = false\nscope = "replica"').replace(
        "recovery_timeout_s = 5.0", 'recovery_timeout_s = 5.0\nscope = "fleet"'
    )
    circuits = loaded(tmp_path, text).circuits

    assert circuits["embedder.primary"].scope == "fleet"
    assert circuits["generator.primary"].scope == "replica"


def test_a_component_replaces_single_circuit_values_and_inherits_the_others(tmp_path):
    circuits = loaded(
        tmp_path, "[circuit]\nmin_samples = 9\nquorum = 2\n" + _local("[embedders.circuit]\nquorum = 3")
    ).circuits

    assert (circuits["embedder.a"].policy.min_samples, circuits["embedder.a"].policy.quorum) == (9, 3)
    assert circuits["retriever.primary"].policy.quorum == 2


def test_an_inherited_probe_timeout_is_reduced_to_a_shorter_recovery_timeout(tmp_path):
    text = "[circuit]\nprobe_timeout_s = 10.0\n" + _local("[embedders.circuit]\nrecovery_timeout_s = 5.0")

    assert loaded(tmp_path, text).circuits["embedder.a"].policy.probe_timeout_s == 5.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[server]\nport = 80000", "server.port = 80000: must be at most 65535"),
        ("[server]\nport = -1", "server.port = -1: must be at least 0"),
        ('[server]\nport = "8000"', 'server.port = "8000": must be a whole number'),
        ("[server]\nport = 1.5", "server.port = 1.5: must be a whole number"),
        ("[server]\nport = true", "server.port = true: must be a whole number"),
        ("[server]\nhost = 1", "server.host = 1: must be a string"),
        ('[server]\nhost = ""', 'server.host = "": must not be empty'),
        ("[server]\nrequest_timeout_s = 0", "server.request_timeout_s = 0: must be above 0"),
        ("[server]\nrequest_timeout_s = nan", "server.request_timeout_s = nan: must be a finite number"),
        ("[server]\nrequest_timeout_s = inf", "server.request_timeout_s = inf: must be a finite number"),
        ("[server]\nprot = 1", "server.prot = 1: unknown key; did you mean port?"),
        ("[flete]\nx = 1", "flete = {x = 1}: unknown key; did you mean fleet?"),
        ("server = 3", "server = 3: must be a table, as in [server]"),
        ("embedders = []", "embedders = []: must not be empty; omit it to get the defaults"),
        ("[embedders]\nx = 1", "embedders = {x = 1}: must be a list of tables, as in [[embedders]]"),
        ("embedders = [1]", "embedders[0] = 1: must be a table, as in [[embedders]]"),
        ("[index]\npath = []", "index.path = []: must be a string"),
        ('[fleet]\nnamespace = "A b"', 'fleet.namespace = "A b": must be lower-case letters, digits, dots, dashes or '
         "underscores, starting with a letter or digit"),
        ("[circuit]\nprobes = 0", "circuit.probes = 0: must be a whole number from 1 to 1000000"),
        ("[circuit]\nshed = 1", "circuit.shed = 1: must be true or false"),
        ("[circuit]\nwindow = 1", "circuit.window = 1: unknown key; did you mean window_s?"),
        ('[circuit]\nscope = "all"', "circuit.scope = \"all\": must be 'fleet' or 'replica'"),
        ("circuit = 1", "circuit = 1: must be a table, as in [circuit]"),
    ],
)  # fmt: skip
def test_an_invalid_value_is_refused_with_path_value_and_rule(tmp_path, text, problem):
    assert problems(tmp_path, text) == (problem,)


@pytest.mark.parametrize(
    ("component", "problem"),
    [
        ('name = "a"', "embedders[0].kind: is required; must be one of 'openai', 'local', 'onnx', 'hashing'"),
        ('name = "a"\nkind = "magic"',
         "embedders[0].kind = \"magic\": must be one of 'openai', 'local', 'onnx', 'hashing'"),
        ('kind = "local"', "embedders[0].name: is required"),
        ('name = "A"\nkind = "local"', 'embedders[0].name = "A": must be lower-case letters, digits, dashes or '
         "underscores, starting with a letter or digit"),
        (f'name = "{"a" * 65}"\nkind = "local"', f'embedders[0].name = "{"a" * 65}": must have at most 64 characters'),
        ('name = "zero"\nkind = "local"',
         'embedders[0].name = "zero": is the name of a last resort in answers; choose another name'),
        ('name = "a"\nkind = "hashing"\ndimension = 4', "embedders[0].dimension = 4: must be at least 8"),
        ('name = "a"\nkind = "local"\nmodel = "x"',
         'embedders[0].model = "x": unknown key; the keys here are circuit, kind, name, timeout_s, weight'),
        ('name = "a"\nkind = "local"\n[embedders.circuit]\nprobes = 0',
         "embedders[0].circuit.probes = 0: must be a whole number from 1 to 1000000"),
        ('name = "a"\nkind = "openai"\nbase_url = "localhost"\nmodel = "m"\ndimension = 2',
         'embedders[0].base_url = "localhost": must be an http:// or https:// URL without spaces, ? or #'),
    ],
)  # fmt: skip
def test_an_invalid_component_is_refused_with_its_number(tmp_path, component, problem):
    assert problems(tmp_path, f"[[embedders]]\n{component}") == (problem,)


def test_all_problems_are_reported_at_once(tmp_path):
    text = """
        [server]
        port = 99999
        hots = "x"
        [circuit]
        quorum = 0
        [[embedders]]
        name = "a"
        kind = "local"
        [[embedders]]
        name = "a"
        kind = "hashing"
        [embedders.circuit]
        window = 3
    """
    found = problems(tmp_path, text, HA_RAG_LOG="xml")

    assert len(found) == 6
    wrong = (
        "server.port",
        "server.hots",
        "circuit.quorum",
        "embedders.name",
        "embedders[1].circuit.window",
        "HA_RAG_LOG",
    )
    assert all(any(problem.startswith(place) for problem in found) for place in wrong)


def test_two_components_with_one_name_are_refused(tmp_path):
    text = _local("") + _local("")

    assert problems(tmp_path, text) == (
        'embedders.name = "a": must be unique among the embedders, but is used 2 times',
    )


def test_the_same_name_may_be_used_in_two_lists(tmp_path):
    text = _local("") + '[[generators]]\nname = "a"\nkind = "extractive"'

    assert {"embedder.a", "generator.a"} <= set(loaded(tmp_path, text).circuits)


def test_a_syntax_error_is_reported_with_its_line(tmp_path):
    (problem,) = problems(tmp_path, "[server]\nport = \n")

    assert "is not valid TOML" in problem
    assert "line 2" in problem


def test_a_file_that_is_not_utf8_is_reported_with_the_line(tmp_path):
    file = tmp_path / "ha_rag.toml"
    file.write_bytes(b"[server]\nhost = '\xff'\n")

    with pytest.raises(ConfigurationError, match=r"is not UTF-8 text \(line 2\)"):
        load_settings(file, {})


def test_a_deeply_nested_file_is_refused_without_a_crash(tmp_path):
    (problem,) = problems(tmp_path, "a = " + "[" * 100_000)

    assert "is not valid TOML" in problem


@pytest.mark.parametrize(("name", "why"), [("missing.toml", "no such file"), ("", "cannot be read")])
def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(tmp_path, name, why):
    with pytest.raises(ConfigurationError, match=why):
        load_settings(tmp_path / name, {})


def test_a_huge_file_is_refused(tmp_path):
    (problem,) = problems(tmp_path, "# " + "x" * 1_000_001)

    assert "is larger than 1000000 bytes" in problem


def test_a_secret_in_the_file_is_refused_without_being_repeated(tmp_path):
    (problem,) = problems(tmp_path, _local('api_key = "sk-very-secret"'))

    assert "api_key = (hidden): unknown key" in problem


def _local(more: str) -> str:
    return f'[[embedders]]\nname = "a"\nkind = "local"\n{more}\n'


def test_what_chooses_the_tiers_is_the_order_of_the_lists_unless_the_file_says_quality(tmp_path: Path) -> None:
    file = tmp_path / "ha_rag.toml"
    file.write_text('[strategy]\nchoose = "quality"\n')
    assert load_settings(file, {}).strategy.choose == "quality"
    file.write_text("")
    assert load_settings(file, {}).strategy.choose == "order"
    file.write_text('[strategy]\nchoose = "best"\n')
    with pytest.raises(ConfigurationError, match=r'strategy.choose = "best": must be .order. or .quality.'):
        load_settings(file, {})
