"""Keys that replicas write anew anyway: one that cannot be read at all is deleted.

Any client may have written it: a value of another type, or so much that the reply is refused before it is parsed
(`reply_limits.py`). As long as it stood there, no replica could read what the others write beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from ha_rag.ledger.store.reply_limits import ReplyTooLargeError

T = TypeVar("T")

ON_SOUND_KEY = """
local function on_sound_key(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  local function says(text) return answer.err:find(text, 1, true) end
  if says('WRONGTYPE') or says('exhausted') or says('equal or smaller') then redis.call('DEL', key) end
  return redis.call(command, key, ...)
end
"""
"""The same in a script: a key that the command cannot work with, of another type or at the last id of a stream, is
deleted, and the command is run again."""

Told = Callable[[str], object]
"""Is told why a key was deleted."""


async def read_or_delete(client: Any, key: str, told: Told, read: Callable[[], Awaitable[T]]) -> T | None:
    """What `read` returns; None if `key` cannot be read at all: then it is deleted, and `told` says why.

    Raises redis-py's exceptions unchanged.
    """
    try:
        return await read()
    except ReplyTooLargeError as error:
        why = str(error)
    except ResponseError as error:
        if not is_of_another_type(error):
            raise
        why = "a key of another type"
    await client.delete(key)
    told(f"{why}; its key is deleted")
    return None


def is_of_another_type(error: ResponseError) -> bool:
    """Whether a command was refused because its key holds a value of another type."""
    return "WRONGTYPE" in str(error)
