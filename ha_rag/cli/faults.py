"""`ha-rag break` and `ha-rag mend`: make the simulated provider fail, and stop failing."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from ha_rag.cli.options import Config
from ha_rag.cli.replica_client import ReplicaClient
from ha_rag.errors import ConfigurationError

DEFAULT_PROVIDER = "http://127.0.0.1:9100"
REMEDY = "ha-rag up without a configuration starts the simulated provider"
TARGETS = {"embedder": "embeddings", "generator": "chat"}


class Mode(enum.StrEnum):
    """How the service fails."""

    ERROR = "error"
    SLOW = "slow"
    DRIP = "drip"
    HANG = "hang"
    THROTTLE = "throttle"
    GARBAGE = "garbage"
    RESET = "reset"


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
    mode: Annotated[Mode, typer.Option(help="How it fails.")] = Mode.ERROR,
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
    until = f"for {for_s:g} s" if for_s else f"until: ha-rag mend {circuit}"
    typer.echo(f"{circuit}: {target} now fails ({mode}, {100 * rate:g} % of calls) {until}")


def mend(
    circuit: Annotated[str | None, typer.Argument(help="The circuit; default: all.", show_default=False)] = None,
    provider: Provider = None,
    config: Config = None,
) -> None:
    """Undo ha-rag break."""
    client = _client(circuit or "embedder.primary", provider, config)
    client.call("DELETE", f"/faults/{_target(circuit)}" if circuit else "/faults")
    typer.echo(f"{circuit or 'everything'}: works again; its circuit closes by itself within its recovery timeout")


def _target(circuit: str) -> str:
    kind, dot, _ = circuit.partition(".")
    if not dot or kind not in TARGETS:
        raise ConfigurationError(
            f"{circuit!r}: only services can be broken, as in embedder.primary or generator.primary; "
            "for any other circuit there is: ha-rag circuits open NAME"
        )
    return TARGETS[kind]


def _client(circuit: str, provider: str | None, config: Path | None) -> ReplicaClient:
    return ReplicaClient(url=provider or _configured(circuit, config) or DEFAULT_PROVIDER, timeout_s=5.0, remedy=REMEDY)


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
