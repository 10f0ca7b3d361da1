"""The load generator as a command: it prints its results, once or for each interval."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from ha_rag.simulation.load import main
from tests.ports import free_port
from tests.waiting import PATIENCE_S


def told(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    main(["--url", f"http://127.0.0.1:{free_port()}", "--per-s", "200", *words])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_it_prints_one_result_when_the_time_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    (all_of_it,) = told(capsys, "--for", "0.1")
    assert all_of_it["failed"] == all_of_it["asked"] != 0


def test_with_every_it_prints_a_result_for_each_interval(capsys: pytest.CaptureFixture[str]) -> None:
    stretches = told(capsys, "--for", "0.25", "--every", "0.1")
    assert len(stretches) == 3
    assert all(stretch["failed"] == stretch["asked"] != 0 for stretch in stretches)


@pytest.mark.parametrize(("words", "says"), [(("--every", "0"), "--every 0"), (("--url", "ftp://x"), "'ftp://x'")])
def test_invalid_arguments_are_refused(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main([*words])
    assert refused.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_quietly_on_a_signal(number: signal.Signals) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "ha_rag.simulation.load", "--url", url, "--every", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it runs
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
