import signal
import subprocess
import sys
import urllib.request

import pytest

from tests.waiting import PATIENCE_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_provider_runs_as_a_process_and_stops_cleanly(number, unused_port):
    command = [sys.executable, "-m", "workers.provider", "--port", str(unused_port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert (
            process.stderr.readline().strip() == f"the simulated provider listens at http://127.0.0.1:{unused_port}/v1"
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{unused_port}/health") as reply:
            assert reply.status == 200
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE_S) == 0
        assert process.stderr.read() == ""


def test_an_invalid_option_is_refused():
    command = [sys.executable, "-m", "ha_rag.simulation", "--latency-ms", "-1"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert "--latency-ms must be at least 0" in process.stderr
