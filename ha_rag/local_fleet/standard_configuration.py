"""The default configuration of `ha-rag up`: the simulated provider first, then tiers inside the process."""

from __future__ import annotations

_TEMPLATE = """\
{fleet}[[embedders]]
name = "primary"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
model = "{embedding_model}"
dimension = {dimension}
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

[[retrievers]]
name = "lexical"
kind = "lexical"

[[generators]]
name = "primary"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
model = "{chat_model}"
timeout_s = 8.0

[[generators]]
name = "extractive"
kind = "extractive"
"""


def standard_configuration(provider_port: int, redis_url: str | None = None) -> str:
    """The TOML of that fleet; the simulated provider listens on 127.0.0.1:`provider_port`.

    `redis_url`: of the fleet's own Redis; None: the environment names one, perhaps with a password.
    """
    fleet = "" if redis_url is None else f'[fleet]\nredis_url = "{redis_url}"\n\n'
    return _TEMPLATE.format(
        fleet=fleet,
        port=provider_port,
        embedding_model="text-embedding-3-small",
        dimension=256,
        chat_model="gpt-4o-mini",
    )
