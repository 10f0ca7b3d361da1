"""Talking to Redis without passing on what a server repeats of the password.

A server without AUTH, or one where it is renamed, quotes the arguments of the command that it does not know; and
whoever answers in its place may repeat them in any error. What it says becomes the reason why the ledger is away: in
the log, in events and on the dashboard.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from ha_rag.ledger.store.address import Address
from ha_rag.ledger.store.reply_limits import LimitedParser
from ha_rag.redaction import Redactor


class Passwords:
    """Those of an address, and the last one that a provider gave. Safe across tasks."""

    def __init__(self, address: Address, provider: CredentialProvider | None = None) -> None:
        self._known = [password for password in (address.password, address.sentinel_password) if password]
        self._provider = provider

    def strike(self, error: BaseException) -> None:
        """Strikes them out of what an error says."""
        redactor = Redactor((*self._known, getattr(self._provider, "password", "")))
        error.args = tuple(redactor.redacted(str(part)) for part in error.args)


def quiet_login(passwords: Passwords) -> Callable[[Any], Awaitable[None]]:
    """The `redis_connect_func` of redis-py: its own login. No error holds a password."""

    async def log_in(connection: Any) -> None:
        try:
            await connection.on_connect()
        except RedisError as error:
            passwords.strike(error)
            raise

    return log_in


def quiet_parser(passwords: Passwords) -> type[LimitedParser]:
    """The `parser_class` of redis-py. No error that the server replies with holds a password."""

    class QuietParser(LimitedParser):
        """Strikes passwords out of errors."""

        async def read_response(self, *args: Any, **options: Any) -> Any:
            """The next reply."""
            try:
                reply = await super().read_response(*args, **options)
            except RedisError as error:
                passwords.strike(error)
                raise
            for part in (reply, *(reply if isinstance(reply, list) else ())):
                if isinstance(part, RedisError):
                    passwords.strike(part)
            return reply

    return QuietParser
