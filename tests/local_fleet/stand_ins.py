"""Small programs that stand in for the fleet's own, and a way to run them: `python stand_ins.py WHAT ARGUMENT...`."""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_HERE = str(Path(__file__).resolve())


def command(*words: str) -> tuple[str, ...]:
    """The command line that runs one of the stand-ins below."""
    return (sys.executable, "-I", "-S", _HERE, *words)


def say_and_wait(text: str = "here") -> None:
    """Says `text` and waits to be ended."""
    print(text, flush=True)
    signal.pause()


def refuse_to_end() -> None:
    """Ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say_and_wait("deaf")
    while True:
        signal.pause()


def fail(code: str = "3", text: str = "no such thing", *_: str) -> None:
    """Says what is wrong and ends at once."""
    print(text, file=sys.stderr, flush=True)
    sys.exit(int(code))


def complain(*_: str) -> None:
    """Refuses a configuration, as a replica does."""
    fail("2", "server.prot = 1: unknown key")


def serve(*arguments: str) -> None:
    """Answers every GET with 200 and the variables that the fleet gave it; `--port` is the one flag that it minds."""
    port = int(arguments[arguments.index("--port") + 1])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "\n".join([os.environ.get("HA_RAG_REPLICA", ""), os.environ.get("HA_RAG_REDIS_URL", "")]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def parent(*command: str) -> None:
    """Starts `command` ends_with_parent to itself, says the child's process id, and waits to be killed."""
    import subprocess

    watchdog = str(Path(_HERE).parents[2] / "ha_rag" / "local_fleet" / "parent_watchdog.py")
    watch = ["--watch"] if command[0] == "--watch" else []
    program = command[len(watch) :]
    child = subprocess.Popen([sys.executable, "-I", "-S", watchdog, str(os.getpid()), *watch, *program])
    print(child.pid, flush=True)
    signal.pause()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
