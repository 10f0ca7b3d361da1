"""`ha-rag evaluate`: the measured quality of every plan, as a table, and stored as a profile beside the index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ha_rag.cli.options import Config, Json
from ha_rag.errors import ConfigurationError

if TYPE_CHECKING:
    from ha_rag.evaluation.run import Evaluation
    from ha_rag.profiles.profile import CallTime

MADE = Path("questions.jsonl")


def evaluate(
    dataset: Annotated[
        Path | None,
        typer.Argument(help="A folder as in BEIR, a questions.jsonl, or a JSON file of SQuAD.", show_default=False),
    ] = None,
    questions: Annotated[
        int | None,
        typer.Option(
            "--questions",
            min=1,
            max=10_000,
            help="First have a configured language model make so many questions from the documents in the index, and "
            "write them to DATASET (else ./questions.jsonl), where you can correct them.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Ask so many of the questions, at even distances.", show_default=False),
    ] = None,
    answers: Annotated[bool, typer.Option(help="Also generate answers, where the data set has gold ones.")] = True,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Measure every plan of embedder, retriever and reranker, and every generator, with questions that have answers.

    Questions about documents of the index make its profile: replicas take it up at once, answers carry its figures, and
    `[strategy] choose = "quality"` goes by it. A run that was stopped is continued.
    """
    import asyncio

    from ha_rag.cli.screen import print_json
    from ha_rag.cli.settings_here import settings_here
    from ha_rag.evaluation.datasets import read_dataset
    from ha_rag.evaluation.making_questions import make_questions
    from ha_rag.evaluation.run import evaluate_into

    if dataset is None and questions is None:
        raise ConfigurationError(
            "name the data set, as in: ha-rag evaluate ./questions.jsonl; or have one made with --questions 50"
        )
    settings = settings_here(config)
    with shown_progress() as progress:
        if questions is not None:
            dataset = dataset or MADE
            asyncio.run(make_questions(settings, dataset, questions, progress))
        if dataset is None:
            raise AssertionError("unreachable: without a data set, questions are made")
        data = read_dataset(dataset).sample(limit)
        evaluation = asyncio.run(evaluate_into(settings, data, progress, answers=answers))
    if as_json:
        print_json(as_dict(evaluation))
    else:
        show(evaluation)


@contextmanager
def shown_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each thing that is done, on a terminal; nothing if the output is piped."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = [TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    err = Console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def show_step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show_step


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """For programs: the profile without the sketch of its corpus, where it is stored, and what is to be said of it."""
    from dataclasses import asdict

    found = asdict(evaluation.profile)
    found["corpus"] = {"documents": evaluation.profile.corpus.documents}
    return {**found, "stored": str(evaluation.stored) if evaluation.stored else None, "notes": evaluation.notes}


def show(evaluation: Evaluation) -> None:
    """Prints the figures for a person: plans, generators, and times of calls."""
    from ha_rag.cli.screen import console, styled, table

    out, profile = console(), evaluation.profile
    out.print(styled(f"{profile.dataset}: {profile.questions:,} questions, {profile.corpus.documents:,} documents"))
    plans = table("embedder", "retriever", "reranker", "nDCG@10", "recall@3", "recall@10", "MRR@10", "ms", "95 %")
    for plan in profile.plans:
        figures = (plan.ndcg, plan.recall_at_3, plan.recall_at_10, plan.mrr)
        names = (plan.embedder, plan.retriever, plan.reranker)
        plans.add_row(*names, *(f"{figure:.3f}" for figure in figures), *_time(plan.time))
    out.print(plans)
    if any(plan.answers for plan in profile.plans):
        out.print()
        named = ("embedder", "retriever", "reranker", "generator")
        texts = table(*named, "gold", "words", "refused", "rightly refused", "ms", "95 %")
        for plan in profile.plans:
            for each in plan.answers:
                rightly = "" if each.refused_rightly is None else f"{each.refused_rightly:.3f}"
                measured = (f"{each.gold:.3f}", f"{each.words:.0f}", f"{each.refused:.3f}", rightly)
                tiers = (plan.embedder, plan.retriever, plan.reranker, each.generator)
                texts.add_row(*tiers, *measured, *_time(each.time))
        out.print(texts)
    out.print()
    times = table("component", "ms", "95 %")
    for circuit, time in profile.times.items():
        times.add_row(styled(circuit), *_time(time))
    out.print(times)
    for note in evaluation.notes:
        out.print(styled(f"note: {note}", "yellow"))
    if evaluation.stored:
        out.print(styled(f"stored in {evaluation.stored}; replicas of this index take it up at once"))


def _time(time: CallTime | None) -> tuple[str, str]:
    """The median, and what 95 of 100 calls took at most."""
    return ("", "") if time is None else (f"{time.p50_ms:.1f}", f"{time.p95_ms:.1f}")
