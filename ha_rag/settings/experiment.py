"""`[experiment]`: two arms that answer side by side, and what must be true of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from ha_rag.messages import LAST_RESORTS, ComponentType
from ha_rag.settings.components import Components
from ha_rag.settings.problems import one_of
from ha_rag.settings.request_extras import HeaderName
from ha_rag.settings.showing import shown
from ha_rag.settings.tables import NAME_PATTERN, Seconds, Table

WITHOUT = {kind: LAST_RESORTS[kind] for kind in (ComponentType.EMBEDDER, ComponentType.RERANKER)}
"""Stages that an arm may do without, and the name for that."""

ArmName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64)]


class ArmTable(Table):
    """One arm: which of the listed tiers it calls first. Where it names none, as without an experiment."""

    name: ArmName = Field(description="Its name in answers, metrics and reports.")
    weight: int = Field(
        default=1, ge=1, le=1000, description="Its share of users is this, divided by the sum of both weights."
    )
    embedder: str | None = Field(
        default=None, description='The embedder that it calls first; "zero": none, so that it searches by words alone.'
    )
    retriever: str | None = Field(default=None, description="The retriever that it calls first.")
    reranker: str | None = Field(
        default=None, description='The reranker that it calls first; "none": it does not rerank.'
    )
    generator: str | None = Field(default=None, description="The generator that it calls first.")

    @property
    def firsts(self) -> dict[str, str]:
        """Stage -> the tier that it calls first."""
        named = {str(kind): getattr(self, kind) for kind in ComponentType}
        return {stage: tier for stage, tier in named.items() if tier is not None}


def _two(arms: list[ArmTable]) -> list[ArmTable]:
    if len(arms) != 2:
        raise ValueError("must be two arms, each in a table [[experiment.arms]]")
    if arms[0].name == arms[1].name:
        raise ValueError("must have two different names")
    return arms


class ExperimentTable(Table):
    """Two arms that answer side by side: without this table there is no experiment.

    Whoever asks is given an arm by a hash of the request's `user` field, else of the header named here, and always the
    same one. See [experiments](evaluating.md#experiments).
    """

    name: ArmName = Field(description="Its name. Another name draws everybody anew, and counts anew.")
    header: HeaderName = Field(
        default="X-Session-Id", description="The header that names the user or the session, where there is no `user`."
    )
    late_s: Seconds = Field(
        default=5.0, description="An answer that takes longer is late, in seconds; a guardrail compares how often."
    )
    arms: Annotated[list[ArmTable], AfterValidator(_two)] = Field(
        description="The two arms, as `[[experiment.arms]]`. The first is what the other is compared with."
    )


def experiment_problems(table: ExperimentTable | None, components: Components, *, by_quality: bool) -> Iterator[str]:
    """What is wrong with the arms, given the components that are configured."""
    if table is None:
        return
    listed = {kind: [one.name for one in components.get(kind, ())] for kind in ComponentType}
    for place, arm in enumerate(table.arms):
        for stage, tier in arm.firsts.items():
            kind = ComponentType(stage)
            known = [*listed[kind], *([WITHOUT[kind]] if kind in WITHOUT else [])]
            if not listed[kind]:
                yield f"experiment.arms[{place}].{stage} = {shown(tier, ())}: no [[{stage}s]] are listed"
            elif tier not in known:
                yield f"experiment.arms[{place}].{stage} = {shown(tier, ())}: {one_of(known)}"
    usual = {} if by_quality else {str(kind): names[0] for kind, names in listed.items() if names}
    one, other = ({**usual, **arm.firsts} for arm in table.arms)
    if one == other:
        yield (
            "experiment.arms: both call the same tiers first; let one of them name another embedder, retriever, "
            "reranker or generator"
        )
