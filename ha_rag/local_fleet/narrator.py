"""What `ha-rag up` prints on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ha_rag.harmless import harmless
from ha_rag.local_fleet.plan import DEFAULT_PORT, LOOPBACK, PROVIDER_PORT, FleetPlan, reachable
from ha_rag.local_fleet.process_supervisor import Ending


class Narrator:
    """Writes to one terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _say(self, line: Text) -> None:
        # Never wrapped: addresses and commands are there to be copied.
        self._console.print(line, soft_wrap=True)

    def step(self, text: str) -> None:
        """Reports a step."""
        self._say(Text(harmless(text), style="dim"))

    def moved(self, asked: FleetPlan, plan: FleetPlan) -> None:
        """Reports which ports were taken and which are used instead."""
        if asked.port != plan.port:
            self.step(f"Port {asked.port} or one of the next {asked.replicas} is taken: this fleet has {plan.port}")
        if asked.provider_port != plan.provider_port:
            self.step(f"Port {asked.provider_port} is taken: the simulated provider has {plan.provider_port}")

    def ready(self, plan: FleetPlan, *, redis: str, ready: int) -> None:
        """Prints the addresses, once the fleet answers."""
        self._say(Text())
        for label, text in _whereabouts(plan, redis, ready):
            self._say(Text.assemble((f"  {label:<10}", "bold"), harmless(text)))
        self._say(Text())

    def ended(self, ending: Ending) -> None:
        """Reports a process that ended without being asked to."""
        line = Text(f"{ending.program.name} {ending.how}; started again in {ending.pause_s:.1f} s", style="yellow")
        self._say(line)

    def looping(self, ending: Ending) -> None:
        """Reports a crash loop: the last output, and where the rest is."""
        head = f"{ending.program.name} has ended {ending.early_ends} times in a row shortly after its start."
        self._say(Text(f"{head} Its last words ({ending.program.log}):", style="bold red"))
        for line in ending.last_words or ["(it said nothing)"]:
            self._say(Text(f"    {harmless(line)}"))

    def gave_up(self) -> None:
        """Reports that the fleet could not start."""
        self._say(Text("The fleet cannot start like this; see the lines above.", style="bold red"))

    def stopped(self, killed: list[str]) -> None:
        """Reports that everything has stopped. `killed`: those that did not stop in time."""
        note = f" ({', '.join(killed)} did not stop in time and had to be killed)" if killed else ""
        self.step(f"Everything has stopped{note}.")


def _whereabouts(plan: FleetPlan, redis: str, ready: int) -> list[tuple[str, str]]:
    shown_host = "localhost" if reachable(plan.host) in (LOOPBACK, "[::1]") else plan.host
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
