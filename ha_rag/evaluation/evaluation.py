"""evaluated: measures a data set with every plan, question by question, and goes on where an earlier run stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ha_rag.evaluation.candidates import Candidates
from ha_rag.evaluation.datasets import Dataset
from ha_rag.evaluation.figures import call_times, plan_figures
from ha_rag.evaluation.journal import Journal
from ha_rag.evaluation.measuring import EvaluationStoppedError, QuestionMeasurement
from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.profiles.profile import ComponentMark, QualityProfile
from ha_rag.version import version

Progress = Callable[[int, int], None]
"""Called with the number of questions that are measured, and of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured: components, what each of them is by circuit, and the documents they search."""

    candidates: Candidates
    components: Mapping[str, ComponentMark]
    corpus: CorpusVersion


async def evaluated(
    dataset: Dataset, subject: Subject, journal: Journal, progress: Progress, *, answers: bool = True
) -> QualityProfile:
    """The figures of every plan. `journal`: entered; holds what is measured already. `answers`: whether texts are
    measured, where the data set has gold answers.

    Raises EvaluationStoppedError if a component fails again and again; what was measured before is kept.
    """
    total, warm = len(dataset.questions), False
    for question in dataset.questions:
        progress(len(journal.done), total)
        if question.id in journal.done:
            continue
        try:
            if not warm:  # first calls load models and open connections: they say nothing of how long calls take
                await QuestionMeasurement(subject.candidates, question, answers=answers).record()
                warm = True
            record = await QuestionMeasurement(subject.candidates, question, answers=answers).record()
        except EvaluationStoppedError as error:
            raise EvaluationStoppedError(
                f"{error} (question {question.id!r}); {len(journal.done)} of {total} questions are measured and kept: "
                "mend it, and run the same command again to go on"
            ) from None
        journal.add(question.id, record)
    progress(total, total)
    return QualityProfile(
        dataset=dataset.name,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        ha_rag=version(),
        questions=total,
        corpus=subject.corpus,
        components=subject.components,
        plans=plan_figures(subject.candidates, dataset.questions, journal.done),
        times=call_times(journal.done.values()),
    )
