"""fakeredis as a server of its own: `python -m ha_rag.local_fleet.fake_redis PORT`, on loopback, until SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from fakeredis import TcpFakeServer


class FakeRedisServer(TcpFakeServer):
    """fakeredis on 127.0.0.1; port 0: a free one, which `url` names.

    It keeps a connection open after a command that it refuses, as Redis does. Fakeredis answers and then closes it, and
    a client that has just taken that connection for its next command gets no answer.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), server_type="redis", server_version=(7, 0))
        # Open connections must not keep this process alive.
        self.daemon_threads = True
        self.RequestHandlerClass = _kept_open(self.RequestHandlerClass)

    @property
    def url(self) -> str:
        """Its address as a Redis URL."""
        return f"redis://127.0.0.1:{self.server_address[1]}/0"


def _kept_open(handler: Any) -> Any:
    """The handler of connections, which answers a refused command as it answers others."""

    def setup(connection: Any) -> None:
        handler.setup(connection)
        read = connection.current_client.read_response

        def answer(**options: Any) -> Any:
            try:
                return read(**options)
            except Exception as refusal:
                return refusal

        connection.current_client.read_response = answer

    return type("KeptOpen", (handler,), {"setup": setup})


def main(port: int) -> None:
    """Serves on 127.0.0.1:`port` until SIGTERM or SIGINT."""
    server = FakeRedisServer(port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"fakeredis serves on 127.0.0.1:{port}\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(int(sys.argv[1]))
