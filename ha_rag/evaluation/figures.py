"""Figures: what the records of all questions come to, by plan, by generator and by component."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from ha_rag.evaluation.candidates import NONE, Candidates
from ha_rag.evaluation.datasets import JudgedQuestion
from ha_rag.evaluation.measures import MRR, NDCG, RECALL, RECALL_OF_ANSWERS, percentile, ranking_figures
from ha_rag.evaluation.measuring import Record
from ha_rag.profiles.profile import AnswerFigures, CallTime, PlanFigures

Plan = tuple[str, str, str]


def plan_figures(
    candidates: Candidates, questions: Sequence[JudgedQuestion], records: Mapping[str, Record]
) -> tuple[PlanFigures, ...]:
    """The figures of every plan, the best first. A plan without a retriever finds nothing."""
    of_plan: dict[Plan, dict[str, Record]] = {}
    for question, record in records.items():
        for plan in record["plans"]:
            of_plan.setdefault((plan["embedder"], plan["retriever"], plan["reranker"]), {})[question] = plan
    judged = {question.id: question.relevant for question in questions if question.relevant}
    measured = [_measured(plan, judged, questions, found) for plan, found in of_plan.items()]
    blind = [PlanFigures(embedder, NONE, NONE, 0.0, 0.0, 0.0, 0.0, ()) for embedder in candidates.embedders]
    return (*sorted(measured, key=lambda plan: -plan.ndcg), *blind)


def _measured(
    plan: Plan,
    judged: Mapping[str, Mapping[str, int]],
    questions: Sequence[JudgedQuestion],
    found: Mapping[str, Record],
) -> PlanFigures:
    values = ranking_figures(judged, {question: record["documents"] for question, record in found.items()})
    rounded = {name: round(value, 4) for name, value in values.items()}
    answers = _answers(questions, found)
    ndcg, recall_at_3, recall_at_10, mrr = (rounded[name] for name in (NDCG, RECALL_OF_ANSWERS, RECALL, MRR))
    time = _time([record["ms"] for record in found.values()])
    return PlanFigures(*plan, ndcg, recall_at_3, recall_at_10, mrr, answers, time)


def _answers(questions: Sequence[JudgedQuestion], found: Mapping[str, Record]) -> tuple[AnswerFigures, ...]:
    if not any("answers" in plan for plan in found.values()):
        return ()
    possible = [found[question.id]["answers"] for question in questions if question.gold]
    impossible = [found[question.id]["answers"] for question in questions if question.impossible]
    return tuple(_of_generator(name, possible, impossible) for name in (possible or impossible or [{}])[0])


def _of_generator(name: str, possible: Sequence[Record], impossible: Sequence[Record]) -> AnswerFigures:
    return AnswerFigures(
        generator=name,
        gold=_mean(record[name]["gold"] for record in possible) or 0.0,
        words=round(_mean(record[name]["words"] for record in possible) or 0.0, 1),
        refused=_mean(record[name]["refused"] for record in possible) or 0.0,
        refused_rightly=_mean(record[name]["refused"] for record in impossible),
        time=_time([record[name]["ms"] for record in (*possible, *impossible)]),
    )


def _mean(values: Iterable[float]) -> float | None:
    listed = [float(value) for value in values]
    return round(statistics.fmean(listed), 4) if listed else None


def call_times(records: Iterable[Record]) -> dict[str, CallTime]:
    """Circuit -> how long its calls took."""
    by_circuit: dict[str, list[float]] = {}
    for record in records:
        for circuit, times in record["ms"].items():
            by_circuit.setdefault(circuit, []).extend(times)
    return {circuit: _time(times) for circuit, times in by_circuit.items()}


def _time(times: Sequence[float]) -> CallTime:
    return CallTime(round(percentile(times, 0.5), 3), round(percentile(times, 0.95), 3))
