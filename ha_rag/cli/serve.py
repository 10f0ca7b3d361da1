"""`ha-rag serve`: one replica in the foreground, as in a container."""

from __future__ import annotations

from typing import Annotated

import typer

from ha_rag.cli.options import Config


def serve(
    host: Annotated[str | None, typer.Option(help="Instead of server.host.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of server.port.", show_default=False)
    ] = None,
    config: Config = None,
) -> None:
    """Run one replica in the foreground."""
    import logging

    from ha_rag.assembly.configuration import load_settings
    from ha_rag.assembly.replica import run
    from ha_rag.private_folder import keep_files_private
    from ha_rag.telemetry import logs

    settings = load_settings(config).listening_on(host, port)
    keep_files_private(settings.index_folder)
    logs.configure(settings.log, redactor=settings.redactor)
    log = logging.getLogger("ha_rag.serve")
    for warning in settings.warnings:
        log.warning("%s", warning)
    log.info("configuration: %s; Redis: %s", settings.source or "the defaults", settings.redis_url_shown)
    run(settings, on_listening=lambda host, port: log.info("replica %s: %s", settings.replica, address(host, port)))


def address(host: str, port: int) -> str:
    """The address to open in a browser."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
