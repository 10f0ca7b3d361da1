"""FeedbackStore: what people thought of answers, counted for the whole fleet.

A rating is counted under several groups, such as "degradation:none" and "tier:generator.primary". Whoever rated an
answer is remembered in one of a fixed number of places, so that rating it again changes the rating and adds none.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ha_rag.ledger.store.cache import place_of
from ha_rag.ledger.store.keys import Keys
from ha_rag.ledger.store.replaceable import ON_SOUND_KEY, read_or_delete
from ha_rag.ledger.store.translation import translated
from ha_rag.ledger.store.validation import ForeignValueError, bounded, items_of, one_of, text, whole

Verdict = Literal["up", "neutral", "down"]
VERDICTS: tuple[Verdict, ...] = ("up", "neutral", "down")

PLACES = 100_000
KEPT_MS = 7 * 24 * 3600 * 1000
"""How long it is remembered who rated an answer, and how."""

MAX_COMMENTS = 1_000
MAX_COMMENT_CHARS = 1_000
MAX_FIELDS = 3_000

_FIELD = re.compile(r"((?:all|(?:degradation|tier):[a-z0-9_.+-]{1,200})) (up|neutral|down)\Z")
_SECRET = re.compile(r"[0-9a-f]{64}\Z")

_GIVE = (
    ON_SOUND_KEY
    + """
local stored = redis.call('MGET', KEYS[1])[1]
local before, commented
if stored and string.sub(stored, 1, 64) == ARGV[1] then
  before, commented = string.match(string.sub(stored, 65), '^ (%l+)(%+?)$')
end
local function add(verdict, number)
  for n = 6, #ARGV do
    local name = ARGV[n] .. ' ' .. verdict
    local stored = on_sound_key('HGET', KEYS[2], name) or ''
    local counted = (#stored <= 15 and stored:match('^%d+$') and tonumber(stored) or 0) + number
    redis.call('HSET', KEYS[2], name, math.max(0, counted))
  end
end
if before ~= ARGV[2] then
  if before then add(before, -1) end
  add(ARGV[2], 1)
end
if ARGV[4] ~= '' and commented ~= '+' then
  on_sound_key('XADD', KEYS[3], 'MAXLEN', ARGV[5], '*', 'verdict', ARGV[2], 'about', ARGV[6], 'comment', ARGV[4])
  commented = '+'
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. (commented or ''), 'PX', ARGV[3])
return before == ARGV[2] and 0 or 1
"""
)
"""Counts a rating. KEYS: who rated, the counts, the comments. ARGV: digest of answer and rater, verdict, how long to
remember in ms, comment or "", most comments, the groups. Returns 1, or 0 if it was counted before.

A key that it cannot work with, of another type or at the last id of a stream, is replaced."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote about an answer. `about`: the first group of the rating."""

    verdict: Verdict
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Rating:
    """`digest`: SHA-256 of the answer and of who rates it. `groups`: where it counts. `comment`: "" for none."""

    digest: str
    verdict: Verdict
    groups: Sequence[str]
    comment: str = ""


class FeedbackStore(Protocol):
    """The fleet's feedback. Every method raises LedgerError. Safe across tasks."""

    async def secret(self) -> str:
        """What the replicas sign the ids of answers with; made by the first that asks."""
        ...

    async def give(self, rating: Rating) -> bool:
        """Counts a rating, in place of an earlier one of the same digest. False if it was counted already."""
        ...

    async def counts(self) -> Mapping[str, Mapping[Verdict, int]]:
        """Group -> verdict -> number of ratings."""
        ...

    async def comments(self, limit: int) -> Sequence[Comment]:
        """The newest comments, newest first."""
        ...


@dataclass(slots=True)
class MemoryFeedbackStore:
    """FeedbackStore of one process, for a replica without Redis."""

    _secret: str = field(default_factory=lambda: secrets.token_hex(32))
    _given: OrderedDict[str, tuple[Verdict, bool]] = field(default_factory=OrderedDict)
    _counts: Counter[tuple[str, Verdict]] = field(default_factory=Counter)
    _comments: deque[Comment] = field(default_factory=lambda: deque(maxlen=MAX_COMMENTS))

    async def secret(self) -> str:
        return self._secret

    async def give(self, rating: Rating) -> bool:
        before, commented = self._given.pop(rating.digest, (None, False))
        if before != rating.verdict:
            for group in rating.groups:
                self._counts[group, rating.verdict] += 1
                if before is not None:
                    self._counts[group, before] -= 1
        if rating.comment and not commented:
            self._comments.appendleft(Comment(rating.verdict, rating.groups[0], rating.comment))
            commented = True
        self._given[rating.digest] = rating.verdict, commented
        if len(self._given) > PLACES:
            self._given.popitem(last=False)
        return before != rating.verdict

    async def counts(self) -> Mapping[str, Mapping[Verdict, int]]:
        return _grouped(self._counts)

    async def comments(self, limit: int) -> Sequence[Comment]:
        return list(self._comments)[:limit]


class RedisFeedbackStore:
    """FeedbackStore in Redis. Does not close `client`. `refused`: told of what no replica can have written."""

    def __init__(self, client: Any, namespace: str = "ha_rag", refused: Callable[[str], None] | None = None) -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._refused = refused or (lambda why: None)

    async def secret(self) -> str:
        key = self._keys.feedback("secret")
        for made in (None, secrets.token_hex(32)):
            with translated():
                if made is not None:
                    await self._client.set(key, made, nx=True)
                found = await self._read(key, lambda: self._client.mget(key))
                (found,) = items_of(found, 1) if found is not None else ("",)
            if found is not None:
                break
        if found is None or not _SECRET.match(text(found)):
            self._refused("the secret of the answers' ids is not one")
            with translated():
                await self._client.set(key, fresh := secrets.token_hex(32))
            return fresh
        return text(found)

    async def give(self, rating: Rating) -> bool:
        given = self._keys.feedback(f"given:{place_of(rating.digest, PLACES)}")
        keys = (given, self._keys.feedback("counts"), self._keys.feedback("comments"))
        values = (rating.digest, rating.verdict, KEPT_MS, rating.comment, MAX_COMMENTS, *rating.groups)
        with translated():
            return bool(await self._client.eval(_GIVE, len(keys), *keys, *values))

    async def counts(self) -> Mapping[str, Mapping[Verdict, int]]:
        with translated():
            key = self._keys.feedback("counts")
            stored = await self._read(key, lambda: self._client.hgetall(key)) or {}
            if not isinstance(stored, dict):
                raise ForeignValueError("the counts are no map")
        counted: Counter[tuple[str, Verdict]] = Counter()
        for name, number in list(stored.items())[:MAX_FIELDS]:
            try:
                counted[_group_and_verdict(text(name))] = whole("a count", number)
            except ForeignValueError as error:
                self._refused(str(error))
        return _grouped(counted)

    async def _read(self, key: str, read: Callable[[], Awaitable[Any]]) -> Any:
        return await read_or_delete(self._client, key, self._refused, read)

    async def comments(self, limit: int) -> Sequence[Comment]:
        with translated():
            key = self._keys.feedback("comments")
            entries = await self._read(key, lambda: self._client.xrevrange(key, count=limit)) or ()
        read = list[Comment]()
        for entry in entries:
            try:
                read.append(_comment(items_of(entry, 2)[1]))
            except ForeignValueError as error:
                self._refused(str(error))
        return read


def _comment(fields: Any) -> Comment:
    if not isinstance(fields, dict):
        raise ForeignValueError("a comment has no fields")
    given = {text(name): value for name, value in fields.items()}
    verdict = one_of("its verdict", given.get("verdict", ""), VERDICTS)
    return Comment(
        next(known for known in VERDICTS if known == verdict),
        bounded("what a comment is about", given.get("about", ""), 256),
        bounded("a comment", given.get("comment", ""), MAX_COMMENT_CHARS),
    )


def _group_and_verdict(name: str) -> tuple[str, Verdict]:
    match = _FIELD.match(name)
    if match is None:
        raise ForeignValueError("a count has a name that no replica gives")
    return match[1], next(known for known in VERDICTS if known == match[2])


def _grouped(counted: Mapping[tuple[str, Verdict], int]) -> dict[str, dict[Verdict, int]]:
    grouped: dict[str, dict[Verdict, int]] = {}
    for (group, verdict), number in counted.items():
        grouped.setdefault(group, dict.fromkeys(VERDICTS, 0))[verdict] = number
    return grouped
