"""`ha-rag circuits`: looking, and saying what a circuit is to do."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from ha_rag.cli.circuit_table import circuit_table, state_words
from ha_rag.cli.circuit_table import why as why_words
from tests.hostile_text import HOSTILE, SHOWN, assert_harmless

CALM: dict[str, Any] = {
    "name": "embedder.primary", "state": "closed", "override": None, "epoch": 0, "failure_rate": 0.0, "slow_rate": 0.0,
    "samples": 0, "recovers_in_s": None, "reason": "", "opened_by": "", "voters": [], "open_count": 0,
    "changed_at": None, "scope": "fleet", "here": None,
}  # fmt: skip
OPEN = {**CALM, "state": "open", "failure_rate": 0.8, "samples": 5, "recovers_in_s": 4.2, "reason": "4 of 5 failed"}
FORCED = {**OPEN, "override": {"mode": "open", "reason": "deploy", "by": "ann", "ends_in_s": 60.0}}
PATH = "/v1/circuits/embedder.primary"


def test_all_circuits_are_a_table(run, replica):
    other = {**CALM, "name": "generator.primary", "here": {"state": "half_open", "why": "overlay"}}
    replica.replies["GET", "/v1/circuits"] = (
        200,
        {"circuits": [OPEN, other], "shared_state": "fresh", "replica": "rag-1"},
    )

    replica.replies["GET", "/v1/fleet"] = (200, {"warnings": ["2 replicas are called rag-1"]})

    lines = [line.split() for line in run("circuits", "--url", replica.url).stdout.splitlines()]

    assert lines[1] == ["embedder.primary", "open", "80", "%", "5", "4.2", "s", "fleet", "4", "of", "5", "failed"]
    assert lines[2] == ["generator.primary", "closed,", "here", "half-open", "0", "%", "0", "fleet"]
    assert lines[3] == ["shared", "state:", "fresh;", "from", "rag-1"]
    assert lines[4] == ["2", "replicas", "are", "called", "rag-1"]


def test_json_is_given_as_it_came(run, replica):
    reply = {"circuits": [OPEN], "shared_state": "fresh", "replica": "rag-1"}
    replica.replies["GET", "/v1/circuits"] = (200, reply)

    assert json.loads(run("circuits", "list", "--json", "--url", replica.url).stdout) == reply


def test_one_circuit_is_shown_whole(run, replica):
    replica.replies["GET", PATH] = (200, FORCED)

    out = run("circuits", "show", "embedder.primary", "--url", replica.url).stdout

    assert "open (open by hand)" in out
    assert "deploy (ann, for 60 s more)" in out


@pytest.mark.parametrize(
    ("more", "state", "why"),
    [
        ({}, "open (open by hand)", "deploy (ann, for 60 s more)"),
        ({"unconfirmed": 0}, "open (open by hand)", "deploy (ann, for 60 s more)"),
        (
            {"unconfirmed": 1, "differing": [{"replica": "rag-2", "state": "half_open"}]},
            "open (open by hand)",
            "deploy (ann, for 60 s more); 1 other replica has not confirmed the override yet; rag-2: half-open there",
        ),
        (
            {"override": None, "state": "closed", "unconfirmed": 2},
            "closed",
            "2 other replicas have not confirmed the end of the override yet",
        ),
        (
            {"override": None, "here": {"state": "open", "why": "local"}},
            "open, decided here without Redis",
            "4 of 5 failed",
        ),
        (
            {"override": None, "state": "closed", "here": {"state": "open", "why": "overlay"}},
            "closed, here open",
            "",
        ),
    ],
)
def test_the_words_say_what_is_so(more, state, why):
    told = {**FORCED, **more}
    assert (state_words(told), why_words(told)) == (state, why)


def test_one_circuit_says_who_has_confirmed(run, replica):
    replica.replies["GET", PATH] = (200, {**FORCED, "unconfirmed": 0, "differing": []})

    out = run("circuits", "show", "embedder.primary", "--url", replica.url).stdout

    assert "by every replica" in out


@pytest.mark.parametrize(
    ("word", "mode"), [("open", "open"), ("close", "closed"), ("disable", "disabled"), ("shadow", "shadow")]
)
def test_an_override_is_put(run, replica, word, mode):
    replica.replies["PUT", f"{PATH}/override"] = (200, FORCED)

    result = run("circuits", word, "embedder.primary", "--reason", "deploy", "--for", "60", "--url", replica.url)

    assert result.exit_code == 0
    assert replica.seen[0][3] == {"mode": mode, "reason": "deploy", "for_s": 60.0}


def test_auto_gives_the_circuit_back(run, replica):
    replica.replies["DELETE", f"{PATH}/override"] = (200, CALM)

    result = run("circuits", "auto", "embedder.primary", "--url", replica.url)

    assert (result.exit_code, replica.seen[0][0]) == (0, "DELETE")


def test_an_action_without_a_name_is_a_usage_error_with_an_example(run):
    result = run("circuits", "open")

    assert result.exit_code == 2
    assert "as in: ha-rag circuits open embedder.primary" in result.stderr


def test_a_name_cannot_leave_its_place_in_the_path(run, replica):
    run("circuits", "show", "../fleet?x", "--url", replica.url)

    assert replica.seen[0][1] == "/v1/circuits/..%2Ffleet%3Fx"


def test_an_unknown_action_is_a_usage_error(run):
    assert run("circuits", "explode", "embedder.primary").exit_code == 2


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_name_is_broken_over_lines_in_a_narrow_terminal(width):
    forced = {**FORCED, "name": "generator.extractive", "override": {**FORCED["override"], "reason": "long " * 20}}
    written = io.StringIO()

    Console(file=written, width=width).print(circuit_table([OPEN, forced], width))

    lines = written.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    for word in ("embedder.primary ", "generator.extractive ", "recovers in", "hand)"):
        assert any(word in line for line in lines), word


def test_a_wide_terminal_has_room_for_everything():
    headers = [column.header for column in circuit_table([OPEN], 120).columns]

    assert headers == ["circuit", "state", "failures", "calls", "recovers in", "scope", "why"]


def test_one_circuit_is_shown_in_words(run, replica):
    replica.replies["GET", PATH] = (200, {**OPEN, "changed_at": 1.0, "open_count": 2})

    lines = [
        line.split() for line in run("circuits", "show", "embedder.primary", "--url", replica.url).stdout.splitlines()
    ]

    assert ["failures", "80", "%"] in lines
    assert ["opened", "2", "times", "in", "a", "row,", "without", "a", "long", "calm", "between"] in lines
    assert ["recovers", "in", "4.2", "s"] in lines
    assert any(line[:2] == ["changed", "at"] and line[2].startswith(("1969", "1970")) for line in lines)


def test_replicas_of_an_earlier_version_tell_no_warnings(run, replica):
    replica.replies["GET", "/v1/circuits"] = (200, {"circuits": [], "shared_state": "fresh", "replica": "rag-1"})
    replica.replies["GET", "/v1/fleet"] = (200, {"replicas": []})

    assert run("circuits", "--url", replica.url).exit_code == 0


def test_hostile_names_and_reasons_neither_forge_a_line_nor_turn_the_text(run, replica):
    hostile = {
        **OPEN, "name": HOSTILE, "reason": HOSTILE, "opened_by": HOSTILE, "voters": [HOSTILE], "scope": HOSTILE,
        "override": {"mode": HOSTILE, "reason": HOSTILE, "by": HOSTILE, "ends_in_s": None},
        "here": {"state": HOSTILE, "why": HOSTILE},
    }  # fmt: skip
    listed = {"circuits": [hostile], "shared_state": HOSTILE, "replica": HOSTILE}
    replica.replies["GET", "/v1/circuits"] = (200, listed)
    replica.replies["GET", "/v1/fleet"] = (200, {"warnings": [HOSTILE]})
    replica.replies["GET", PATH] = (200, hostile)
    replica.replies["PUT", f"{PATH}/override"] = (422, {"error": {"message": HOSTILE}})

    told = [
        run("circuits", "--url", replica.url),
        run("circuits", "show", "embedder.primary", "--url", replica.url),
        run("circuits", "--json", "--url", replica.url),
        run("circuits", "open", "embedder.primary", "--url", replica.url),
    ]

    for result in told:
        assert_harmless(result.stdout)
        assert_harmless(result.stderr)
    assert SHOWN in told[0].stdout
    assert json.loads(told[2].stdout) == listed
    assert told[3].stderr.startswith("ha-rag: <b>[red]x[/red]\\x1b[2J")
