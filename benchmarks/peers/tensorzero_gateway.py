"""TensorZero's HTTP gateway, written in Rust, that its wheel starts inside a process; Python only waits.

    python -m benchmarks.peers.tensorzero_gateway CONFIGURATION ADDRESS_FILE

It is the gateway that `tensorzero.patch_openai_client` starts for a client of OpenAI. It chooses its port: the address
is written to the file once it listens.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Serves until stopped."""
    from tensorzero import _start_http_gateway

    configuration, address_file = sys.argv[1:]
    gateway: Any = _start_http_gateway(
        config_file=configuration, clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
    )
    written = Path(f"{address_file}.part")
    written.write_text(gateway.base_url, encoding="utf-8")
    written.rename(address_file)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    gateway.close()


if __name__ == "__main__":
    main()
