"""Prometheus's rules and Grafana's dashboard: words that Prometheus reads, of metrics that replicas really have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ha_rag.telemetry.metrics import Gauges, Metrics
from tests.monitor.reports import PAYMENTS

FOLDER = Path(__file__).parents[2] / "compose" / "observability"
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "ha_rag.json").read_text())
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]


@pytest.fixture(scope="module")
def offered() -> dict[str, set[str]]:
    """Sample name -> its labels, of everything that a replica can tell."""
    metrics = Metrics()
    metrics.add_gauges(
        Gauges(
            circuits=lambda: [PAYMENTS],
            shared_state=lambda: "fresh",
            heard_ago_s=lambda: 0.1,
            commands=lambda: [("record", "taken", 1)],
        )
    )
    families = text_string_to_metric_families(metrics.text().decode())
    return {family.name: {label for s in family.samples for label in s.labels} for family in families}


def names(expression: str) -> set[str]:
    return set(re.findall(r"\bha_rag_[a-z_]+", expression))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_prometheus_reads_it(expression: str) -> None:
    promql_parser.parse(expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_replicas_have_what_it_asks_for(expression: str, offered: dict[str, set[str]]) -> None:
    known = {suffixed for name in offered for suffixed in (name, f"{name}_total", f"{name}_bucket")}
    assert names(expression) <= known


def test_every_panel_has_a_place_of_its_own_and_a_unit() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_every_rule_says_what_is_wrong_in_a_sentence() -> None:
    for rule in RULES:
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["for"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (apt-get install prometheus)")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", str(Path(__file__).with_name("alerts_test.yml"))),
    ],
    ids=["config", "rules", "what the rules tell of, and what not"],
)
def test_prometheus_own_tool_takes_it(words: tuple[str, ...]) -> None:
    done: Any = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
