"""FleetPoller: polls a fleet in a thread of its own and keeps the latest snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from ha_rag.background import BackgroundLoop
from ha_rag.cli.orders import Orders, OrdersInRedis, OrdersOverHttp
from ha_rag.cli.replica_client import ReplicaClient, client_of
from ha_rag.cli.trouble import CommandError
from ha_rag.clock import SystemClock
from ha_rag.errors import HaRagError
from ha_rag.harmless import harmless_json
from ha_rag.monitor.consequence import Order
from ha_rag.monitor.snapshot import FleetSnapshot

Look = Callable[[], FleetSnapshot]
REPLICA_SCHEMES = ("http://", "https://")
LOOK_TIMEOUT_S = 3.0
"""For the reply of a replica, and for each reply of a Redis: it may be far away, or busy loading a script."""
ORDER_TIMEOUT_S = 10.0
"""For the reply of a replica."""
OPERATOR = "operator with ha-rag watch"
"""The operator's name in events, where an order goes straight into Redis."""

_SNAPSHOTS = TypeAdapter(FleetSnapshot)


class FleetPoller:
    """Polls in one thread; safe to read from any. `down_since`: the time of day since which polls fail, or "".

    `orders`: gives orders to the fleet that is polled.
    """

    def __init__(self, look: Look, every_s: float, orders: Orders) -> None:
        self._look = look
        self.orders = orders
        self._every_s = every_s
        self._now_s = SystemClock().monotonic_s
        self._stopped = threading.Event()
        self._news = threading.Condition()
        self._number = 0
        self._seen_s = self._now_s()
        self._picture: FleetSnapshot | None = None
        self.down_since = ""

    @property
    def latest(self) -> FleetSnapshot:
        """The latest snapshot."""
        if self._picture is None:
            raise CommandError("no snapshot of the fleet yet")
        return self._picture

    @property
    def ago_s(self) -> float:
        """Age of the latest snapshot."""
        return self._now_s() - self._seen_s

    def first(self) -> FleetSnapshot:
        """Polls once, then goes on in the background. Raises CommandError if the first poll fails."""
        self._note(self._look())
        threading.Thread(target=self._look_on, name="ha-rag watch", daemon=True).start()
        return self.latest

    def next_json(self) -> str:
        """The next snapshot as JSON; the first one at once. Raises CommandError if the first poll fails."""
        if self._picture is None:
            self.first()
        else:
            number = self._number
            with self._news:
                self._news.wait_for(lambda: self._number != number)
        return harmless_json(_SNAPSHOTS.dump_python(self.latest, mode="json"))

    def stop(self) -> None:
        """Stops polling."""
        self._stopped.set()

    def _look_on(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                self._note(self._look())
            except HaRagError:
                self.down_since = self.down_since or datetime.now().astimezone().strftime("%H:%M:%S")

    def _note(self, picture: FleetSnapshot) -> None:
        with self._news:
            self._picture, self._seen_s, self.down_since = picture, self._now_s(), ""
            self._number += 1
            self._news.notify_all()


@contextmanager
def fleet_poller(url: str | None, config: Path | None, every_s: float) -> Iterator[FleetPoller]:
    """A poller of a replica or front (`url`, or the fleet that runs here), or of Redis itself."""
    if url is None or url.startswith(REPLICA_SCHEMES):
        client = client_of(url, timeout_s=LOOK_TIMEOUT_S)
        seen = FleetPoller(_over_http(client), every_s, OrdersOverHttp(replace(client, timeout_s=ORDER_TIMEOUT_S)))
        try:
            yield seen
        finally:
            seen.stop()
        return
    with _in_redis(url, config) as (look, orders):
        seen = FleetPoller(look, every_s, orders)
        try:
            yield seen
        finally:
            seen.stop()


def _over_http(client: ReplicaClient) -> Look:
    def look() -> FleetSnapshot:
        try:
            return _SNAPSHOTS.validate_python(client.get("/v1/fleet"))
        except ValueError:
            raise CommandError(
                f"what {client.url} says about its fleet cannot be read; is it another version?"
            ) from None

    return look


@contextmanager
def _in_redis(url: str, config: Path | None) -> Iterator[tuple[Look, Orders]]:
    from ha_rag.assembly.configuration import load_settings
    from ha_rag.breaker.fleet_observer import FleetObserver
    from ha_rag.circuit.state import OverrideMode
    from ha_rag.monitor.watcher import Watcher
    from ha_rag.redaction import Redactor
    from ha_rag.settings.known_secrets import of_redis

    namespace = load_settings(config).namespace
    observer = FleetObserver.connect(url, namespace=namespace, name="watch", timeout_s=LOOK_TIMEOUT_S)
    loop = BackgroundLoop("the command line")
    watcher: list[Watcher] = []

    async def begin() -> None:
        await observer.__aenter__()
        watcher.append(Watcher(observer, redactor=Redactor(of_redis(url))))

    async def look() -> FleetSnapshot:
        picture = await watcher[0].poll()
        if picture.redis.reachable and picture.shared_state != "fresh":
            picture = await watcher[0].poll()  # connections that Redis has closed meanwhile fail only once
        if not picture.redis.reachable:
            raise CommandError(f"this Redis does not answer: {picture.redis.problem}")
        if picture.shared_state != "fresh":
            why = observer.why_local or picture.reason
            raise CommandError(f"this Redis answers, but the fleet cannot be read: {why}")
        return picture

    def apply(circuit: str, order: Order, reason: str, for_s: float | None) -> None:
        if order == "auto":
            loop.run(lambda: observer.end_override(circuit, by=OPERATOR))
        else:
            loop.run(lambda: observer.override(circuit, OverrideMode(order), reason=reason, by=OPERATOR, for_s=for_s))

    loop.run(begin)
    try:
        yield (lambda: loop.run(look)), OrdersInRedis(apply)
    finally:
        loop.close(lambda: observer.__aexit__(None, None, None))
