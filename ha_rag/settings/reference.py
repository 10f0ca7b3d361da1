"""docs/configuration.md, written from the shape of the file, so that the two cannot part."""

from __future__ import annotations

import json
import typing
from dataclasses import fields

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.settings import shape
from ha_rag.settings.environment import VARIABLES

_KINDS: dict[str, tuple[type[shape.ComponentTable], ...]] = {
    "embedders": (shape.OpenAIEmbedderTable, shape.LocalEmbedderTable, shape.HashingEmbedderTable),
    "retrievers": (shape.LocalRetrieverTable, shape.ReducedRetrieverTable, shape.LexicalRetrieverTable),
    "generators": (shape.OpenAIGeneratorTable, shape.ExtractiveGeneratorTable),
}
_CIRCUIT = {
    "failure_threshold": "The share of calls in the window that must fail for the circuit to open.",
    "slow_call_s": 'A call longer than this is slow. "auto": longer than three times what 99 of 100 calls took lately '
    "(at least 0.25 s, at most half of the timeout), once there were 100 good ones; 0 switches slowness off.",
    "slow_threshold": "The share of slow calls in the window that opens the circuit.",
    "min_samples": "Calls the window must hold before it is judged at all.",
    "window_s": "The length of the rolling window. Absent: 10, or long enough for `min_samples` timeouts of the "
    "component in a row and one more.",
    "blip_s": "A complete failure shorter than this is a blip, and opens nothing. One that lasts opens the circuit as "
    "soon as failures outweigh successes by 14 calls, however many old successes the window holds. `window_s` or more: "
    "the window alone decides.",
    "recovery_timeout_s": "How long the circuit stays open the first time.",
    "recovery_backoff": "Each failed recovery makes the next rest this many times longer.",
    "recovery_timeout_max_s": "The longest rest.",
    "probes": "Probes at a time while half-open, over the whole fleet.",
    "probe_successes": "Good probes that close the circuit.",
    "quorum": "Replicas that must see the failures; 1: one replica's failures open it for all.",
    "probe_timeout_s": "The longest a probe of a call without a timeout of its own may take; at most "
    "`recovery_timeout_s`, to which an inherited one is cut. Absent: 10, or `recovery_timeout_s` if shorter.",
    "throttle_max_s": "The longest rest that a service may ask for (429, or 503 with Retry-After).",
    "flush_interval_s": "How often outcomes are reported to Redis; failures go at once.",
    "ramp_s": "After closing, 10, 25, 50 and 100 % of calls pass in the quarters of this time; 0: all at once.",
    "shed": "Refuse in proportion to the failure rate before the circuit opens.",
    "retries": "How often a call that failed for reasons that may pass (no connection, a 5xx) is tried again; 0: off.",
    "retry_budget": "Retries are at most this share of the tier's calls ...",
    "retry_budget_per_s": "... and so many a second more. There are none unless the circuit is closed.",
}
_HEAD = """# Configuration

Everything has a default: without a file, ha_rag answers from the tiers inside the process. A file is one TOML file,
named by `--config`, else by `HA_RAG_CONFIG`, else `./ha_rag.toml`. The environment beats the file, and secrets come
from the environment only. `ha-rag check` says what is wrong with a file, and tries every component once.

Unknown keys, wrong types and impossible values are refused at start, all at once, each with the key's path, its value
and the rule:

```
server.prot = 80: is no key here; did you mean port?
circuit.failure_threshold = 50: must be above 0 and at most 1 (a share, not a percentage)
embedders[0].model: is missing and has no default
```

This page is written by `python -m ha_rag.settings.reference > docs/configuration.md`; a test holds it to the code.
"""
_COMPONENTS = """## Components: `[[embedders]]`, `[[retrievers]]`, `[[generators]]`

List order is fallback order: the first that can answer serves. Names must differ within a list. The zero vector, no
passages and a plain sentence are the last resorts behind every list; they have no circuit and cannot fail.

Without a list of your own, its default stands:

{defaults}
"""
_CIRCUIT_HEAD = """## `[circuit]`, `[embedders.circuit]`, `[retrievers.circuit]`, `[generators.circuit]`

The rules of the circuits. `[circuit]` holds for every component; a component's own table changes them for it alone.
"""


def reference() -> str:
    """The page, as Markdown."""
    defaults = shape.ConfigurationFile()
    tables: list[tuple[str, type[BaseModel]]] = [
        ("fleet", shape.FleetTable),
        ("server", shape.ServerTable),
        ("index", shape.IndexTable),
        ("alerts", shape.AlertsTable),
    ]
    parts = [_HEAD, *(_section(f"`[{name}]`", table) for name, table in tables), _components(defaults)]
    parts += [_CIRCUIT_HEAD + "\n" + _circuit_table(), _environment(), _example()]
    return "\n".join(parts)


def _section(title: str, table: type[BaseModel]) -> str:
    return f"## {title}\n\n{table.__doc__}\n\n" + _keys(table, set())


def _components(defaults: shape.ConfigurationFile) -> str:
    said = "\n".join(f"- {key}: {_named(getattr(defaults, key))}" for key in _KINDS)
    common = _keys(shape.ComponentTable, set())
    kinds = [
        f"### `[[{key}]]` with `kind = {json.dumps(_kind(table))}`\n\n{table.__doc__} "
        f"Its circuit is the {table.scope}'s.\n\n{_keys(table, _shared(table))}"
        for key, tables in _KINDS.items()
        for table in tables
    ]
    return "\n".join([_COMPONENTS.format(defaults=said), f"Every component has:\n\n{common}", *kinds])


def _named(components: list[typing.Any]) -> str:
    return ", ".join(f"`{component.name}` ({component.kind})" for component in components)


def _kind(table: type[BaseModel]) -> str:
    return str(typing.get_args(table.model_fields["kind"].annotation)[0])


def _shared(table: type[BaseModel]) -> set[str]:
    common = shape.ComponentTable.model_fields
    same = {name for name in common if table.model_fields[name].default == common[name].default}
    return same | {"kind"}


def _keys(table: type[BaseModel], without: set[str]) -> str:
    rows = [_row(name, info) for name, info in table.model_fields.items() if name not in without]
    return _table("key", rows) if rows else "No keys of its own.\n"


def _row(name: str, info: FieldInfo) -> tuple[str, str, str]:
    return name, _default(info), info.description or ""


def _default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "(required)" if info.default_factory is None else "`{}`"
    return "(absent)" if info.default is None else f"`{json.dumps(info.default)}`"


def _table(what: str, rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| {what} | default | meaning |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {default} | {text} |" for name, default, text in rows)]) + "\n"


def _circuit_table() -> str:
    rows = [(field.name, _circuit_default(field.default), _CIRCUIT[field.name]) for field in fields(CircuitPolicy)]
    scope = '`"fleet"`: shared through Redis. `"replica"`: this process\'s own. Default by kind, as said above.'
    return _table("key", [*rows, ("scope", "by kind", scope)])


def _circuit_default(value: object) -> str:
    return "(absent)" if value is None else f"`{json.dumps(value)}`"


def _environment() -> str:
    rows = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items())
    return f"## Environment\n\n| variable | meaning |\n|---|---|\n{rows}\n\nAn empty variable counts as unset.\n"


def _example() -> str:
    return f"## A whole file\n\n```toml\n{EXAMPLE}```\n"


EXAMPLE = """\
[fleet]
redis_url = "redis://localhost:6379/0"
redis_password_env = "REDIS_PASSWORD"

[circuit]
min_samples = 10

[[embedders]]
name = "primary"
kind = "openai"
base_url = "https://api.openai.com/v1"
model = "text-embedding-3-small"
dimension = 256
api_key_env = "OPENAI_API_KEY"
timeout_s = 1.0
[embedders.circuit]
recovery_timeout_s = 5.0

[[embedders]]
name = "secondary"
kind = "local"

[[generators]]
name = "primary"
kind = "openai"
base_url = "https://api.openai.com/v1"
model = "gpt-4o-mini"

[[generators]]
name = "extractive"
kind = "extractive"
"""

if __name__ == "__main__":
    print(reference(), end="")
