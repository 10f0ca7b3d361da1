"""Delivery of messages through apprise (Slack, e-mail, PagerDuty, webhooks and many more, by URL)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from ha_rag.errors import ConfigurationError
from ha_rag.extras import missing_extra

log = logging.getLogger(__name__)


class Delivery(Protocol):
    """Sends messages. `send` returns whether all receivers got it, and never raises."""

    async def send(self, title: str, text: str, *, level: str) -> bool:
        """`level`: "failure", "warning", "success" or "info"."""
        ...


class LogDelivery:
    """Delivery to the log of this process, if no receivers are configured."""

    async def send(self, title: str, text: str, *, level: str) -> bool:
        """Writes one line."""
        log.log(logging.WARNING if level in ("failure", "warning") else logging.INFO, "%s: %s", title, text)
        return True


class AppriseDelivery:
    """Delivery through apprise. `urls` may contain secrets and are never logged. Raises ConfigurationError.

    If one of the receivers fails, the message counts as not sent, and is sent to all of them again.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        try:
            import apprise
        except ModuleNotFoundError as error:
            raise ConfigurationError(str(missing_extra("sending alerts", error) or error)) from None
        # Do not follow redirects: messages must not go to hosts that were not configured.
        self._apprise: Any = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
        for number, url in enumerate(urls, start=1):
            if not self._apprise.add(url):
                scheme = url.partition("://")[0][:20]
                raise ConfigurationError(
                    f"alert URL {number} ({scheme}://...) is not supported by apprise; "
                    "see https://github.com/caronc/apprise/wiki for the supported URLs"
                )

    async def send(self, title: str, text: str, *, level: str) -> bool:
        """Sends one message to every URL."""
        try:
            return bool(await self._apprise.async_notify(body=text, title=title, notify_type=level, body_format="text"))
        except Exception as error:
            # Plug-ins raise anything; the alert is sent again later. Log only the type: the text may contain the URL.
            kind = type(error).__name__
        log.error("an alert could not be sent (%s)", kind)
        return False
