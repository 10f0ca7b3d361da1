"""The alerter process: observes the fleet and sends alerts."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ha_rag.alerting.alerter import Alerter
from ha_rag.alerting.delivery import AppriseDelivery, Delivery, LogDelivery
from ha_rag.alerting.notifier import Notifier
from ha_rag.alerting.policy import AlertPolicy
from ha_rag.assembly.replica import loop_factory
from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.cancellation import end
from ha_rag.clock import SystemClock
from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.alerts import RedisAlertStore
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.redis import RedisLedger
from ha_rag.monitor.watcher import Watcher
from ha_rag.settings import Settings

log = logging.getLogger("ha_rag.alerter")

NO_RECEIVERS = "alerts are written to this log only; set HA_RAG_ALERT_URLS to apprise URLs, separated by white space"


@asynccontextmanager
async def alerting(settings: Settings, delivery: Delivery | None = None) -> AsyncIterator[Alerter]:
    """An alerter for the fleet in `settings`, ready to run. Raises ConfigurationError."""
    if settings.redis_url is None:
        raise ConfigurationError("an alerter needs Redis: set HA_RAG_REDIS_URL, or fleet.redis_url in the file")
    delivery = delivery or delivery_of(settings)
    client, clock = connect(settings.redis_url.reveal()), SystemClock()
    name = f"{settings.replica}-{secrets.token_hex(4)}"
    policy = alert_policy(settings)
    store = RedisAlertStore(client, settings.namespace)
    notifier = Notifier(
        store, delivery, policy, clock, owner=name, link=settings.alerts.link, redactor=settings.redactor
    )
    observer = FleetObserver(RedisLedger(client, settings.namespace), name)
    async with observer, Watcher(observer, clock, settings.redactor).running() as watcher:
        yield Alerter(watcher, store, notifier, policy, consumer=name)


def delivery_of(settings: Settings) -> Delivery:
    """Delivery to the receivers in the settings, or to the log if there are none. Raises ConfigurationError."""
    if not settings.alert_urls:
        return LogDelivery()
    return AppriseDelivery([url.reveal() for url in settings.alert_urls])


def alert_policy(settings: Settings) -> AlertPolicy:
    """When alerts are sent, according to the settings."""
    return AlertPolicy(**settings.alerts.model_dump(exclude={"urls_env", "link"}))


def run_alerter(settings: Settings) -> None:
    """Runs an alerter until SIGTERM or SIGINT. Raises ConfigurationError."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_run_until_signal(settings))


async def _run_until_signal(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with alerting(settings) as alerter:
        log.info("watching %s for %d receivers", settings.redis_url_shown, len(settings.alert_urls))
        if not settings.alert_urls:
            log.warning(NO_RECEIVERS)
        running = asyncio.create_task(alerter.run())
        await stopped.wait()
        await end(running)
