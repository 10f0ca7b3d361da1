"""The figures shipped with ha_rag, by kinds of components: what answers carry where nothing was measured.

`python -m benchmarks.shipped_quality` makes the file beside this one. A kind that calls a service was not measured,
because which model answers there is not known: another kind stands in for it, and the name of the data says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import product

from ha_rag.messages import ComponentType
from ha_rag.profiles.profile import METRIC, ComponentMark, QualityProfile, profile_from
from ha_rag.strategy.last_resort import NAMES
from ha_rag.strategy.quality import Plan, QualityTable, Served

EMBEDDER, RETRIEVER = ComponentType.EMBEDDER, ComponentType.RETRIEVER
RERANKER, GENERATOR = ComponentType.RERANKER, ComponentType.GENERATOR
STAGES = (EMBEDDER, RETRIEVER, RERANKER, GENERATOR)
STAND_INS: Mapping[tuple[ComponentType, str], str] = {
    (EMBEDDER, "openai"): "onnx",
    (RERANKER, "http"): "local",
    (GENERATOR, "openai"): "extractive",
}
"""(type, kind) -> the measured kind that comes nearest."""
FALLBACKS: Mapping[ComponentType, str] = {
    EMBEDDER: "zero",
    RETRIEVER: "lexical",
    RERANKER: "none",
    GENERATOR: "extractive",
}
"""For kinds that this project does not know: as if the stage added nothing to search by words and to quoting."""


@cache
def shipped_profile() -> QualityProfile:
    """The file's content; its tiers are named by their kinds."""
    return profile_from(files(__package__).joinpath("shipped.json").read_bytes())


def shipped_table(components: Mapping[str, ComponentMark]) -> QualityTable:
    """The shipped figures for these components. `components`: circuit -> what it is."""
    of_kinds = shipped_profile().table()
    *searching, generators = [list(_kinds(type_, components)) for type_ in STAGES]
    figures: dict[tuple[str, str] | Plan, float] = {}
    answers: dict[Served, float] = {}
    for plan in product(*searching):
        (embedder, _), (retriever, _), (reranker, _) = plan
        kinds = _measured_plan(*(kind for _, kind in plan))
        figures[embedder, retriever, reranker] = of_kinds.figures[kinds]
        for generator, kind in generators:
            if retriever != NAMES[RETRIEVER]:
                answers[embedder, retriever, reranker, generator] = of_kinds.answers[*kinds, kind]
    told = "; ".join(_instead(components))
    name = of_kinds.measured_on + (f", {told}" if told else "")
    return QualityTable(METRIC, figures, answers, measured_on=name, source="shipped")


def _measured_plan(embedder: str, retriever: str, reranker: str) -> Plan:
    """Without a retriever nothing is there to be reranked."""
    return embedder, retriever, NAMES[RERANKER] if retriever == NAMES[RETRIEVER] else reranker


def _kinds(type_: ComponentType, components: Mapping[str, ComponentMark]) -> Iterator[tuple[str, str]]:
    """(tier, measured kind) of each tier of a stage, and of its last resort."""
    for circuit, mark in components.items():
        stage, _, name = circuit.partition(".")
        if stage == type_:
            yield name, _measured_kind(type_, mark.kind)
    yield NAMES[type_], NAMES[type_]


def _measured_kind(type_: ComponentType, kind: str) -> str:
    stand_in = STAND_INS.get((type_, kind), kind)
    return stand_in if stand_in in _measured_kinds(type_) else FALLBACKS[type_]


@cache
def _measured_kinds(type_: ComponentType) -> frozenset[str]:
    plans = shipped_profile().plans
    if type_ is GENERATOR:
        return frozenset(answer.generator for plan in plans for answer in plan.answers)
    return frozenset(getattr(plan, type_) for plan in plans)


def _instead(components: Mapping[str, ComponentMark]) -> list[str]:
    """What was measured in place of the kinds that were not measured themselves, stage by stage."""
    told: dict[str, None] = {}
    for type_ in STAGES:
        kinds = [mark.kind for circuit, mark in components.items() if circuit.partition(".")[0] == type_]
        for kind in kinds:
            if (stand_in := _measured_kind(type_, kind)) != kind:
                told[f"{stand_in} in place of {type_} {kind}"] = None
    return list(told)
