"""A configuration that needs no service: one tier a stage, each inside the process."""

from __future__ import annotations

LOCAL_PIPELINE = """
[index]
path = "{index}"

[[embedders]]
name = "primary"
kind = "hashing"

[[retrievers]]
name = "primary"
kind = "lexical"

[[generators]]
name = "extractive"
kind = "extractive"
"""
