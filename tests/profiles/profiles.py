"""A profile to start from."""

from __future__ import annotations

from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.profiles.profile import AnswerFigures, CallTime, ComponentMark, PlanFigures, QualityProfile

CORPUS = CorpusVersion.of((f"d{n}", str(n)) for n in range(100))
MARKS = {
    "embedder.primary": ComponentMark("local", "wordllama/256, settings 1"),
    "retriever.primary": ComponentMark("local", "settings 2"),
    "generator.quotes": ComponentMark("extractive", "settings 3"),
}
PROFILE = QualityProfile(
    dataset="handbook",
    measured_at="2026-11-30T10:00:00+00:00",
    ha_rag="0.1.0",
    questions=50,
    corpus=CORPUS,
    components=MARKS,
    plans=(
        PlanFigures("primary", "primary", "none", 0.8, 0.7, 0.9, 0.75, (AnswerFigures("quotes", 0.6, 21.5, 0.1),)),
        PlanFigures("zero", "primary", "none", 0.7, 0.6, 0.8, 0.65, (AnswerFigures("quotes", 0.5, 20.0, 0.2, 1.0),)),
        PlanFigures("zero", "none", "none", 0.0, 0.0, 0.0, 0.0),
    ),
    times={"embedder.primary": CallTime(10.0, 40.0)},
)
