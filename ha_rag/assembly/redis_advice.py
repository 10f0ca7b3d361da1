"""Why a Redis cannot be used, and how to mend it, from what its client says."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, RedisError

from ha_rag.ledger.store.address import Address
from ha_rag.settings import redacted

START_OR_CORRECT = "start it, or correct fleet.redis_url; replicas start without it, and judge alone until it is there"
CLIENTS_CERTIFICATE = "name this replica's own behind the URL: ?ssl_certfile=FILE&ssl_keyfile=FILE"

Advice = tuple[str, str]
"""What was seen, and how to mend it."""


def unreachable(error: Exception, address: Address) -> Advice:
    """Of a Redis that could not be reached, or not spoken with."""
    causes = list(_causes(error))
    if plain := next(filter(None, (_plain(cause, error, address) for cause in causes)), None):
        return plain
    if isinstance(error, MasterNotFoundError):
        return (
            f"the sentinels name no master for {address.service!r}, or do not answer",
            "name the service as they do, redis+sentinel://host:26379/SERVICE; if they want a login, it stands "
            "behind the URL: ?sentinel_password=...",
        )
    text = f"cannot be reached ({redacted(str(error)) or type(error).__name__})"
    if address.tls and any(isinstance(cause, TimeoutError) for cause in causes):
        return text, f"{START_OR_CORRECT}; if this port speaks no TLS, the URL begins with redis:// not rediss://"
    if any(isinstance(cause, ConnectionResetError) for cause in causes):
        # Whether the alert or the reset is read first is chance.
        guess = "if this port speaks TLS, the URL begins with rediss://"
        if address.tls:
            guess = f"if it wants a certificate of its clients, {CLIENTS_CERTIFICATE}"
        return text, f"{guess}; else see the server's own log"
    return text, START_OR_CORRECT


def _plain(cause: BaseException, error: Exception, address: Address) -> Advice | None:
    """What one of the causes of `error` says by itself."""
    if isinstance(cause, AuthenticationError):
        return _refused_login(error, address)
    if command := command_denied(str(cause)):
        return missing({command.upper(): f"+{command}"}, address.username or "default")
    if "cluster support disabled" in str(cause):
        return "is no cluster", "write its URL without +cluster"
    if isinstance(cause, ssl.SSLError):
        return _untrusted(cause, address)
    if isinstance(cause, FileNotFoundError) and address.tls:
        files = ", ".join(str(value) for name, value in address.tls_options.items() if name.endswith(_FILES))
        return f"a file for TLS is not there (one of {files})", "correct the path behind the URL"
    return None


def refused(error: RedisError) -> Advice:
    """Of a command that was answered with an error, though the user has the right to it."""
    text = redacted(str(error)) or type(error).__name__
    code = text.split(" ", 1)[0]
    for found, (why, mend) in _ANSWERS.items():
        if found in (code, type(error).__name__):
            return f"{why} ({text})", mend
    return f"refuses commands ({text})", "see the server's own log"


def missing(rules: Mapping[str, str], user: str) -> Advice:
    """Of what a user may not use: its name -> the ACL rule that would let it."""
    return (
        f"the user {user} may not use {', '.join(rules)}",
        f"say on the server: ACL SETUSER {user} {' '.join(rules.values())}   (every right: docs/security.md)",
    )


def command_denied(why: str) -> str:
    """The command that a user may not run, as Redis names it, or "" where it minds something else."""
    found = re.search(r"to run the '([\w|]+)' command", why)
    return found[1] if found else ""


_FILES = ("ca_certs", "certfile", "keyfile")

_ANSWERS = {
    "ReadOnlyError": (
        "is a copy, which takes no writes",
        "name its master in fleet.redis_url, or the sentinels: redis+sentinel://host:26379/SERVICE",
    ),
    "OutOfMemoryError": ("is full", "raise its maxmemory, or give the circuits a Redis of their own"),
    "MISCONF": (
        "takes no writes because it cannot save to disk",
        "make room on its disk, or let it not save: CONFIG SET save ''",
    ),
    "BusyLoadingError": ("is still loading its data", "try again in a moment"),
}


def _refused_login(error: Exception, address: Address) -> Advice:
    if not address.password:
        return "wants a password", "put it into a variable, and its name into fleet.redis_password_env"
    who = address.username or "default"
    mend = f"see fleet.redis_password_env and HA_RAG_REDIS_URL, and on the server: ACL GETUSER {who}"
    return "the user or password is refused", mend


def _untrusted(error: ssl.SSLError, address: Address) -> Advice:
    said = str(error)
    why = f"no TLS connection ({getattr(error, 'reason', None) or said})"
    if isinstance(error, ssl.SSLCertVerificationError):
        if "mismatch" in error.verify_message.lower():
            host = address.hosts[0][0] if address.hosts else "it"
            return (
                f"its certificate is another host's ({error.verify_message})",
                f"name it in the URL as its certificate does, or give it a certificate for {host}",
            )
        if "expired" in error.verify_message:
            return f"its certificate is not valid ({error.verify_message})", "renew it on the server"
        return (
            f"its certificate is not trusted ({error.verify_message})",
            "name the file of the authority that signed it behind the URL: ?ssl_ca_certs=FILE",
        )
    if "CERTIFICATE_REQUIRED" in said or "HANDSHAKE_FAILURE" in said:
        return f"it wants a certificate of its clients ({error.reason})", CLIENTS_CERTIFICATE
    if "WRONG_VERSION" in said or "RECORD_LAYER" in said:
        return why, "if this port speaks no TLS, the URL begins with redis:// not rediss://"
    return why, "see the files named behind the URL: ssl_ca_certs, ssl_certfile, ssl_keyfile"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
