"""A worker that an operator can speak to as well. Runs with the `tests.fleet.worker` of 0.1.0 as it does with this one.

`python -m tests.fleet.operator_worker SOCKET`
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from pathlib import Path
from typing import Any

import ha_rag
from tests.fleet.control import serve
from tests.fleet.worker import CIRCUIT, Worker


class OperatorWorker(Worker):
    """A replica whose operator may override its circuit, and ask what it knows of all circuits."""

    async def do_code(self) -> str:
        """The file from which it runs."""
        return str(ha_rag.__file__)

    async def do_override(self, mode: str, for_s: float | None = None) -> None:
        """An operator's override, for every replica."""
        assert self._circuits is not None
        await self._circuits.override(CIRCUIT, mode, reason="a test", by="kim", for_s=for_s)

    async def do_end_override(self) -> None:
        """Ends it."""
        assert self._circuits is not None
        await self._circuits.end_override(CIRCUIT, by="kim")

    async def do_circuits(self) -> list[dict[str, Any]]:
        """What it reports of all circuits."""
        assert self._circuits is not None
        return [dataclasses.asdict(report) for report in await self._circuits.circuits()]


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), OperatorWorker))
