"""The quality to expect of an answer, in words: how good its tiers are by measure, and who measured that on what.

`ha-rag ask` and the terminal say it like this; `dashboards/web/quality.js` says the same on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEASURES = {"ndcg@10": "nDCG@10"}


def quality_lines(quality: Mapping[str, Any] | None) -> list[str]:
    """Lines about `quality` as answers carry it; none without figures, as from replicas of 0.1.0."""
    if not quality:
        return []
    lines = [f"quality to expect: {_search(quality)}{_texts(quality.get('answers'))}"]
    source = measured_by(quality)
    return [*lines, source] if source else lines


def measured_by(quality: Mapping[str, Any]) -> str:
    """Who measured the figures on what, as a sentence; "" if that is not known."""
    data = quality.get("measured_on") or "data without a name"
    return {
        "profile": f"measured by ha-rag evaluate with {data}, on these documents",
        "shipped": (
            f"measured by the authors of ha_rag with {data}, not on your documents: ha-rag evaluate measures yours"
        ),
        "given": f"given by the program that runs this replica, measured with {data}",
    }.get(str(quality.get("source", "")), "")


def _search(quality: Mapping[str, Any]) -> str:
    metric = MEASURES.get(quality["metric"], quality["metric"])
    return f"search {quality['expected']:.3f}, at best {quality['best']:.3f} ({metric})"


def _texts(answers: Mapping[str, Any] | None) -> str:
    if not answers:
        return ""
    return f"; {100 * answers['expected']:.0f} % of answers with the right words, at best {100 * answers['best']:.0f} %"
