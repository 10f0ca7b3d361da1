"""docs/watching.md lists every metric with its type and labels, and no others."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ha_rag.breaker.report import OverrideReport
from ha_rag.events import CircuitChanged, LedgerLost, TierFellBack
from ha_rag.ledger.store.experiment import Told
from ha_rag.ledger.store.experiment_counts import ExperimentTally
from ha_rag.local_fleet.gathered_metrics import UP
from ha_rag.messages import AssignedArm
from ha_rag.telemetry.experiment_report import ComparedArm, Comparison, ExperimentReport, report
from ha_rag.telemetry.metrics import Gauges, Metrics
from ha_rag.telemetry.satisfaction import table
from tests.telemetry.test_metrics import CALM, REFUSED, answered

PAGE = Path(__file__).parents[2] / "docs" / "watching.md"
ROW = re.compile(r"^\| `(ha_rag_\w+)` \| (\w+) \| (.*?) \|", re.MULTILINE)


def shown_experiment() -> ExperimentReport:
    """An experiment of which enough was counted to say something."""
    tally = ExperimentTally()
    for n in range(40):
        tally.observe("1:1", "liked", n % 2, 1)
    compared = Comparison("trial", [ComparedArm("a", 1), ComparedArm("b", 1, {"generator": "b"})], 5.0)
    return report(Told(tally.fields), compared, "1:1")


def exported() -> dict[str, tuple[str, frozenset[str]]]:
    """Every metric of a replica: name -> type and labels."""
    metrics = Metrics()
    metrics(answered(answered=False, experiment=AssignedArm("trial", "a", True)))
    metrics(LedgerLost(at_ms=1, reason="refused"))
    metrics(CircuitChanged(at_ms=1, circuit="c", previous_epoch=0, epoch=1, from_state="closed", to_state="open"))
    metrics(TierFellBack(at_ms=1, answer="a", stage="s", first="p", served_by="q", attempts=(REFUSED,)))
    metrics.requested("/v1/query", 200, 0.1)
    metrics.add_gauges(
        Gauges(
            circuits=lambda: [replace(CALM, override=OverrideReport("open", "maintenance", "op", None))],
            shared_state=lambda: "fresh",
            heard_ago_s=lambda: 0.5,
            commands=lambda: [("record", "ok", 1)],
            refused=lambda: [("message", 1)],
            cached=lambda: [("answers", "hit", 1)],
            satisfaction=lambda: table({f"degradation:{of}": {"up": 2, "down": 1} for of in ("none", "any")}),
            experiment=shown_experiment,
        )
    )
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
        )
        for family in families
    }


def test_there_are_no_created_series():
    assert not [name for name in exported() if name.endswith("_created")]


def test_the_page_lists_every_metric_and_no_others():
    rows = ROW.findall(PAGE.read_text())
    listed = {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}

    assert listed == exported() | {UP: ("gauge", frozenset({"replica"}))}
