"""Who asks: a name that the request gives, for experiments, which answer the same one in the same way.

It may be personal data: it is hashed at once, and neither kept nor logged.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.requests import Request

from ha_rag.http.service import Service

MAX_USER_CHARS = 512

User = Annotated[
    str,
    Field(
        max_length=MAX_USER_CHARS,
        description="What names the user or the session, for experiments: the same one is always given the same arm. "
        "Only a hash of it is used.",
    ),
]


def asker(service: Service, request: Request, user: object) -> str:
    """What names who asks: `user` if it is text, else the header that the experiment reads; "" if neither is given."""
    if isinstance(user, str) and user:
        return user
    return request.headers.get(service.asker_header, "") if service.asker_header else ""
