"""Why a Redis refuses commands, by the code of its error, and the setting that mends it.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ (errors), and redis.conf.
"""

from __future__ import annotations

EXPLAINED = {
    "READONLY": (
        "is a read-only replica",
        "name its master in fleet.redis_url or HA_RAG_REDIS_URL, or the sentinels: redis+sentinel://host:26379/SERVICE",
    ),
    "OOM": (
        "is full",
        "increase its maxmemory (CONFIG SET maxmemory 256mb), or use a separate Redis for the circuits",
    ),
    "MISCONF": (
        "accepts no writes because it cannot save to disk",
        "free space on the disk of its folder (CONFIG GET dir), or disable saving: CONFIG SET save '' and "
        "CONFIG SET appendonly no",
    ),
    "LOADING": ("is still loading its data", "try again in a moment"),
}
"""Code -> what is so about this Redis, and what to do."""

_OPERATORS = ("OOM", "MISCONF")


def explained(message: str) -> str:
    """`message`, which begins with a code; with the remedy, if only an operator of the server can help."""
    code = message.split(" ", 1)[0]
    return f"{message.rstrip('. ')}: Redis {'; '.join(EXPLAINED[code])}" if code in _OPERATORS else message
