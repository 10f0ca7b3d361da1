"""Rights: what a Redis user must be allowed for a replica to do all of its work, and nothing beyond it.

A test lives a fleet's whole life with just these, and without each of them in turn; another one reads the Lua for
commands that are not named here. To connect (AUTH, HELLO, CLIENT SETINFO) takes no right, or can do without.
"""

from __future__ import annotations

from collections.abc import Mapping

from ha_rag.ledger.store.keys import Keys

COMMANDS = (
    "del", "eval", "evalsha", "hdel", "hget", "hgetall", "hmget", "hset", "mget", "pexpire", "ping", "publish", "pttl",
    "set", "subscribe", "time", "xadd", "xrange", "xrevrange", "zadd", "zcount", "zrange", "zrangebyscore", "zrem",
    "zremrangebyscore",
)  # fmt: skip
"""In lower case, as an ACL rule names them."""

HELPFUL_COMMANDS = ("info",)
"""Nothing depends on these: what Redis says of its memory is shown to people, and warned of."""

ALERTER_COMMANDS = ("get", "incrby", "xack", "xautoclaim", "xgroup", "xinfo|consumers", "xreadgroup")
"""What an alerter does beyond a replica's work."""


def keys_rule(namespace: str) -> str:
    """The pattern of all keys of a fleet, as an ACL rule."""
    return f"~{namespace}:*"


def channel_rule(namespace: str) -> str:
    """The channel of a fleet, as an ACL rule."""
    return f"&{Keys(namespace).changes}"


def acl_rules(namespace: str) -> str:
    """What gives a user just the rights that a replica needs; goes behind the password in `ACL SETUSER`."""
    commands = " ".join(f"+{command}" for command in (*COMMANDS, *HELPFUL_COMMANDS))
    return f"{keys_rule(namespace)} resetchannels {channel_rule(namespace)} -@all {commands}"


def samples(keys: Keys, circuit: str) -> Mapping[str, tuple[str | int, ...]]:
    """For each command of `COMMANDS` arguments that try it on a circuit that is nobody's, and leave nothing behind.

    To be run in this order. SUBSCRIBE is not among them: it takes a connection of its own.
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
        "zrangebyscore": (scores, "-inf", "+inf"),
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
