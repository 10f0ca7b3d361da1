"""What `ha-rag up` tells the person who started it: few lines, and each one of use."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ha_rag.local_fleet.plan import DEFAULT_PORT, LOOPBACK, PROVIDER_PORT, FleetPlan
from ha_rag.local_fleet.process_supervisor import Ending


class Narrator:
    """Writes to one terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _say(self, line: Text) -> None:
        # Never broken into two: addresses and commands are there to be copied.
        self._console.print(line, soft_wrap=True)

    def step(self, text: str) -> None:
        """One thing that is happening."""
        self._say(Text(text, style="dim"))

    def moved(self, asked: FleetPlan, plan: FleetPlan) -> None:
        """Which ports were taken, and which ones stand in for them."""
        if asked.port != plan.port:
            self.step(f"Port {asked.port} or one of the next {asked.replicas} is taken: this fleet has {plan.port}")
        if asked.provider_port != plan.provider_port:
            self.step(f"Port {asked.provider_port} is taken: the simulated provider has {plan.provider_port}")

    def ready(self, plan: FleetPlan, *, redis: str, ready: int) -> None:
        """Where to go, once the fleet answers."""
        self._say(Text())
        for label, text in _whereabouts(plan, redis, ready):
            self._say(Text.assemble((f"  {label:<10}", "bold"), text))
        self._say(Text())

    def ended(self, ending: Ending) -> None:
        """A process ended that nobody had ended."""
        line = Text(f"{ending.program.name} {ending.how}; started again in {ending.pause_s:.1f} s", style="yellow")
        self._say(line)

    def looping(self, ending: Ending) -> None:
        """A process ends again and again: what it said last, and where the rest is."""
        head = f"{ending.program.name} has ended {ending.early_ends} times in a row shortly after its start."
        self._say(Text(f"{head} Its last words ({ending.program.log}):", style="bold red"))
        for line in ending.last_words or ["(it said nothing)"]:
            self._say(Text(f"    {line}"))

    def gave_up(self) -> None:
        """The fleet never came to serve."""
        self._say(Text("The fleet cannot start like this; see the lines above.", style="bold red"))

    def stopped(self, killed: list[str]) -> None:
        """All of it has ended. `killed`: those that had to be made to."""
        note = f" ({', '.join(killed)} did not end in time and had to be killed)" if killed else ""
        self.step(f"All of it has ended{note}.")


def _whereabouts(plan: FleetPlan, redis: str, ready: int) -> list[tuple[str, str]]:
    shown_host = "localhost" if plan.host in (LOOPBACK, "0.0.0.0", "::", "::1") else plan.host  # noqa: S104 - a comparison
    front = f"http://{shown_host}:{plan.port}"
    first, last = plan.replica_port(1), plan.replica_port(plan.replicas)
    ports = f"port {first}" if first == last else f"ports {first} to {last}"
    count = f"{ready} ready" if ready == plan.replicas else f"{ready} of {plan.replicas} ready"
    option = "" if plan.port == DEFAULT_PORT else f" --url {front}"
    lines = [
        ("Open", f"{front}  (API: {front}/docs)"),
        ("Replicas", f"{count}, each also on its own: {ports}"),
        ("Redis", redis),
        ("Ask", f'{plan.program} ask "How does a circuit recover?"{option}'),
        ("Circuits", f"{plan.program} circuits{option}"),
    ]
    if plan.provider:
        where = "" if plan.provider_port == PROVIDER_PORT else f" --provider http://{LOOPBACK}:{plan.provider_port}"
        lines.append(("Break", f"{plan.program} break embedder.primary --for 30{where}"))
        lines.append(("", "then ask again: the next tier answers"))
    return [*lines, ("Logs", str(plan.log_folder)), ("Stop", "Ctrl-C")]
