"""Disks that are really full: a small tmpfs of a test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = "ballast"


class SmallDisk:
    """A file system of `size_kb`. Everybody may write to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def free_kb(self) -> int:
        """What is left of it."""
        return shutil.disk_usage(self.path).free // 1024

    def fill(self, but_kb: int = 0) -> None:
        """Takes all space but so much."""
        with (self.path / BALLAST).open("ab") as ballast:
            size = ballast.tell() + (self.free_kb - but_kb) * 1024
            os.posix_fallocate(ballast.fileno(), 0, max(size, 1))

    def free(self) -> None:
        """Gives it back."""
        (self.path / BALLAST).unlink()


@contextmanager
def small_disk(folder: Path, size_kb: int = 8192, inodes: int = 0) -> Iterator[SmallDisk]:
    """Mounts one at `folder` for a while. Skips the test where this process may not mount, and says so."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size_kb}k,mode=777" + (f",nr_inodes={inodes}" if inodes else "")
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small file system")
    command = ["mount", "-t", "tmpfs", "-o", options, "ha_rag-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a process that a failed test left behind may still have a file open.
        subprocess.run(["umount", "-l", str(folder)], check=True)
