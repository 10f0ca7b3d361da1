"""`ha-rag learn`: the guided walk through failures, for someone new to resilience."""

from __future__ import annotations

from typing import Annotated

import typer


def learn(
    auto: Annotated[bool, typer.Option("--auto", help="Do not wait for input; predict at random.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random predictions, with --auto.")] = 0,
    scenario: Annotated[
        str | None, typer.Option("--scenario", help="Only this one.", show_default="all of them")
    ] = None,
) -> None:
    """Learn how circuits and fallbacks behave: predict what happens next, and see. Needs no Redis, Docker or key.

    Enter continues; q, Ctrl-C or end of input quits.
    """
    from ha_rag.cli.trouble import CommandError
    from ha_rag.learn.scenarios import SCENARIOS
    from ha_rag.learn.walk import walk

    chosen = [each for each in SCENARIOS if scenario in (None, each.name)]
    if not chosen:
        names = ", ".join(each.name for each in SCENARIOS)
        raise CommandError(f"--scenario: there is no {scenario!r}; one of {names}")
    walk(auto=auto, seed=seed, scenarios=chosen)
