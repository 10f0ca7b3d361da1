"""The allocator of a process that runs for months: memory that was needed once is given back.

glibc's malloc keeps an arena for every thread that allocates, up to eight a core, and each arena keeps what its largest
thread once needed: the threads that write the word index live for one write, so that every document may find another
arena to fill. And a large block that is freed raises the size from which blocks are mapped by themselves, so that after
one body of 10 MB all later ones fragment the heap (decision 22 has the figures). Other allocators are left alone.

Source: mallopt(3); glibc's malloc/arena.c and malloc.c (M_MMAP_THRESHOLD is adjusted dynamically unless it is set).
"""

from __future__ import annotations

import ctypes

ARENAS = 2
"""One for the thread of the event loop, one for all others: most allocations are served without an arena's lock."""

LARGE_BYTES = 1 << 20
"""From this size on a block is mapped by itself, and unmapped when it is freed. No search of a column needs as much."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""M_TRIM_THRESHOLD and the others of glibc's malloc.h."""


def give_memory_back() -> bool:
    """Bounds what this process keeps after it was freed. Call it before threads allocate: arenas that exist stay.

    Returns False, and changes nothing, where the allocator is not glibc's (musl, macOS, Windows).
    """
    try:
        libc = ctypes.CDLL(None)
        _ = libc.gnu_get_libc_version
    except (OSError, TypeError, AttributeError):
        return False
    # The heap's free end is returned from twice the large size on, the ratio that glibc itself keeps.
    wanted = {_ARENA_MAX: ARENAS, _MMAP_THRESHOLD: LARGE_BYTES, _TRIM_THRESHOLD: 2 * LARGE_BYTES}
    done = [libc.mallopt(parameter, value) for parameter, value in wanted.items()]
    return all(done)
