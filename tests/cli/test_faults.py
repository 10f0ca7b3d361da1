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


@pytest.mark.parametrize(
    ("circuit", "target"),
    [("embedder.primary", "embeddings"), ("reranker.primary", "rerank"), ("generator.primary", "chat")],
)
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


MENDED = [
    ([], "/faults", "no simulated service fails any more; an open circuit closes once "),
    (
        ["embedder.primary"],
        "/faults/embeddings",
        "embedder.primary: embeddings no longer fails; an open circuit ",
    ),
]


@pytest.mark.parametrize(("words", "path", "said"), MENDED)
def test_mending_ends_one_fault_or_all(run, replica, words, path, said):
    replica.replies["DELETE", path] = (200, {})

    result = run("mend", *words, "--provider", replica.url)

    assert (result.exit_code, replica.seen[0][:2]) == (0, ("DELETE", path))
    assert result.stdout.startswith(said)


def test_without_a_simulated_provider_it_says_who_starts_one(run):
    result = run("break", "embedder.primary", "--provider", "http://127.0.0.1:9")

    assert result.exit_code == 1
    assert "ha-rag up without a configuration starts the simulated provider" in result.stderr


def told(**fields: object) -> dict[str, object]:
    report = {"name": "embedder.primary", "state": "open", "override": None, "recovers_in_s": 4.23, "open_count": 1}
    return report | fields


CLOSINGS = [
    (told(), "embedder.primary closes in 4.2 s at the earliest: until then it is open"),
    (told(open_count=3, recovers_in_s=38.04), "closes in 38.0 s at the earliest (its opening no. 3 in a row: "),
    (told(recovers_in_s=None), "embedder.primary closes once its open time is over: "),
    (told(state="half_open", recovers_in_s=None), "is half-open: it closes once the next calls have succeeded"),
    (told(state="closed", recovers_in_s=None), "embeddings no longer fails; embedder.primary is closed\n"),
    (
        told(override={"mode": "open", "reason": "repairs", "by": "mia", "ends_in_s": None}),
        "embedder.primary is open by hand (repairs), until: ha-rag circuits auto embedder.primary",
    ),
    (
        told(override={"mode": "closed", "reason": "repairs", "by": "mia", "ends_in_s": 20.2}),
        "closed by hand (repairs), for 20 s more, or until: ha-rag circuits auto",
    ),
]


@pytest.mark.parametrize(("report", "said"), CLOSINGS)
def test_after_mending_it_is_said_when_the_circuit_closes(run, replica, report, said):
    replica.replies["DELETE", "/faults/embeddings"] = (200, {})
    replica.replies["GET", "/v1/circuits"] = (200, {"circuits": [report]})

    result = run("mend", "embedder.primary", "--provider", replica.url, "--url", replica.url)

    assert result.exit_code == 0
    assert said in result.stdout


def test_after_mending_all_only_simulated_services_that_are_not_closed_are_named(run, replica):
    circuits = [
        told(name="generator.primary"),
        told(name="embedder.primary", state="closed", recovers_in_s=None),
        told(name="payments"),
    ]
    replica.replies["DELETE", "/faults"] = (200, {})
    replica.replies["GET", "/v1/circuits"] = (200, {"circuits": circuits})

    result = run("mend", "--provider", replica.url, "--url", replica.url)

    assert "generator.primary closes in" in result.stdout
    assert "embedder.primary" not in result.stdout
    assert "payments" not in result.stdout


def test_a_replica_that_was_named_and_does_not_answer_is_said(run, replica):
    replica.replies["DELETE", "/faults"] = (200, {})

    result = run("mend", "--provider", replica.url, "--url", "http://127.0.0.1:1")

    assert result.exit_code == 1
    assert "nothing answers at http://127.0.0.1:1" in result.stderr
