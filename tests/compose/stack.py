"""Stack: the compose file of this project, brought up in a real Docker engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
UP_S = 420
"""The longest that building the image and starting the stack may take, in seconds."""

STOP_S = 45
"""How long each service gets to end before it is killed, in seconds."""

_ASK_EACH = """
import socket, sys, urllib.request
name, path = sys.argv[1:]
for address in sorted({found[4][0] for found in socket.getaddrinfo(name, 8000, socket.AF_INET)}):
    print(urllib.request.urlopen(f"http://{address}:8000{path}", timeout=5).read().decode().replace("\\n", " "))
"""


class Stack:
    """One project of compose. `files`: overlays of compose/, by name. `port`: where its gateway listens."""

    def __init__(self, engine: dict[str, str], name: str, port: int, *files: str, **variables: str) -> None:
        self.name, self.port = name, port
        client = ("docker", "compose") if _has_plugin(engine) else ("docker-compose",)
        layers = [f"-f{ROOT / 'compose.yaml'}", *(f"-f{ROOT / 'compose' / file}.yaml" for file in files)]
        self._compose = (*client, "--project-directory", str(ROOT), "-p", name, *layers)
        self._environment = {**os.environ, **engine, "HA_RAG_PORT": str(port), **variables}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *words: str, timeout_s: float = 120) -> str:
        """What one command of compose said. Raises AssertionError where it failed."""
        return self._run((*self._compose, *words), timeout_s)

    def docker(self, *words: str, timeout_s: float = 60) -> str:
        return self._run(("docker", *words), timeout_s)

    def _run(self, command: Sequence[str], timeout_s: float) -> str:
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def up(self, *services: str, replicas: int = 3) -> None:
        self.compose("up", "-d", "--build", "--scale", f"rag={replicas}", *services, timeout_s=UP_S)

    def scale(self, replicas: int) -> None:
        self.compose("up", "-d", "--no-recreate", "--scale", f"rag={replicas}", "rag")

    def containers(self, service: str) -> list[str]:
        """The ids of a service's running containers."""
        return self.docker("ps", "-q", *self._labelled(service)).split()

    def left(self) -> str:
        """Whatever of this project the engine still has."""
        label = f"label=com.docker.compose.project={self.name}"
        return "".join(
            self.docker(*words, "-q", "--filter", label)
            for words in (("ps", "-a"), ("network", "ls"), ("volume", "ls"))
        )

    def _labelled(self, service: str) -> tuple[str, ...]:
        labels = (f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}")
        return tuple(word for label in labels for word in ("--filter", f"label={label}"))

    def inside(self, container: str, path: str) -> str:
        """What the server in one container answers."""
        return self.docker("exec", container, "python", "-c", _ASK_EACH, "localhost", path)

    def each(self, service: str, path: str) -> list[str]:
        """What each running container of a service answers, in one look: a process in a container can take seconds."""
        return self.docker("exec", self.containers(service)[0], "python", "-c", _ASK_EACH, service, path).splitlines()

    def logs(self) -> str:
        """The last that each container said, but for the questions that were answered: they would bury the rest."""
        said = self.compose("logs", "--no-color", "--tail=300").splitlines(keepends=True)
        return "".join(line for line in said if "ha_rag.answers" not in line)

    def down(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", str(STOP_S), timeout_s=180)

    @contextmanager
    def asked(self, per_s: float, for_s: float) -> Iterator[Load]:
        """Questions at the gateway while the block runs, from a process of its own; read the tally after it."""
        command = [sys.executable, "-m", "ha_rag.simulation.load", "--url", self.url]
        command += ["--per-s", str(per_s), "--for", str(for_s)]
        load = Load()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            try:
                yield load
                out, _ = process.communicate(timeout=for_s + 60)
                load.tally = json.loads(out)
            finally:
                process.kill()


class Load:
    """What became of the questions, once all were asked."""

    tally: dict[str, Any]

    @property
    def lost(self) -> dict[str, Any]:
        return dict(self.tally["failures"])


def _has_plugin(engine: dict[str, str]) -> bool:
    if shutil.which("docker") is None:
        return False
    asked = ["docker", "compose", "version"]
    return subprocess.run(asked, env={**os.environ, **engine}, capture_output=True, check=False).returncode == 0
