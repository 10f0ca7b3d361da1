"""Fixtures: a replica's application over stubs, and a client of it."""

from __future__ import annotations

import pytest

from tests.http.app_client import AppClient, StubReplica


@pytest.fixture
def replica() -> StubReplica:
    return StubReplica()


@pytest.fixture
def client(replica: StubReplica) -> AppClient:
    return replica.client()
