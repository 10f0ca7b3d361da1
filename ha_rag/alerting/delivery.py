"""Delivery: a message to people, through apprise (Slack, e-mail, PagerDuty, webhooks and a hundred more, by URL)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from ha_rag.errors import ConfigurationError

log = logging.getLogger(__name__)


class Delivery(Protocol):
    """Sends messages. `send` answers whether all who should hear it did; it raises nothing."""

    async def send(self, title: str, text: str, *, level: str) -> bool:
        """`level`: "failure", "warning", "success" or "info"."""
        ...


class LogDelivery:
    """Delivery to the log of this process, where nobody else is named."""

    async def send(self, title: str, text: str, *, level: str) -> bool:
        """Writes one line."""
        log.log(logging.WARNING if level in ("failure", "warning") else logging.INFO, "%s: %s", title, text)
        return True


class AppriseDelivery:
    """Delivery through apprise. `urls` may hold secrets: they are never logged. Raises ConfigurationError.

    One message goes to all of them; where one fails, the message counts as not sent, and the alerter sends it again.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        try:
            import apprise
        except ImportError:
            raise ConfigurationError(
                "alerts need apprise, which is not installed: pip install 'ha_rag[alerts]'"
            ) from None
        # A message goes to whom it was meant for: where a receiver leads elsewhere, nobody asked us to follow.
        self._apprise: Any = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
        for number, url in enumerate(urls, start=1):
            if not self._apprise.add(url):
                scheme = url.partition("://")[0][:20]
                raise ConfigurationError(
                    f"alert URL {number} ({scheme}://...) is none that apprise understands; "
                    "see https://github.com/caronc/apprise/wiki for their forms"
                )

    async def send(self, title: str, text: str, *, level: str) -> bool:
        """Sends one message to every URL."""
        try:
            return bool(await self._apprise.async_notify(body=text, title=title, notify_type=level, body_format="text"))
        except Exception as error:
            # Whatever a plug-in raises: an alert that cannot be sent now is sent again, and the alerter goes on.
            # Only its kind is logged, for its text may hold the URL.
            kind = type(error).__name__
        log.error("an alert could not be sent (%s)", kind)
        return False
