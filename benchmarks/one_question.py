"""The question that benchmarks ask, and the configuration of a replica that makes two calls for it: embed, generate."""

from __future__ import annotations

QUESTION = {"question": "How does a circuit recover?"}

CONFIGURATION = """\
[fleet]
redis_url = "{redis_url}"
[index]
path = "{index}"
[[embedders]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "text-embedding-3-small"
dimension = 256
[[retrievers]]
name = "primary"
kind = "local"
[[generators]]
name = "primary"
kind = "openai"
base_url = "{provider}/v1"
model = "gpt-4o-mini"
"""
