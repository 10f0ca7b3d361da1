"""`ha-rag dashboard`: the web dashboard as a process of its own, as in a container."""

from __future__ import annotations

from typing import Annotated

import typer

from ha_rag.cli.options import Config


def dashboard(
    host: Annotated[str | None, typer.Option(help="Instead of server.host.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of server.port.", show_default=False)
    ] = None,
    config: Config = None,
) -> None:
    """Show and control a fleet in the browser, without being one of its replicas."""
    import logging

    from ha_rag.assembly.configuration import load_settings
    from ha_rag.assembly.dashboard import run_dashboard
    from ha_rag.cli.serve import address
    from ha_rag.telemetry import logs

    settings = load_settings(config).listening_on(host, port)
    logs.configure(settings.log, redactor=settings.redactor)
    where = address(settings.server.host, settings.server.port)
    logging.getLogger("ha_rag.dashboard").info("the fleet at %s: %s", settings.redis_url_shown, where)
    run_dashboard(settings)
