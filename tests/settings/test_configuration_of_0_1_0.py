"""A configuration that 0.1.0 accepts means the same to this version; the files that we ship mean the same to both."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from ha_rag.assembly.configuration import settings_of
from ha_rag.breaker.heartbeat import fingerprint
from ha_rag.settings import Settings, read_environment
from tests.version_0_1_0 import REPOSITORY, Version010

VARIABLES = {"HA_RAG_REPLICA": "a", "REDIS_PASSWORD": "not-a-real-one", "OPENAI_API_KEY": "not-a-real-one"}

OLD_CONTENT = """
import dataclasses, typing
from pydantic_core import PydanticUndefined
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.settings import shape

REQUIRED = {"base_url": "http://localhost:9100/v1", "model": "m", "dimension": 64}

def values(table):
    said = {name: info.get_default(call_default_factory=True) for name, info in table.model_fields.items()}
    return {name: value for name, value in said.items() if value not in (None, PydanticUndefined)}

def component(table):
    kind = typing.get_args(table.model_fields["kind"].annotation)[0]
    required = {name: REQUIRED[name] for name in table.model_fields if name in REQUIRED}
    return {**required, **values(table), "name": kind, "kind": kind, "circuit": given[0]}

def components(union):
    return [component(table) for table in typing.get_args(typing.get_args(union)[0])]

content = {name: values(getattr(shape, f"{name.title()}Table")) for name in ("fleet", "server", "index", "alerts")}
content["circuit"] = {f.name: f.default for f in dataclasses.fields(CircuitPolicy) if f.default is not None}
content["embedders"] = components(shape.EmbedderTable)
content["retrievers"] = components(shape.RetrieverTable)
content["generators"] = components(shape.GeneratorTable)
print(json.dumps(content))
"""
"""Every key that 0.1.0 knows, with its default where it has one."""

OLD_MEANING = """
from ha_rag.breaker.heartbeat import fingerprint
from ha_rag.settings import read_environment, settings_of

settings = settings_of(given[0], read_environment(given[1]))
print(json.dumps({
    "circuits": {name: [fingerprint(c.policy), c.scope] for name, c in settings.circuits.items()},
    "tables": {name: getattr(settings, name).model_dump() for name in ("server", "index", "alerts")},
    "components": [table.model_dump() for key in given[2] for table in getattr(settings, key)],
    "fleet": [settings.namespace, settings.replica, settings.redis_url_shown],
}))
"""

NEW_KEYS = {"encoding"}
"""Keys of these tables that 0.1.0 does not know."""
LISTS = ["embedders", "retrievers", "generators"]
SHIPPED = ["compose/openai.toml", "compose/simulated.toml", "deploy/kubernetes/base/ha_rag.toml"]


def meaning(settings: Settings) -> dict[str, Any]:
    """What `OLD_MEANING` prints, of this version."""
    told = {
        "circuits": {name: [fingerprint(c.policy), c.scope] for name, c in settings.circuits.items()},
        "tables": {
            name: getattr(settings, name).model_dump(exclude=NEW_KEYS) for name in ("server", "index", "alerts")
        },
        "components": [table.model_dump() for key in LISTS for table in getattr(settings, key)],
        "fleet": [settings.namespace, settings.replica, settings.redis_url_shown],
    }
    read: dict[str, Any] = json.loads(json.dumps(told))
    return read


def both_read(old: Version010, content: dict[str, Any]) -> dict[str, Any]:
    """What this version makes of a file, which must be what 0.1.0 makes of it."""
    read = meaning(settings_of(content, read_environment(VARIABLES)))
    told = old.run(OLD_MEANING, content, VARIABLES, LISTS)
    assert without_new_keys(read, told) == told
    return read


def without_new_keys(read: Any, told: Any) -> Any:
    """`read` without the keys that `told`, of the earlier version, does not have."""
    if isinstance(read, dict) and isinstance(told, dict):
        return {key: without_new_keys(value, told[key]) for key, value in read.items() if key in told}
    if isinstance(read, list) and isinstance(told, list) and len(read) == len(told):
        return [without_new_keys(*pair) for pair in zip(read, told, strict=True)]
    return read


@pytest.mark.parametrize(
    "circuit",
    [
        {},
        {"recovery_timeout_s": 7, "probes": 2, "slow_call_s": 0.5},
        {"scope": "replica", "window_s": 30, "shed": True},
    ],
    ids=str,
)
def test_a_file_with_every_key_of_0_1_0_means_the_same(version_0_1_0: Version010, circuit: dict[str, Any]) -> None:
    content = version_0_1_0.run(OLD_CONTENT, circuit)
    read = both_read(version_0_1_0, content)
    assert len(read["circuits"]) == sum(len(content[key]) for key in LISTS) >= 8


def test_a_file_with_nothing_in_it_means_the_same(version_0_1_0: Version010) -> None:
    both_read(version_0_1_0, {})


@pytest.mark.parametrize("file", SHIPPED)
def test_the_files_that_we_ship_mean_the_same_to_both_versions(version_0_1_0: Version010, file: str) -> None:
    """So a fleet can go back to 0.1.0 with them."""
    for folder in (REPOSITORY, version_0_1_0.folder):
        both_read(version_0_1_0, tomllib.loads((folder / file).read_text()))
