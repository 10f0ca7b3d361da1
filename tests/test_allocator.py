"""What glibc's malloc keeps in a process after `give_memory_back`, as malloc itself tells it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys

import pytest

from ha_rag.allocator import ARENAS, LARGE_BYTES

TOLD = r"""
import ctypes, io, sys, tempfile, threading
from ha_rag.allocator import LARGE_BYTES, give_memory_back

libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = libc.fclose.argtypes = [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]

def allocate_at_once(threads):
    barrier = threading.Barrier(threads)
    def allocate():
        mine = libc.malloc(100_000)
        barrier.wait(30)
        libc.free(mine)
    running = [threading.Thread(target=allocate) for _ in range(threads)]
    for thread in running: thread.start()
    for thread in running: thread.join()

if "bounded" in sys.argv:
    assert give_memory_back()
allocate_at_once(8)
for _ in range(2):  # freeing the first one raises glibc's threshold
    large = libc.malloc(8 * LARGE_BYTES)
    libc.free(large)
large = libc.malloc(8 * LARGE_BYTES)
with tempfile.NamedTemporaryFile() as file:
    stream = libc.fdopen(file.fileno(), b"w")
    libc.malloc_info(0, stream)
    libc.fflush(ctypes.c_void_p(stream))
    print(open(file.name).read())
"""


def _told(*words: str) -> str:
    tuned = ("MALLOC_", "GLIBC_TUNABLES")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(tuned)}
    done = subprocess.run(
        [sys.executable, "-c", TOLD, *words],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _arenas(told: str) -> int:
    return told.count("<heap nr=")


def _mapped_bytes(told: str) -> int:
    found = re.search(r'<total type="mmap" count="\d+" size="(\d+)"', told)
    assert found is not None, told
    return int(found[1])


pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's malloc")


def test_eight_threads_that_allocate_at_once_share_two_arenas() -> None:
    assert _arenas(_told()) > ARENAS, "without it each has one of its own"
    assert _arenas(_told("bounded")) == ARENAS


def test_a_large_block_is_mapped_by_itself_whatever_was_freed_before() -> None:
    assert _mapped_bytes(_told()) < 8 * LARGE_BYTES, "without it the heap takes it"
    assert _mapped_bytes(_told("bounded")) >= 8 * LARGE_BYTES
