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
from ha_rag.strategy.quality import Plan, QualityTable

EMBEDDER, RETRIEVER = ComponentType.EMBEDDER, ComponentType.RETRIEVER
RERANKER = ComponentType.RERANKER
SEARCHING = (EMBEDDER, RETRIEVER, RERANKER)
STAND_INS: Mapping[tuple[ComponentType, str], str] = {
    (EMBEDDER, "openai"): "onnx",
    (RERANKER, "http"): "local",
}
"""(type, kind) -> the measured kind that comes nearest."""
FALLBACKS: Mapping[ComponentType, str] = {EMBEDDER: "zero", RETRIEVER: "lexical", RERANKER: "none"}
"""For kinds that this project does not know: as if the stage added nothing to search by words."""


@cache
def shipped_profile() -> QualityProfile:
    """The file's content; its tiers are named by their kinds."""
    return profile_from(files(__package__).joinpath("shipped.json").read_bytes())


def shipped_table(components: Mapping[str, ComponentMark]) -> QualityTable:
    """The shipped figures for these components. `components`: circuit -> what it is."""
    measured = {(p.embedder, p.retriever, p.reranker): p.ndcg for p in shipped_profile().plans}
    lists = [list(_kinds(type_, components, measured)) for type_ in SEARCHING]
    figures: dict[tuple[str, str] | Plan, float] = {}
    for embedder, retriever, reranker in product(*lists):
        figures[embedder[0], retriever[0], reranker[0]] = _figure((embedder[1], retriever[1], reranker[1]), measured)
    instead: dict[str, str] = {}
    for type_ in SEARCHING:
        instead |= _instead(type_, components, measured)
    told = "; ".join(f"{stand_in} in place of {kind}" for kind, stand_in in instead.items())
    name = shipped_profile().dataset + (f", {told}" if told else "")
    return QualityTable(METRIC, figures, measured_on=name, source="shipped")


def _figure(kinds: Plan, measured: Mapping[Plan, float]) -> float:
    """Without a retriever nothing is found, and nothing is there to be reranked."""
    embedder, retriever, reranker = kinds
    return 0.0 if retriever == NAMES[RETRIEVER] else measured[embedder, retriever, reranker]


def _kinds(
    type_: ComponentType, components: Mapping[str, ComponentMark], measured: Mapping[Plan, float]
) -> Iterator[tuple[str, str]]:
    """(tier, measured kind) of each tier of a stage, and of its last resort."""
    for circuit, mark in components.items():
        stage, _, name = circuit.partition(".")
        if stage == type_:
            yield name, _measured_kind(type_, mark.kind, measured)
    yield NAMES[type_], NAMES[type_]


def _measured_kind(type_: ComponentType, kind: str, measured: Mapping[Plan, float]) -> str:
    known = {plan[SEARCHING.index(type_)] for plan in measured}
    stand_in = STAND_INS.get((type_, kind), kind)
    return stand_in if stand_in in known else FALLBACKS[type_]


def _instead(
    type_: ComponentType, components: Mapping[str, ComponentMark], measured: Mapping[Plan, float]
) -> dict[str, str]:
    """Kind -> what was measured in its place, for those that were not measured themselves."""
    kinds = [mark.kind for circuit, mark in components.items() if circuit.partition(".")[0] == type_]
    pairs = ((kind, _measured_kind(type_, kind, measured)) for kind in kinds)
    return {f"{type_} {kind}": stand_in for kind, stand_in in pairs if kind != stand_in}
