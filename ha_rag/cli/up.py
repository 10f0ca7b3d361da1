"""`ha-rag up`: a fleet on this machine, with one command."""

from __future__ import annotations

from typing import Annotated

import typer

from ha_rag.cli.options import Config
from ha_rag.cli.own_name import own_name


def up(
    replicas: Annotated[int, typer.Option("--replicas", "-n", min=1, max=64, help="How many replica processes.")] = 3,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65000, help="The one port; replicas use the next ones.", show_default="8000"),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The address that the front listens on.", show_default="127.0.0.1")
    ] = None,
    config: Config = None,
) -> None:
    """Run a whole fleet on this machine: replicas behind one port, and a Redis if none is configured.

    It indexes ./documents, or samples if there is nothing to answer from. Exits with 1 if a fleet runs in this folder.
    """
    import asyncio

    from ha_rag.assembly.configuration import load_settings
    from ha_rag.extras import require

    settings = load_settings(config).listening_on(host, port)
    # The default fleet embeds in its replicas, too.
    require("`up`", "server", *(["local"] if settings.source is None else []))

    from ha_rag.local_fleet.plan import FleetPlan
    from ha_rag.local_fleet.supervisor import run_fleet
    from ha_rag.private_folder import keep_files_private
    from ha_rag.settings import read_environment

    keep_files_private(settings.index_folder)
    plan = FleetPlan(
        environment={name: value.reveal() for name, value in read_environment().variables.items()},
        replicas=replicas,
        host=settings.server.host,
        port=settings.server.port,
        config=settings.source,
        redis_url=settings.redis_url.reveal() if settings.redis_url else None,
        provider=settings.source is None,
        samples=settings.index.samples and (settings.source is None or not settings.has_index),
        documents=settings.documents_folder,
        indexed=settings.has_index,
        folder=settings.index_folder,
        program=own_name(),
        alerts=bool(settings.alert_urls),
        any_port=port is None and "port" not in settings.server.model_fields_set,
    )
    raise typer.Exit(asyncio.run(run_fleet(plan)))
