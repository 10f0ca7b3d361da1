"""Fixtures for all tests: real and stand-in Redis servers, free ports, and markers by folder."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import patient_replicas, unclosed_connections
from tests.ports import free_port
from tests.redis_servers import RedisProcess, fake_redis, redis_binary, redis_version
from tests.version_0_1_0 import Version010, unpack

NO_REDIS = "none on the PATH, virtual environments aside (apt-get install redis-server)"
_MARK_BY_FOLDER = {"fleet", "browser", "compose", "installed"}


# How long an example takes says how busy the machine is.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(unclosed_connections)
    # A background process of a shell inherits an ignored SIGINT, and so would the programs that tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# A property holds however long an example takes; in CI Hypothesis knows that by itself.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_report_header() -> str:
    binary = redis_binary()
    return f"redis-server: {binary} ({redis_version(binary)})" if binary else f"redis-server: {NO_REDIS}"


def pytest_collection_finish() -> None:
    # A full collection over the objects of five thousand tests stops this process for a quarter of a second, which
    # would distort time measurements in tests.
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("long"):
            continue  # for `make test-long` alone, wherever it is
        for folder in _MARK_BY_FOLDER & set(Path(item.path).relative_to(item.config.rootpath).parts):
            item.add_marker(folder)


@pytest.fixture(autouse=True)
def _no_unexpected_errors_in_the_sync(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """Fails a test whose sync logged an error: errors in the background are logged, not raised."""
    yield
    if request.node.get_closest_marker("provokes_errors") is None:
        errors = [r for r in caplog.get_records("call") if r.name.startswith("ha_rag.ledger.sync") and r.exc_info]
        assert not errors, "\n".join(logging.Formatter().format(record) for record in errors)


@pytest.fixture(autouse=True)
def _replicas_are_patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests of the fleet Redis is frozen and far away, and replicas have the limits of production."""
    if not any(request.node.get_closest_marker(name) for name in ("fleet", "production_limits")):
        patient_replicas.in_this_test(monkeypatch)


@pytest.fixture(autouse=True)
def _umask_is_restored() -> Iterator[None]:
    """Commands that are run inside this process close their files to others; the files of later tests stay open."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def _no_background_thread_is_left() -> Iterator[None]:
    """Fails a test whose registry joined at its first call and was not left: its thread would disturb later tests."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread.name == "ha-rag" and thread not in before]
    assert not left, "leave each registry that has joined, with `with` or `async with`"


def require_redis_binary() -> str:
    """The redis-server to test with. Without one the test is skipped, or fails in CI."""
    binary = redis_binary()
    if binary is None:
        reason = f"redis-server: {NO_REDIS}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)  # the tests with the stand-in still run; CI has the real server
    return binary


@pytest.fixture(scope="session")
def _redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path_factory.mktemp("redis"), binary=require_redis_binary())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_server(_redis_process: RedisProcess) -> RedisProcess:
    """An empty real redis-server, shared by the session's tests: do not pause or kill it."""
    _redis_process.forget()
    return _redis_process


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[RedisProcess]:
    """A real redis-server for one test, which may pause, kill and restart it."""
    server = RedisProcess(tmp_path, binary=require_redis_binary())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def fake_redis_server() -> Iterator[str]:
    """The URL of an empty fakeredis TCP server."""
    with fake_redis() as url:
        yield url


@pytest.fixture(params=["fakeredis", pytest.param("redis-server", marks=pytest.mark.real_redis)])
def any_redis_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty Redis; the test runs with the stand-in and with the real server."""
    if request.param == "fakeredis":
        url: str = request.getfixturevalue("fake_redis_server")
        return url
    server: RedisProcess = request.getfixturevalue("redis_server")
    return server.url


@pytest.fixture(scope="session")
def version_0_1_0(tmp_path_factory: pytest.TempPathFactory) -> Version010:
    """ha_rag 0.1.0, unpacked; a test that takes it is skipped in a shallow clone."""
    return unpack(tmp_path_factory.mktemp("version_0_1_0"))


@pytest.fixture
def unused_port() -> int:
    """A loopback TCP port that nothing listens on."""
    return free_port()
