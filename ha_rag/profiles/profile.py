"""QualityProfile: the figures that `ha-rag evaluate` measured, and of what: documents, components and version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from ha_rag.errors import ConfigurationError
from ha_rag.messages import QualitySource
from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.strategy.quality import QualityTable, Served, plan_of

FORMAT = 1
METRIC = "ndcg@10"


@dataclass(frozen=True, slots=True)
class CallTime:
    """How long a component's calls took, in ms: half of them at most, and 95 of 100."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """The texts of one generator. `gold`: share with one of the accepted answers. `words`: mean length.

    `refused`: share of the questions with an answer for which it said that the documents do not say.
    `refused_rightly`: share of those without an answer; None if none was asked. `time`: of the generator's calls.
    """

    generator: str
    gold: float
    words: float
    refused: float
    refused_rightly: float | None = None
    time: CallTime | None = None


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """What one plan finds, each from 0 to 1, and what is answered from it. `time`: of its calls together, but for the
    generator's; None without any.
    """

    embedder: str
    retriever: str
    reranker: str
    ndcg: float
    recall_at_3: float
    recall_at_10: float
    mrr: float
    answers: tuple[AnswerFigures, ...] = ()
    time: CallTime | None = None


@dataclass(frozen=True, slots=True)
class ComponentMark:
    """What a component is. `kind`: as in the configuration. `detail`: changes with what it finds or writes: an
    embedder's space, the model, and the settings of its table that are not about reaching it.
    """

    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityProfile:
    """The figures of one evaluation. `measured_at`: in ISO 8601, UTC. `components`: circuit -> what it was.

    `questions`: how many were asked. `seconds` of calls are in `times`, by circuit.
    """

    dataset: str
    measured_at: str
    ha_rag: str
    questions: int
    corpus: CorpusVersion
    components: Mapping[str, ComponentMark]
    plans: tuple[PlanFigures, ...]
    times: Mapping[str, CallTime]
    format: int = FORMAT

    def table(self, source: QualitySource = "profile") -> QualityTable:
        """The figures as the pipeline uses them."""
        answers: dict[Served, float] = {
            (*_plan(plan), answer.generator): answer.gold for plan in self.plans for answer in plan.answers
        }
        return QualityTable(
            METRIC,
            {_plan(plan): plan.ndcg for plan in self.plans},
            answers,
            {circuit: time.p95_ms / 1000 for circuit, time in self.times.items()},
            self.dataset,
            source,
        )


def _plan(plan: PlanFigures) -> tuple[str, str, str]:
    return plan_of(plan.embedder, plan.retriever, plan.reranker)


_PROFILES = TypeAdapter(QualityProfile)


def profile_json(profile: QualityProfile) -> bytes:
    """A profile as it is stored."""
    return _PROFILES.dump_json(profile, indent=1)


def profile_from(content: bytes) -> QualityProfile:
    """A stored profile. Raises ConfigurationError if it is damaged, or a later version wrote it."""
    try:
        profile = _PROFILES.validate_json(content)
        profile.table()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigurationError(f"is no profile of this version ({place}: {first['msg']})") from None
    if profile.format != FORMAT:
        raise ConfigurationError(f"has the format {profile.format}; this version reads {FORMAT}")
    return profile
