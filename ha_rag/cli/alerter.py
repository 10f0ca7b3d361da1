"""`ha-rag alerter`: sends alerts about incidents, in the foreground, as in a container."""

from __future__ import annotations

from ha_rag.cli.options import Config


def alerter(config: Config = None) -> None:
    r"""Send alerts (Slack, e-mail, PagerDuty, webhooks ...) as \[alerts] and HA_RAG_ALERT_URLS say."""
    from ha_rag.assembly.alerter import run_alerter
    from ha_rag.assembly.configuration import load_settings
    from ha_rag.telemetry import logs

    settings = load_settings(config)
    logs.configure(settings.log, redactor=settings.redactor)
    run_alerter(settings)
