"""TLS works like plain connections, and errors about trust say how to fix them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis as sync_redis

from ha_rag.assembly.redis_trial import try_redis
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.errors import LedgerUnavailableError
from ha_rag.ledger.store.connection import connect
from ha_rag.ledger.store.permissions import acl_rules
from ha_rag.ledger.store.redis import RedisLedger
from tests.ledger.certificates import Authority, TLSRedis, showing, trusting
from tests.ledger.test_other_topologies import TERMS, everything_works
from tests.redis_servers import RedisProcess
from tests.waiting import until

pytestmark = pytest.mark.real_redis

ALL_IS_WELL = ("ok", "reachable, with all required permissions", "")


@dataclass(frozen=True)
class Place:
    """Servers with and without TLS, and their certificate authority."""

    ours: Authority
    other: Authority
    tls: TLSRedis
    strict: TLSRedis
    strangers: TLSRedis
    plain: RedisProcess
    folder: Path


@pytest.fixture(scope="module")
def place(_redis_process: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    ours, other = Authority(folder), Authority(folder, "other")
    tls, strict = TLSRedis(folder, ours), TLSRedis(folder, ours, asks_clients=True)
    strangers = TLSRedis(folder, ours, hosts=("redis.example",))
    servers = (tls, strict, strangers)
    for server in servers:
        server.start()
    yield Place(ours, other, tls, strict, strangers, _redis_process, folder)
    for server in servers:
        server.kill()


@pytest.mark.parametrize("protocol", [2, 3])
async def test_every_verb_works_over_tls(place: Place, protocol: int) -> None:
    ledger = RedisLedger(connect(right(place), protocol=protocol), f"protocol-{protocol}")
    await everything_works(ledger)
    await ledger.aclose()


async def test_replicas_share_a_circuit_over_mutual_tls_with_their_own_redis_user(
    place: Place,
) -> None:
    mine = place.ours.issue("replica@ha-rag.example")
    behind = trusting(place.ours) + showing(mine)
    with sync_redis.Redis.from_url(place.strict.url + behind) as admin:
        admin.execute_command("ACL", "SETUSER", "app", "reset", "on", ">secret", *acl_rules("ha_rag").split())
    url = place.strict.url.replace("rediss://", "rediss://app:secret@") + behind
    assert await try_redis(url, "ha_rag") == [ALL_IS_WELL]
    async with CircuitRegistry.connect(url, replica="a") as a, CircuitRegistry.connect(url, replica="b") as b:
        here, there = a.breaker("svc"), b.breaker("svc")
        for _ in range(5):
            admission = here.admit()
            assert admission.permit is not None
            admission.permit.failed()
        await until(lambda: there.state == "open")
        # One slow reply on a busy machine makes a replica "local" until the next one.
        await until(lambda: (a.shared_state, b.shared_state) == ("fresh", "fresh"))


@dataclass(frozen=True)
class WrongAddress:
    """An address that does not work, what a check says of it, and the address after following its advice.

    `is_silent`: the server says nothing, so that the check says nothing either before its limit.
    """

    url: Callable[[Place], str]
    seen: str
    advice: str
    fixed: Callable[[Place], str]
    is_silent: bool = False


def right(place: Place) -> str:
    return place.tls.url + trusting(place.ours)


MISTAKES = {
    "an authority that nobody named": WrongAddress(
        lambda p: p.tls.url, "its certificate is not trusted", "?ssl_ca_certs=FILE", right
    ),
    "another authority": WrongAddress(
        lambda p: p.tls.url + trusting(p.other), "its certificate is not trusted", "?ssl_ca_certs=FILE", right
    ),
    "no TLS where it is spoken": WrongAddress(
        lambda p: right(p).replace("rediss://", "redis://").split("?")[0], "cannot be reached", "rediss://", right
    ),
    "TLS where none is spoken": WrongAddress(
        lambda p: p.plain.url.replace("redis://", "rediss://"),
        "cannot be reached",
        "redis://",
        lambda p: p.plain.url,
        is_silent=True,
    ),
    "another host's certificate": WrongAddress(
        lambda p: p.strangers.url + trusting(p.ours),
        "its certificate is for another host",
        "use the certificate's host name in the URL",
        lambda p: p.strangers.url + trusting(p.ours) + "&ssl_check_hostname=false",
    ),
    "no certificate of its own": WrongAddress(
        lambda p: p.strict.url + trusting(p.ours),
        "",  # the reason, or a connection reset: whichever comes first
        "?ssl_certfile=FILE&ssl_keyfile=FILE",
        lambda p: p.strict.url + trusting(p.ours) + showing(p.ours.issue("replica@ha-rag.example")),
    ),
    "a file that is not there": WrongAddress(
        lambda p: f"{p.tls.url}?ssl_ca_certs={p.folder / 'gone.pem'}", "gone.pem", "correct the path", right
    ),
    "a file that is no certificate": WrongAddress(
        lambda p: f"{p.tls.url}?ssl_ca_certs={Path(__file__)}", "no TLS connection", "ssl_ca_certs", right
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
async def test_a_check_names_the_problem_and_following_its_advice_fixes_it(
    what: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake = MISTAKES[what]
    with monkeypatch.context() as patched:
        if mistake.is_silent:
            patched.setattr("ha_rag.assembly.redis_trial.TIMEOUT_S", 0.5)
        ((verdict, text, fix),) = await try_redis(mistake.url(place), "trial")
    assert (verdict, mistake.seen in text, mistake.advice in fix) == ("problem", True, True), (text, fix)
    assert await try_redis(mistake.fixed(place), "trial") == [ALL_IS_WELL]


@pytest.mark.parametrize("what", MISTAKES)
async def test_nothing_is_sent_to_an_untrusted_redis_and_the_replica_starts_without_it(what: str, place: Place) -> None:
    url = MISTAKES[what].url(place)
    ledger = RedisLedger(connect(url))
    with pytest.raises(LedgerUnavailableError):
        await ledger.read({"svc": TERMS})
    await ledger.aclose()
    async with CircuitRegistry.connect(url, replica="alone") as circuits:
        assert await circuits.breaker("svc").call(lambda: "fine") == "fine"
        assert circuits.shared_state == "local"
