"""What a program does not load unless it needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = "import sys; {statement}; print(sorted(set(sys.modules) & set({libraries})))"


def loaded_by(statement: str, *libraries: str) -> str:
    program = LOADED.format(statement=statement, libraries=libraries)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    "statement",
    [
        "import ha_rag.interfaces",
        "import ha_rag.messages",
        "from ha_rag import Embedder, Embedding, Space",
        "from ha_rag import CircuitBreaker, CircuitPolicy, CircuitRegistry",
    ],
)
def test_interfaces_messages_and_circuits_are_imported_without_numpy(statement: str):
    assert loaded_by(statement, "numpy") == "[]"


def test_the_components_import_numpy():
    assert loaded_by("import ha_rag.components.vectors", "numpy") == "['numpy']"


def test_a_circuit_loads_nothing_that_only_redis_or_the_pipeline_needs():
    libraries = ("redis", "pydantic", "aiohttp", "ha_rag.messages", "ha_rag.system", "ha_rag.ledger.store.redis")
    statement = "from ha_rag import CircuitOpenError, CircuitPolicy, CircuitRegistry; CircuitRegistry.connect()"
    assert loaded_by(statement, *libraries) == "[]"
    shared = "from ha_rag import CircuitRegistry; CircuitRegistry.connect('redis://localhost')"
    assert loaded_by(shared, *libraries) == "['ha_rag.ledger.store.redis', 'redis']"
