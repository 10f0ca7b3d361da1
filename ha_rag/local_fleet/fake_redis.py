"""fakeredis as a server of its own: `python -m ha_rag.local_fleet.fake_redis PORT`, on loopback, until SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading

from fakeredis import TcpFakeServer


def main(port: int) -> None:
    """Serves on 127.0.0.1:`port` until SIGTERM or SIGINT."""
    server = TcpFakeServer(("127.0.0.1", port), server_type="redis", server_version=(7, 0))
    # Open connections must not keep this process alive.
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"fakeredis serves on 127.0.0.1:{port}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(int(sys.argv[1]))
