"""`ha-rag break` and `ha-rag mend`: the simulated provider, told to fail."""

from __future__ import annotations

import pytest

CONFIG = """
[[embedders]]
name = "cloud"
kind = "openai"
base_url = "{url}/v1"
model = "m"
dimension = 8
"""


@pytest.mark.parametrize(("circuit", "target"), [("embedder.primary", "embeddings"), ("generator.primary", "chat")])
def test_breaking_a_circuit_breaks_its_service(run, replica, circuit, target):
    replica.replies["PUT", f"/faults/{target}"] = (200, {})

    result = run("break", circuit, "--mode", "slow", "--rate", "0.5", "--for", "30", "--provider", replica.url)

    assert result.exit_code == 0
    assert replica.seen[0][3] == {"mode": "slow", "rate": 0.5, "for_s": 30.0}
    assert result.stdout == f"{circuit}: {target} now fails (slow, 50 % of calls) for 30 s\n"


def test_without_a_time_it_says_how_to_end_it(run, replica):
    replica.replies["PUT", "/faults/chat"] = (200, {})

    result = run("break", "generator.primary", "--provider", replica.url)

    assert result.stdout.endswith("until: ha-rag mend generator.primary\n")


def test_the_address_is_the_one_of_the_configuration(run, replica, own_folder):
    (own_folder / "ha_rag.toml").write_text(CONFIG.format(url=replica.url))
    replica.replies["PUT", "/faults/embeddings"] = (200, {})

    assert run("break", "embedder.cloud").exit_code == 0


def test_a_circuit_that_the_configuration_does_not_have_is_told_with_those_there_are(run, replica, own_folder):
    (own_folder / "ha_rag.toml").write_text(CONFIG.format(url=replica.url))

    result = run("break", "embedder.primary")

    assert result.exit_code == 2
    assert "the simulated ones are embedder.cloud" in result.stderr


@pytest.mark.parametrize("circuit", ["retriever.primary", "embedder", "x", "embedder.secondary"])
def test_what_is_no_service_cannot_be_broken(run, circuit):
    assert run("break", circuit).exit_code == 2


@pytest.mark.parametrize("words", [["--rate", "1.5"], ["--mode", "explode"], ["--for", "0"]])
def test_an_impossible_fault_is_a_usage_error(run, words):
    assert run("break", "embedder.primary", *words).exit_code == 2


@pytest.mark.parametrize(("words", "path"), [([], "/faults"), (["embedder.primary"], "/faults/embeddings")])
def test_mending_ends_one_fault_or_all(run, replica, words, path):
    replica.replies["DELETE", path] = (200, {})

    result = run("mend", *words, "--provider", replica.url)

    assert (result.exit_code, replica.seen[0][:2]) == (0, ("DELETE", path))


def test_without_a_simulated_provider_it_says_who_starts_one(run):
    result = run("break", "embedder.primary", "--provider", "http://127.0.0.1:9")

    assert result.exit_code == 1
    assert "ha-rag up without a configuration starts the simulated provider" in result.stderr
