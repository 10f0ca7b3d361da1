"""The verbs as Lua scripts: loaded from the package once, sent with EVAL the first time and EVALSHA after that."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from redis.exceptions import NoScriptError

VERBS = ("record", "lease", "settle", "override", "order", "restore", "trial", "read")

PRELUDE = ("clock", "bounds", "circuit", "rules", "streak", "counting", "probing", "restoring", "reply")
"""Files prepended to every script, in this order: each uses only functions of those before it."""


@dataclass(frozen=True, slots=True)
class LuaScript:
    """One verb: its text, and the SHA-1 by which Redis caches it. Immutable, safe across tasks."""

    text: str
    sha: str


class LuaScripts:
    """The verbs on one client. Safe across tasks."""

    def __init__(self, client: Any, clock: str | None = None) -> None:
        self._client = client
        self._scripts = scripts(clock)
        self._sent: set[str] = set()

    async def run(self, verb: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Runs a verb. Raises redis-py's exceptions unchanged."""
        script = self._scripts[verb]
        if verb in self._sent:
            try:
                return await self._client.evalsha(script.sha, len(keys), *keys, *args)
            except NoScriptError:
                # Not cached: SCRIPT FLUSH, a restart, another node. If EVAL fails too, the next call uses EVAL again.
                self._sent.discard(verb)
        answer = await self._client.eval(script.text, len(keys), *keys, *args)
        self._sent.add(verb)
        return answer


def lua(name: str) -> str:
    """The text of one Lua file of this package, such as `record` or `prelude/rules`."""
    return files("ha_rag.ledger").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


@cache
def scripts(clock: str | None = None) -> dict[str, LuaScript]:
    """All verbs by name. `clock`: Lua that replaces `prelude/clock.lua` (tests)."""
    parts = [clock or lua("prelude/clock"), *(lua(f"prelude/{part}") for part in PRELUDE[1:])]
    return {verb: _script("\n".join([*parts, lua(verb)])) for verb in VERBS}


def _script(text: str) -> LuaScript:
    return LuaScript(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
