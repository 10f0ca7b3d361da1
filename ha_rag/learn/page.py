"""docs/scenarios.md, written from the walk: what each scenario is about, the trace that was really printed, and why.

python -m ha_rag.learn.page > docs/scenarios.md
"""

from __future__ import annotations

import io

from rich.console import Console

from ha_rag.learn.lab import POLICY, Lab
from ha_rag.learn.lesson import Scenario, Step
from ha_rag.learn.picture import health, path, worded
from ha_rag.learn.scenarios import SCENARIOS

HEAD = f"""# What happens when something fails

Ten scenarios, from the guided walk (`ha-rag learn`). Each trace below is what the pipeline really did and said; this
page is written by `python -m ha_rag.learn.page`, and a test holds it to the code. The numbers are those of the walk: a
circuit judges by at least {POLICY.min_samples} calls within {POLICY.window_s:g} s, opens when \
{POLICY.failure_threshold:.0%} of them failed, rests for {POLICY.recovery_timeout_s:g} s (then
{POLICY.recovery_backoff:g} times as long after each failed recovery), and closes after {POLICY.probe_successes} good \
probes. For faults of whole processes and of
Redis, see [failure-modes.md](failure-modes.md).
"""
WIDTH = 110


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([HEAD, *(_scenario(number, each) for number, each in enumerate(SCENARIOS, 1))])


def _scenario(number: int, scenario: Scenario) -> str:
    parts = [f"## {number}. {scenario.title}", scenario.about]
    with Lab(scenario.replicas) as lab:
        parts += [part for step in scenario.steps for part in _step(lab, step, several=scenario.replicas > 1)]
    return "\n\n".join(parts) + "\n"


def _step(lab: Lab, step: Step, *, several: bool) -> list[str]:
    answer = step.taken(lab)
    after = lab.health(step.looked_at)
    drawn = io.StringIO()
    screen = Console(file=drawn, width=WIDTH, color_system=None, highlight=False)
    screen.print(path(answer, step.replica if several else 0))
    screen.print(health(after))
    trace = "\n".join(line.rstrip() for line in drawn.getvalue().splitlines())
    parts = [f"**{step.say}**", f"```text\n{trace}\n```"]
    if step.predict:
        where = f" at replica {step.looked_at}" if several else ""
        parts.append(f"`{step.predict}` is **{worded(after[step.predict].state)}**{where}. {step.why}")
    return parts


if __name__ == "__main__":
    print(page(), end="")
