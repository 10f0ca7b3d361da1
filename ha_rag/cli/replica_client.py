"""HTTP client of a replica. Uses only the standard library, so that commands start fast."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ha_rag.cli.trouble import CommandError, UnansweredError
from ha_rag.errors import ConfigurationError

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaClient:
    """A replica or front at `url`. `token`: sent as a Bearer token. `timeout_s`: for one request. `remedy`: what
    the error says to do if nothing answers.
    """

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)
    timeout_s: float = 35.0
    remedy: str = "is it running? Start it with: ha-rag up"

    def get(self, path: str) -> Any:
        """GET `path` as JSON. Raises CommandError."""
        return self.call("GET", path)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The JSON reply to `method` on `path`. Raises CommandError."""
        status, content = self._sent(method, path, body)
        try:
            reply = json.loads(content)
        except ValueError:
            raise CommandError(f"what answers at {self.url} is no ha_rag (HTTP {status}, and no JSON)") from None
        if status >= 400:
            raise CommandError(_refusal(reply, status))
        return reply

    def status_of(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """The HTTP status of the reply, and the error's message, "" if there is none. Raises CommandError."""
        status, content = self._sent(method, path, body)
        try:
            reply = json.loads(content)
        except ValueError:
            reply = None
        return status, _refusal(reply, status) if status >= 400 else ""

    def _sent(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        parts = _parsed(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout_s)
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
        }
        try:
            connection.request(
                method, parts.path.rstrip("/") + path, json.dumps(body) if body is not None else None, headers
            )
            reply = connection.getresponse()
            return reply.status, reply.read()
        except TimeoutError:
            raise UnansweredError(f"{self.url} did not answer within {self.timeout_s:g} s") from None
        except (OSError, HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise CommandError(f"nothing answers at {self.url} ({why}); {self.remedy}") from None
        finally:
            connection.close()


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(f"--url = {url!r}: must be an http:// or https:// address")
    return parts


def _refusal(reply: Any, status: int) -> str:
    error = reply.get("error") if isinstance(reply, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return "; ".join(str(message).splitlines()) if message else f"refused with HTTP {status}"


def client_of(url: str | None = None, timeout_s: float = 35.0) -> ReplicaClient:
    """A client of `url`, else of the fleet that runs in this folder, with the operator's token or the first API key.

    Where none runs here, of `DEFAULT_URL`, which is said.
    """
    from ha_rag.cli.fleet_here import fleet_here, say_that_none_runs_here
    from ha_rag.settings.environment import read_environment

    environment = read_environment()
    secret = environment.admin_token or next(iter(environment.api_keys), None)
    if url is None:
        fleet = fleet_here()
        url = fleet.url if fleet else DEFAULT_URL
        if fleet is None:
            say_that_none_runs_here(url)
    return ReplicaClient(url=url, token=secret.reveal() if secret else None, timeout_s=timeout_s)
