"""The default window of a circuit, and recovery timeouts that are shorter than a probe."""

from __future__ import annotations

from pathlib import Path

from ha_rag.assembly.configuration import load_settings

GENERATOR = """
[[generators]]
name = "primary"
kind = "openai"
base_url = "http://localhost:9100/v1"
model = "m"
timeout_s = 8.0
"""


def circuit(tmp_path: Path, text: str):
    file = tmp_path / "ha_rag.toml"
    file.write_text(text)
    return load_settings(file, {}).circuits["generator.primary"].policy


def test_the_window_of_a_slow_service_holds_enough_consecutive_timeouts(tmp_path):
    assert circuit(tmp_path, GENERATOR).window_s == 48.0


def test_a_configured_window_is_not_changed(tmp_path):
    assert circuit(tmp_path, GENERATOR + "[generators.circuit]\nwindow_s = 20.0\n").window_s == 20.0
    assert circuit(tmp_path, "[circuit]\nwindow_s = 30.0\n" + GENERATOR).window_s == 30.0


def test_a_fast_service_has_the_default_window(tmp_path):
    assert circuit(tmp_path, GENERATOR.replace("8.0", "1.0")).window_s == 10.0


def test_a_recovery_timeout_shorter_than_a_probe_is_extended_with_a_warning(tmp_path):
    file = tmp_path / "ha_rag.toml"
    file.write_text(GENERATOR + "[generators.circuit]\nrecovery_timeout_s = 5.0\n")
    (warning,) = load_settings(file, {}).warnings
    assert "generator.primary: recovery_timeout_s = 5" in warning
    assert "stays open for 9 s" in warning
