"""wrk: a load generator in C, so that the load is not what limits a fast server."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field

SCRIPT = """\
wrk.method = "POST"
wrk.body = {body}
{headers}
function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\\nfound {{"answers": %d, "refused": %d, "lost": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f}}\\n',
    summary.requests, errors.status, lost, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


class FailedError(Exception):
    """Not every request was answered with success, or wrk itself failed."""


@dataclass(frozen=True)
class Request:
    """A POST of JSON, the same each time."""

    url: str
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", **self.headers}


@dataclass(frozen=True)
class Load:
    """What one run found. `refused`: answers with a status of 400 or above. `lost`: requests without an answer."""

    answers: int
    refused: int
    lost: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        return self.answers / self.seconds


def require_wrk() -> None:
    """Ends the benchmark where wrk is not installed."""
    if shutil.which("wrk") is None:
        sys.exit("this benchmark needs wrk on the PATH (Debian: apt-get install wrk)")


async def load(request: Request, connections: int, seconds: float) -> Load:
    """Sends the request on each connection, again as soon as it was answered. Raises FailedError."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(script_for(request))
        script.flush()
        wrk = await asyncio.create_subprocess_exec(
            "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{max(1, round(seconds))}s",
            "--timeout", "30s", "--script", script.name, request.url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said = (await wrk.communicate())[0].decode()
    found = next((line for line in said.splitlines() if line.startswith("found ")), None)
    if wrk.returncode or found is None:
        raise FailedError(f"wrk ended with status {wrk.returncode}: {said.strip()[-300:]}")
    measured = Load(**json.loads(found.removeprefix("found ")))
    if measured.refused or measured.lost or not measured.answers:
        raise FailedError(f"of {measured.answers} answers {measured.refused} were errors, {measured.lost} were lost")
    return measured


def script_for(request: Request) -> str:
    """The request as wrk is told it. A JSON string without control characters is also one of Lua."""
    headers = "\n".join(
        f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in request.all_headers.items()
    )
    return SCRIPT.format(body=json.dumps(json.dumps(request.body)), headers=headers)
