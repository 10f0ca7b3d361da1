"""Explains why a Redis cannot be used, and how to fix it, from the client's errors."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, RedisError

from ha_rag.errors import LedgerRefusedError
from ha_rag.ledger.store.address import Address
from ha_rag.ledger.store.refusals import EXPLAINED
from ha_rag.ledger.store.translation import translate
from ha_rag.settings import redacted

START_OR_CORRECT = (
    "start it, or correct fleet.redis_url (HA_RAG_REDIS_URL takes precedence); replicas start without it and each "
    "decides by itself until it is reachable"
)
CLIENT_CERTIFICATE = "name one in the URL: ?ssl_certfile=FILE&ssl_keyfile=FILE"

Advice = tuple[str, str]
"""The problem, and how to fix it."""


def unreachable(error: Exception, address: Address) -> Advice:
    """The advice for a failed connection."""
    causes = list(_causes(error))
    if known := next(filter(None, (_known_cause(cause, error, address) for cause in causes)), None):
        return known
    if isinstance(error, MasterNotFoundError):
        return (
            f"the sentinels know no master named {address.service!r}, or do not answer",
            "use the sentinels' name for the service, redis+sentinel://host:26379/SERVICE; if they require a login, "
            "add it to the URL: ?sentinel_password=...",
        )
    text = f"cannot be reached ({redacted(str(error)) or type(error).__name__})"
    if address.tls and any(isinstance(cause, TimeoutError) for cause in causes):
        return (
            text,
            f"{START_OR_CORRECT}; if this port does not use TLS, the URL must start with redis://, not rediss://",
        )
    if any(isinstance(cause, ConnectionResetError) for cause in causes):
        # Depending on timing, the client sees the TLS alert or the reset first.
        guess = "if this port uses TLS, the URL must start with rediss://"
        if address.tls:
            guess = f"if it requires a client certificate, {CLIENT_CERTIFICATE}"
        return text, f"{guess}; otherwise see the server's log"
    return text, START_OR_CORRECT


def _known_cause(cause: BaseException, error: Exception, address: Address) -> Advice | None:
    """The advice for a cause of `error` that is specific enough by itself."""
    if isinstance(cause, AuthenticationError):
        return _refused_login(error, address)
    if command := command_denied(str(cause)):
        return missing({command.upper(): f"+{command}"}, address.username or "default")
    if "cluster support disabled" in str(cause):
        return "is not a cluster", "write its URL without +cluster"
    if isinstance(cause, ssl.SSLError):
        return _failed_tls(cause, address)
    if isinstance(cause, FileNotFoundError) and address.tls:
        files = ", ".join(str(value) for name, value in address.tls_options.items() if name.endswith(_FILES))
        return f"a TLS file does not exist (one of {files})", "correct the path in the URL"
    return None


def refused(error: RedisError) -> Advice:
    """The advice for a command that failed although the user has permission to run it."""
    text = redacted(str(error)) or type(error).__name__
    answer = translate(error)
    if isinstance(answer, LedgerRefusedError) and answer.code in EXPLAINED:
        why, mend = EXPLAINED[answer.code]
        return f"{why} ({text})", mend
    return f"rejects commands ({text})", "see the server's log"


def missing(rules: Mapping[str, str], user: str) -> Advice:
    """The advice for missing permissions. `rules`: what the user may not use -> the ACL rule that permits it."""
    return (
        f"the user {user} may not use {', '.join(rules)}",
        f"run on the server: ACL SETUSER {user} {' '.join(rules.values())}   (all permissions: docs/security.md)",
    )


def command_denied(why: str) -> str:
    """The command that a user may not run, as Redis names it, or "" if the message is about something else."""
    found = re.search(r"to run the '([\w|]+)' command", why)
    return found[1] if found else ""


_FILES = ("ca_certs", "certfile", "keyfile")


def _refused_login(error: Exception, address: Address) -> Advice:
    if not address.password:
        return "requires a password", "put it into a variable, and the variable's name into fleet.redis_password_env"
    user = address.username or "default"
    mend = f"check fleet.redis_password_env and HA_RAG_REDIS_URL, and on the server: ACL GETUSER {user}"
    return "the user name or password is wrong", mend


def _failed_tls(error: ssl.SSLError, address: Address) -> Advice:
    said = str(error)
    why = f"no TLS connection ({getattr(error, 'reason', None) or said})"
    if isinstance(error, ssl.SSLCertVerificationError):
        if "mismatch" in error.verify_message.lower():
            host = address.hosts[0][0] if address.hosts else "it"
            return (
                f"its certificate is for another host ({error.verify_message})",
                f"use the certificate's host name in the URL, or install a certificate for {host}",
            )
        if "expired" in error.verify_message:
            return f"its certificate is not valid ({error.verify_message})", "renew it on the server"
        return (
            f"its certificate is not trusted ({error.verify_message})",
            "name the file of the certificate authority in the URL: ?ssl_ca_certs=FILE",
        )
    if "CERTIFICATE_REQUIRED" in said or "HANDSHAKE_FAILURE" in said:
        return f"it requires a client certificate ({error.reason})", CLIENT_CERTIFICATE
    if "WRONG_VERSION" in said or "RECORD_LAYER" in said:
        return why, "if this port does not use TLS, the URL must start with redis://, not rediss://"
    return why, "check the files named in the URL: ssl_ca_certs, ssl_certfile, ssl_keyfile"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
