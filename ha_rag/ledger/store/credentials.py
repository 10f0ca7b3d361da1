"""Credentials that change: a provider, as redis-py has it, is asked for them at each new connection."""

from __future__ import annotations

import asyncio
from typing import Protocol

from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as NotConnectedError

from ha_rag.errors import ConfigurationError
from ha_rag.ledger.store.address import Address

PROVIDE_S = 2.0
"""How long a connection waits for the provider. Then it fails, and the next attempt waits for the same answer."""

Login = tuple[str] | tuple[str, str]


class Credentials(Protocol):
    """What a provider has at least. Each `redis.CredentialProvider` is one.

    If it also has redis-py's `get_credentials_async`, that is awaited instead.
    """

    def get_credentials(self) -> Login:
        """(password,) or (user, password). Called in a thread of its own, at each new connection; it may block."""
        ...


def checked(credentials: Credentials | None, address: Address) -> CredentialProvider | None:
    """A provider for redis-py. Raises ConfigurationError for one that cannot be asked, or beside a URL's password."""
    if credentials is None:
        return None
    if not callable(getattr(credentials, "get_credentials", None)):
        raise ConfigurationError(
            f"credential_provider = {type(credentials).__name__}: must have get_credentials(), as redis-py's "
            "CredentialProvider has"
        )
    if address.username is not None or address.password is not None:
        raise ConfigurationError("credential_provider: remove the user and password from redis_url")
    return AskedProvider(credentials)


class AskedProvider(CredentialProvider):
    """Asks a provider without blocking the event loop; whatever goes wrong is a connection that could not be made.

    It asks once at a time, so that a provider that hangs does not use up the process's threads. For one event loop.
    `password`: the last one that was given, to keep it out of errors.
    """

    password = ""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._asking: asyncio.Task[object] | None = None

    def get_credentials(self) -> Login:
        return self._credentials.get_credentials()

    async def get_credentials_async(self) -> Login:
        try:
            login = await asyncio.wait_for(asyncio.shield(self._answer()), PROVIDE_S)
        except Exception as error:
            # Its message may contain a secret.
            raise NotConnectedError(f"the credential provider failed: {type(error).__name__}") from error
        if not isinstance(login, tuple) or len(login) not in (1, 2) or not all(isinstance(s, str) for s in login):
            raise NotConnectedError("the credential provider must return (password,) or (user, password)")
        self.password = login[-1]
        return login

    def _answer(self) -> asyncio.Task[object]:
        """The pending answer, else that to a new question."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask())
            self._asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
        return self._asking

    async def _ask(self) -> object:
        theirs = getattr(type(self._credentials), "get_credentials_async", None)
        if theirs is None or theirs is CredentialProvider.get_credentials_async:
            return await asyncio.to_thread(self._credentials.get_credentials)
        return await theirs(self._credentials)
