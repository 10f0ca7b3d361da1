"""A cluster of two nodes, each with half of the slots."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ledger.test_other_topologies import cluster_node, decoded, is_whole
from tests.ports import free_port
from tests.redis_servers import RedisProcess

HALF, SLOTS = 8192, 16384


@contextmanager
def two_halves(folder: Path) -> Iterator[tuple[RedisProcess, RedisProcess]]:
    """Both nodes, once each knows all slots. A node that dies takes its half with it; the other half goes on.

    When a node replies late, redis-py learns the cluster anew and drops what it knew of it without closing that. It is
    collected here, so that it is not found in whichever test runs then.
    """
    nodes, bus = [], free_port()
    try:
        for name, port in (("one", free_port()), ("other", bus)):
            nodes.append(cluster_node(folder / name, port))
        with decoded(nodes[0]) as first, decoded(nodes[1]) as second:
            for node, start in ((first, 0), (second, HALF)):
                node.execute_command("CLUSTER ADDSLOTSRANGE", start, start + HALF - 1)
                node.config_set("cluster-require-full-coverage", "no")
            first.execute_command("CLUSTER MEET", "127.0.0.1", nodes[1].port, bus)
            while not all(is_whole(node) and _knows_all(node) for node in (first, second)):
                assert second.ping()
        yield nodes[0], nodes[1]
    finally:
        for node in nodes:
            node.kill()
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()


def _knows_all(node: Any) -> bool:
    return str(node.execute_command("CLUSTER INFO")["cluster_slots_ok"]) == str(SLOTS)
