"""Servers as child processes: they end with a block, and are waited for until they answer."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

import aiohttp


@contextlib.contextmanager
def program(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child process of this interpreter that ends with the block."""
    child = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with ended(child):
        yield child


@contextlib.contextmanager
def ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends the child after the block, with SIGKILL if it has not ended 10 s after SIGTERM."""
    try:
        yield
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        child.kill()
        child.wait()


async def ready(url: str, at_most_s: float = 30.0) -> None:
    """Waits until the URL answers with a status below 500. Raises TimeoutError."""
    async with asyncio.timeout(at_most_s), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as reply:
                    if reply.status < 500:
                        return
            await asyncio.sleep(0.1)
