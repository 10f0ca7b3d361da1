"""The Redis permissions that a replica and an alerter need, as ACL rules.

Tests run a fleet with exactly these permissions, then without each of them in turn, and check that the Lua calls no
other command. Connecting (AUTH, HELLO, CLIENT SETINFO) needs no permission, or works without it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ha_rag.ledger.store.keys import Keys

COMMANDS = (
    "del", "eval", "evalsha", "hdel", "hget", "hgetall", "hmget", "hset", "mget", "pexpire", "ping", "publish", "pttl",
    "set", "subscribe", "time", "xadd", "xrange", "xrevrange", "zadd", "zcount", "zrange", "zrem", "zremrangebyscore",
)  # fmt: skip
"""In lower case, as in ACL rules."""

HELPFUL_COMMANDS = ("info",)
"""Optional: Redis's memory use is only displayed and warned about."""

ALERTER_COMMANDS = ("get", "incrby", "xack", "xautoclaim", "xgroup", "xinfo|consumers", "xreadgroup")
"""What an alerter needs in addition to a replica's commands."""


def keys_rule(namespace: str) -> str:
    """The ACL rule for all keys of a fleet."""
    return f"~{namespace}:*"


def channel_rule(namespace: str) -> str:
    """The ACL rule for the channel of a fleet."""
    return f"&{Keys(namespace).changes}"


def acl_rules(namespace: str) -> str:
    """The rules that give a user exactly a replica's permissions; they follow the password in `ACL SETUSER`."""
    commands = " ".join(f"+{command}" for command in (*COMMANDS, *HELPFUL_COMMANDS))
    return f"{keys_rule(namespace)} resetchannels {channel_rule(namespace)} -@all {commands}"


def samples(keys: Keys, circuit: str) -> Mapping[str, tuple[str | int, ...]]:
    """Arguments that try each of `COMMANDS` on an unused circuit and leave no data behind.

    Run them in this order. SUBSCRIBE is left out: it needs its own connection.
    """
    _, text, names, scores, _, _, _, stream = keys.circuit(circuit)
    return {
        "set": (text, "1", "PX", 1000),
        "pexpire": (text, 1000),
        "pttl": (text,),
        "mget": (text,),
        "hset": (names, "trial", "1"),
        "hget": (names, "trial"),
        "hmget": (names, "trial"),
        "hgetall": (names,),
        "hdel": (names, "trial"),
        "zadd": (scores, 1, "trial"),
        "zcount": (scores, "-inf", "+inf"),
        "zrange": (scores, 0, -1),
        "zremrangebyscore": (scores, "-inf", 0),
        "zrem": (scores, "trial"),
        "xadd": (stream, "*", "trial", "1"),
        "xrange": (stream, "-", "+"),
        "xrevrange": (stream, "+", "-"),
        "publish": (keys.changes, ""),
        "time": (),
        "ping": (),
        "eval": (_SCRIPT, 1, text),
        "evalsha": (_SCRIPT_SHA, 1, text),
        "del": (text, names, scores, stream),
    }


_SCRIPT, _SCRIPT_SHA = "return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
