"""Locks that say that a process runs, and the ports that fleets claim with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ha_rag.local_fleet.held_lock import HeldLock, is_held
from ha_rag.local_fleet.port_claims import PortClaims

HOLDER = """
import sys
from pathlib import Path
from ha_rag.local_fleet.held_lock import HeldLock
lock = HeldLock(Path(sys.argv[1])); print(lock.acquire(), flush=True); sys.stdin.read()
"""


def test_a_lock_is_held_by_one_at_a_time_until_it_is_released(tmp_path: Path) -> None:
    first, second = HeldLock(tmp_path / "lock"), HeldLock(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")
    assert (first.acquire(), second.acquire(), is_held(tmp_path / "lock")) == (True, False, True)
    first.release()
    assert (is_held(tmp_path / "lock"), second.acquire()) == (False, True)
    second.release()


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        assert is_held(tmp_path / "lock")
        process.kill()
        process.wait()
    assert not is_held(tmp_path / "lock")


def test_ports_are_claimed_all_or_none(tmp_path: Path) -> None:
    with PortClaims(tmp_path / "ports") as one, PortClaims(tmp_path / "ports") as two:
        assert one.claim([8000, 8001])
        assert not two.claim([8001, 8002])
        assert one.claim([8002])
        assert two.claim([8010])
    with PortClaims(tmp_path / "ports") as three:
        assert three.claim([8000, 8001, 8002, 8010])


def test_where_no_claims_can_be_made_every_port_is_granted(tmp_path: Path) -> None:
    (tmp_path / "ports").write_text("")
    with PortClaims(tmp_path / "ports") as claims:
        assert claims.claim([8000])
