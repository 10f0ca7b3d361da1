"""The configuration of a fleet that is drilled: short timeouts and rests, so that an outage passes within seconds."""

from __future__ import annotations

from dataclasses import dataclass

_TEMPLATE = """\
[fleet]
redis_url = "{redis_url}"

[circuit]
window_s = {window_s}
recovery_timeout_s = {rest_s}
recovery_timeout_max_s = {longest_s}
throttle_max_s = {longest_s}

[[embedders]]
name = "primary"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
model = "simulated-embedding"
dimension = 256
timeout_s = 0.5

[[embedders]]
name = "secondary"
kind = "local"

[[retrievers]]
name = "primary"
kind = "local"

[[retrievers]]
name = "reduced"
kind = "reduced"

[[retrievers]]
name = "lexical"
kind = "lexical"

[[generators]]
name = "primary"
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
model = "simulated-chat"
timeout_s = 1.0
[generators.circuit]
slow_call_s = 0.3

[[generators]]
name = "extractive"
kind = "extractive"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """How quick a drill is. `outage_s`: how long each outage lasts. `rest_s`: how long a circuit rests at first, and at
    most twice that. `window_s`: what a circuit remembers; half of it must be failures, so it is short beside an outage.
    """

    outage_s: float
    rest_s: float
    window_s: float


FULL = Tempo(outage_s=10.0, rest_s=4.0, window_s=4.0)
FAST = Tempo(outage_s=2.5, rest_s=2.0, window_s=1.0)


def drilled_configuration(tempo: Tempo, provider_port: int, redis_url: str | None) -> str:
    """The TOML of a fleet whose provider listens there, and whose Redis is at `redis_url`."""
    return _TEMPLATE.format(
        port=provider_port,
        redis_url=redis_url,
        rest_s=tempo.rest_s,
        longest_s=2 * tempo.rest_s,
        window_s=tempo.window_s,
    )
