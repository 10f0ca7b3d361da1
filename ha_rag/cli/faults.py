"""`ha-rag break` and `ha-rag mend`: make the simulated provider fail, and stop failing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ha_rag.cli.closing import when_they_close
from ha_rag.cli.options import Config
from ha_rag.cli.replica_client import ReplicaClient
from ha_rag.errors import ConfigurationError
from ha_rag.harmless import harmless
from ha_rag.simulation.fault_modes import FaultMode

DEFAULT_PROVIDER = "http://127.0.0.1:9100"
REMEDY = "ha-rag up without a configuration starts the simulated provider"
TARGETS = {"embedder": "embeddings", "generator": "chat", "reranker": "rerank"}


Circuit = Annotated[str, typer.Argument(help="A simulated service's circuit: embedder.primary or generator.primary.")]
Provider = Annotated[
    str | None,
    typer.Option(
        help=f"The simulated provider's address; else the circuit's base_url, else {DEFAULT_PROVIDER}.",
        show_default=False,
    ),
]


def break_(
    circuit: Circuit,
    mode: Annotated[
        FaultMode, typer.Option(help="How it fails, or the dialect in which it answers.")
    ] = FaultMode.ERROR,
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="The share of calls that fail.")] = 1.0,
    for_s: Annotated[float | None, typer.Option("--for", min=0.1, help="Seconds; else until ha-rag mend.")] = None,
    retry_after_s: Annotated[float | None, typer.Option("--retry-after", min=0, help="Retry-After in s.")] = None,
    delay_s: Annotated[
        float | None, typer.Option("--delay", min=0, help="Seconds each call takes (slow), or each piece of it (drip).")
    ] = None,
    provider: Provider = None,
    config: Config = None,
) -> None:
    """Make a simulated service fail, to see which tier takes over."""
    given = {"mode": str(mode), "rate": rate, "for_s": for_s, "retry_after_s": retry_after_s, "delay_s": delay_s}
    fault = {name: value for name, value in given.items() if value is not None}
    target = _target(circuit)
    _client(circuit, provider, config).call("PUT", f"/faults/{target}", fault)
    until = f"for {for_s:g} s" if for_s else f"until: ha-rag mend {harmless(circuit)}"
    typer.echo(f"{harmless(circuit)}: {target} now fails ({mode}, {100 * rate:g} % of calls) {until}")


def mend(
    circuit: Annotated[str | None, typer.Argument(help="The circuit; default: all.", show_default=False)] = None,
    provider: Provider = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            help="A replica, to ask when the circuit closes; else the fleet that runs here.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Undo ha-rag break; says when the circuit closes."""
    client = _client(circuit or "embedder.primary", provider, config)
    client.call("DELETE", f"/faults/{_target(circuit)}" if circuit else "/faults")
    mended = "no simulated service fails any more"
    if circuit:
        mended = f"{harmless(circuit)}: {_target(circuit)} no longer fails"
    typer.echo("; ".join([mended, *when_they_close(url, circuit, TARGETS)]))


def _target(circuit: str) -> str:
    kind, dot, _ = circuit.partition(".")
    if not dot or kind not in TARGETS:
        raise ConfigurationError(
            f"{circuit!r}: only services can be broken, as in embedder.primary or generator.primary; "
            "for any other circuit there is: ha-rag circuits open NAME"
        )
    return TARGETS[kind]


def _client(circuit: str, provider: str | None, config: Path | None) -> ReplicaClient:
    from ha_rag.cli.fleet_here import say_that_none_runs_here

    url = provider or _configured(circuit, config)
    if url is None:
        url = DEFAULT_PROVIDER
        say_that_none_runs_here(url)
    return ReplicaClient(url=url, timeout_s=5.0, remedy=REMEDY)


def _configured(circuit: str, config: Path | None) -> str | None:
    """The address of the service behind a circuit, without its /v1; None where nothing is configured."""
    from ha_rag.cli.settings_here import settings_here

    settings = settings_here(config)
    if settings.source is None and circuit.endswith(".primary"):
        return None  # the default fleet, whose primaries are both simulated
    url = settings.service_urls.get(circuit)
    if url is None:
        known = ", ".join(settings.service_urls) or "embedder.primary, generator.primary"
        raise ConfigurationError(f"{circuit!r}: is not a simulated service; the simulated ones are {known}")
    return url.rstrip("/").removesuffix("/v1")
