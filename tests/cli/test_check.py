"""`ha-rag check`: what is wrong, and how to mend it."""

from __future__ import annotations

import json

import pytest

SERVICE = """
[[generators]]
name = "cloud"
kind = "openai"
base_url = "{url}/v1"
model = "gpt"
api_key_env = "MY_KEY"
"""


def findings(result) -> dict[str, tuple[str, str, str]]:
    told = json.loads(result.stdout)["findings"]
    return {one["part"]: (one["verdict"], one["text"], one["mend"]) for one in told}


def test_the_defaults_are_well_but_for_the_index_that_is_not_there_yet(run):
    result = run("check", "--json")

    found = findings(result)
    assert result.exit_code == 0
    assert found["index"] == ("warning", "there is no index at .ha_rag yet", "ha-rag ingest FOLDER")
    assert {part for part, (verdict, *_) in found.items() if verdict == "ok"} == {
        "embedder.primary", "embedder.secondary", "retriever.primary", "retriever.reduced", "retriever.lexical",
        "generator.extractive", "redis",
    }  # fmt: skip


def test_after_an_ingest_all_is_well(run, own_folder):
    (own_folder / "a.md").write_text("# Circuits\n\nA circuit recovers by a probe.")
    assert run("ingest", "a.md").exit_code == 0

    result = run("check")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "all is well"


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "the key is wrong or missing; check api_key_env"),
        (402, "the service wants to be paid"),
        (403, "the key is wrong, or may not use this model"),
        (404, "the model or address does not exist"),
        (400, "if it refuses a field or the model's name, see request_model and extra_body"),
        (422, "if it refuses a field or the model's name, see request_model and extra_body"),
        (429, "the service limits its calls"),
        (500, "http://127.0.0.1"),
    ],
)
def test_a_service_that_refuses_is_a_problem_with_its_remedy(run, replica, own_folder, status, mend):
    (own_folder / "ha_rag.toml").write_text(SERVICE.format(url=replica.url))
    replica.replies["POST", "/v1/chat/completions"] = (status, {"error": {"message": "no"}})

    result = run("check", "--json")

    assert result.exit_code == 1
    verdict, _, told = findings(result)["generator.cloud"]
    assert (verdict, told.startswith(mend)) == ("problem", True)


def test_a_service_that_fails_is_not_said_to_be_out_of_reach(run, replica, own_folder):
    (own_folder / "ha_rag.toml").write_text(SERVICE.format(url=replica.url))
    replica.replies["POST", "/v1/chat/completions"] = (500, {"error": {"message": "no"}})

    _, _, mend = findings(run("check", "--json"))["generator.cloud"]

    assert mend == f"{replica.url}/v1 answers, but fails with 500: see its own log or status page"


def test_a_rest_that_is_longer_than_configured_is_a_warning_about_the_configuration(run, own_folder):
    (own_folder / "ha_rag.toml").write_text(
        SERVICE.format(url="http://127.0.0.1:9") + "timeout_s = 30\n[circuit]\nrecovery_timeout_s = 5\n"
    )

    verdict, text, mend = findings(run("check", "--json"))["configuration"]

    assert verdict == "warning"
    assert "the circuit stays open for 31 s" in text
    assert mend == "nothing breaks; to say the same, set recovery_timeout_s = 31, or shorten its timeout_s"


def test_a_key_that_is_not_set_is_a_warning_for_a_service_elsewhere(run, own_folder):
    (own_folder / "ha_rag.toml").write_text(SERVICE.format(url="http://127.0.0.2:9"))

    verdict, text, _ = findings(run("check", "--json"))["environment"]

    assert verdict == "warning"
    assert "MY_KEY" in text


def test_a_place_where_no_index_can_be_kept_is_a_problem_with_its_remedy(run, own_folder):
    (own_folder / "file").write_text("")
    (own_folder / "ha_rag.toml").write_text('[index]\npath = "file/index"\n')

    result = run("check")

    assert result.exit_code == 1
    assert "cannot write an index to file/index: " in result.stdout
    assert "change index.path" in result.stdout


def test_a_folder_without_permission_is_a_problem(run, own_folder, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere

    result = run("check")

    assert result.exit_code == 1
    assert f"no permission to write to {own_folder}" in result.stdout


def test_a_service_that_answers_is_well(run, replica, own_folder):
    (own_folder / "ha_rag.toml").write_text(SERVICE.format(url=replica.url))
    message = {"role": "assistant", "content": "By a probe [1]."}
    reply = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    replica.replies["POST", "/v1/chat/completions"] = (200, reply)

    assert findings(run("check", "--json"))["generator.cloud"][0] == "ok"


def test_redis_away_is_a_problem_and_its_password_is_not_shown(run, monkeypatch):
    monkeypatch.setenv("HA_RAG_REDIS_URL", "redis://:hunter2@127.0.0.1:9/0")

    result = run("check", "--json")

    verdict, text, mend = findings(result)["redis"]
    assert (result.exit_code, verdict) == (1, "problem")
    assert "cannot be reached" in text
    assert "replicas start without it" in mend
    assert "hunter2" not in result.stdout + result.stderr


def test_redis_there_is_well_and_nothing_is_left_behind(run, monkeypatch, redis_server):
    monkeypatch.setenv("HA_RAG_REDIS_URL", redis_server.url)

    assert findings(run("check", "--json"))["redis"][:1] == ("ok",)


def test_a_wrong_file_is_refused_problem_by_problem(run, own_folder):
    (own_folder / "bad.toml").write_text('[server]\nport = 99999\n[circuit]\nprobs = 1\n[[embedders]]\nname = "a"')

    result = run("check", "--config", "bad.toml")

    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "ha-rag: server.port = 99999: must be at most 65535",
        "ha-rag: embedders[0].kind: is required; must be one of 'openai', 'local', 'onnx', 'hashing'",
        "ha-rag: circuit.probs = 1: unknown key; did you mean probes?",
    ]


@pytest.mark.parametrize("command", ["check", "serve", "up"])
def test_a_file_that_is_not_there_is_told_by_every_command(run, command):
    result = run(command, "--config", "nowhere.toml")

    assert (result.exit_code, result.stderr) == (2, "ha-rag: nowhere.toml: no such file\n")


@pytest.mark.parametrize("written", ["my-secret-key", "MY-SECRET-KEY", "bXktc2VjcmV0LWtleQ==", "my%2Dsecret-key"])
@pytest.mark.parametrize("status", [200, 401])
def test_a_key_that_a_service_repeats_in_its_answer_or_its_error_is_struck_out(
    run, replica, own_folder, monkeypatch, written, status
):
    monkeypatch.setenv("MY_KEY", "my-secret-key")
    (own_folder / "ha_rag.toml").write_text(SERVICE.format(url=replica.url))
    said = {"choices": [{"message": {"content": f"You sent {written}"}}], "error": {"message": f"wrong: {written}"}}
    replica.replies["POST", "/v1/chat/completions"] = (status, said)

    text = findings(run("check", "--json"))["generator.cloud"][1]

    assert "***" in text
    assert written not in text


def test_a_cache_without_redis_is_a_warning_with_its_remedy(run, own_folder):
    (own_folder / "ha_rag.toml").write_text("[cache]\n")

    assert findings(run("check", "--json"))["cache"] == (
        "warning",
        "[cache] has no effect: no Redis is configured to keep embeddings and answers in",
        "set HA_RAG_REDIS_URL or fleet.redis_url, or remove [cache]",
    )
