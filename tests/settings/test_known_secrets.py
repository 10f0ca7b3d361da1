"""Which words of a process's settings must not stand in anything it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ha_rag.assembly.configuration import load_settings

FILE = """
[[embedders]]
name = "primary"
kind = "openai"
base_url = "https://api.openai.example/v1"
model = "m"
dimension = 2
api_key_env = "PROVIDER_KEY"
"""
SECRETS = {
    "HA_RAG_ADMIN_TOKEN": "admin-token-1",
    "HA_RAG_API_KEYS": "first-key-12,second-key-3",
    "PROVIDER_KEY": "sk-provider-key",
    "HA_RAG_REDIS_URL": "redis+sentinel://:r%2Fdis-password@h:1/mine?sentinel_password=sentinel-pass",
    "HA_RAG_ALERT_URLS": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ "
    "https://hooks.chat.example/services/B0123456789?to=alerts mailto://ann:mail-Password@mail.example",
}


@pytest.mark.parametrize(
    "secret",
    [
        "admin-token-1", "first-key-12", "second-key-3", "sk-provider-key", "r/dis-password", "sentinel-pass",
        "T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ", "B0123456789", "mail-Password",
    ],
)  # fmt: skip
def test_every_kind_of_secret_is_struck_out(tmp_path: Path, secret: str):
    (tmp_path / "ha_rag.toml").write_text(FILE)
    redactor = load_settings(tmp_path / "ha_rag.toml", SECRETS).redactor

    assert redactor.redacted(f"it said {secret}.") == "it said ***."


def test_hosts_and_plain_words_of_their_addresses_are_not(tmp_path: Path):
    (tmp_path / "ha_rag.toml").write_text(FILE)
    redactor = load_settings(tmp_path / "ha_rag.toml", SECRETS).redactor
    text = "https://hooks.chat.example/services and mail.example and api.openai.example:443, embedder.primary"

    assert redactor.redacted(text) == text
