"""What `ha-rag up` tells the person who started it: few lines, and each one of use."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ha_rag.local_fleet.lifeline import Ending
from ha_rag.local_fleet.plan import LOOPBACK, FleetPlan


class Narrator:
    """Writes to one terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, text: str) -> None:
        """One thing that is happening."""
        self._console.print(Text(text, style="dim"))

    def ready(self, plan: FleetPlan, *, redis: str, ready: int) -> None:
        """Where to go, once the fleet answers."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for label, text in _whereabouts(plan, redis, ready):
            table.add_row(label, text)
        self._console.print(Padding(table, (1, 2)))

    def ended(self, ending: Ending) -> None:
        """A process ended that nobody had ended."""
        line = Text(f"{ending.program.name} {ending.how}; started again in {ending.pause_s:.1f} s", style="yellow")
        self._console.print(line)

    def looping(self, ending: Ending) -> None:
        """A process ends again and again: what it said last, and where the rest is."""
        head = f"{ending.program.name} has ended {ending.early_ends} times in a row shortly after its start."
        self._console.print(Text(f"{head} Its last words ({ending.program.log}):", style="bold red"))
        for line in ending.last_words or ["(it said nothing)"]:
            self._console.print(Padding(Text(line), (0, 0, 0, 4)))

    def gave_up(self) -> None:
        """The fleet never came to serve."""
        self._console.print(Text("The fleet cannot start like this; see the lines above.", style="bold red"))

    def stopped(self, killed: list[str]) -> None:
        """All of it has ended. `killed`: those that had to be made to."""
        note = f" ({', '.join(killed)} did not end in time and had to be killed)" if killed else ""
        self.step(f"All of it has ended{note}.")


def _whereabouts(plan: FleetPlan, redis: str, ready: int) -> list[tuple[str, str]]:
    shown_host = "localhost" if plan.host in (LOOPBACK, "0.0.0.0", "::", "::1") else plan.host  # noqa: S104 - a comparison
    front = f"http://{shown_host}:{plan.port}"
    ports = f"{plan.replica_port(1)}" + (f"-{plan.replica_port(plan.replicas)}" if plan.replicas > 1 else "")
    first = f"{plan.replicas} ready" if ready == plan.replicas else f"{ready} of {plan.replicas} ready"
    lines = [
        ("ha_rag", f"{front}   dashboard and playground; API at {front}/docs"),
        ("Replicas", f"{first}, each on its own at ports {ports}"),
        ("Redis", redis),
        ("Ask", 'ha-rag ask "How does a circuit recover?"' + _url_option(plan, front)),
    ]
    if plan.provider:
        lines.append(("Break", "ha-rag break embedder.primary    and see it answered all the same; ha-rag circuits"))
    return [*lines, ("Logs", str(plan.log_folder)), ("Stop", "Ctrl-C")]


def _url_option(plan: FleetPlan, front: str) -> str:
    return "" if plan.port == 8000 else f" --url {front}"
