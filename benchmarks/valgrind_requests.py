"""Requests from inside a process to the callgrind that runs it: count from here, write down, stop counting.

valgrind's requests are a sequence of instructions that does nothing on a processor. This puts the one of x86-64 into a
page of memory, so that no compiler is needed. Source: valgrind/valgrind.h and callgrind/callgrind.h.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import sys

_REQUEST = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the arguments
    "31d2"  # xor edx, edx: the result without valgrind
    "48c1c70348c1c70d48c1c73d48c1c733"  # rol rdi by 3, 13, 61, 51: unchanged after 128 bits
    "4887db"  # xchg rbx, rbx: this is a request
    "4889d0"  # mov rax, rdx
    "c3"  # ret
)  # fmt: skip
_BASE = ord("C") << 24 | ord("T") << 16
_ZERO, _DUMP_AT, _START, _STOP = _BASE + 1, _BASE + 3, _BASE + 4, _BASE + 5
_RUNNING_ON_VALGRIND = 0x1001


def unsupported() -> str:
    """Why this machine cannot send requests; empty if it can."""
    ours = sys.platform == "linux" and platform.machine() == "x86_64"
    return "" if ours else f"valgrind's requests are only known for Linux on x86-64, not for {platform.platform()}"


class Callgrind:
    """The callgrind around this process; start it with `--instr-atstart=no`."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page.write(_REQUEST)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._send = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64 * 6))(address)

    def _request(self, number: int, argument: int = 0) -> int:
        return int(self._send(ctypes.byref((ctypes.c_uint64 * 6)(number, argument))))

    @property
    def there(self) -> bool:
        """Whether this process runs on valgrind at all."""
        return self._request(_RUNNING_ON_VALGRIND) > 0

    def start(self) -> None:
        """Counts from now on."""
        self._request(_START)
        self._request(_ZERO)

    def stop(self, name: str) -> None:
        """Writes the count into a file of its own, under this name, and stops counting."""
        kept = ctypes.create_string_buffer(name.encode())
        self._request(_DUMP_AT, ctypes.addressof(kept))
        self._request(_STOP)
