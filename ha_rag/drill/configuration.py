"""The configuration of the fleet under test: short timeouts and open times, so that an outage takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

GENERATOR_TIMEOUT_S = 2.5
"""Longer than the answers of the generator in a brownout (2 s), which would be failures otherwise."""

_TEMPLATE = """\
[fleet]
redis_url = "{redis_url}"

[circuit]
window_s = {window_s}
recovery_timeout_s = {rest_s}
recovery_timeout_max_s = {longest_rest_s}
throttle_max_s = {longest_rest_s}

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
timeout_s = {generator_timeout_s}
[generators.circuit]
slow_call_s = 0.3

[[generators]]
name = "extractive"
kind = "extractive"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the parts of a drill take. `outage_s`: each outage, unless its stage needs longer. `rest_s`: the first
    recovery timeout of a circuit; later ones are at most twice that. `window_s`: each circuit's window; a fresh circuit
    opens when half of it are failures, so it is short compared with the outage.
    """

    outage_s: float
    rest_s: float
    window_s: float


FULL = Timing(outage_s=10.0, rest_s=4.0, window_s=4.0)
FAST = Timing(outage_s=2.5, rest_s=2.0, window_s=1.0)


def fleet_configuration(timing: Timing, provider_port: int, redis_url: str | None) -> str:
    """The TOML for a fleet whose provider listens on `provider_port`, and whose Redis is at `redis_url`."""
    return _TEMPLATE.format(
        port=provider_port,
        redis_url=redis_url,
        rest_s=timing.rest_s,
        longest_rest_s=2 * timing.rest_s,
        window_s=timing.window_s,
        generator_timeout_s=GENERATOR_TIMEOUT_S,
    )
