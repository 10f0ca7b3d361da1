"""The tables of the configuration file: one frozen model per table, with each key's default, constraints and meaning.

A model checks one table by itself. Rules that need the environment or several tables are in `loading`. The descriptions
are the text of docs/configuration.md. The tables of component kinds stand beside their builders, in
`ha_rag.assembly.kinds`; `ComponentTable` and `ServiceTable` are what they share.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ha_rag.settings.request_extras import ExtraBody, ExtraHeaders, HeaderName
from ha_rag.settings.urls import redis_url_rule, service_url_rule

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]*$"
NAMESPACE_PATTERN = r"^[a-z0-9][a-z0-9._-]*$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
LAST_RESORTS = ("zero", "none", "plain")


def _not_a_last_resort(name: str) -> str:
    if name in LAST_RESORTS:
        raise ValueError("is the name of a last resort in answers; choose another name")
    return name


def _known_encoding(name: str) -> str:
    try:
        known = not name or "".encode(name) is not None
    except (LookupError, UnicodeError):
        known = False
    if not known:
        raise ValueError("is no text encoding that Python knows; `cp1252` and `shift_jis` are two")
    return name


ComponentName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64), AfterValidator(_not_a_last_resort)]
Namespace = Annotated[str, Field(pattern=NAMESPACE_PATTERN, max_length=64)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
NonEmpty = Annotated[str, Field(min_length=1, max_length=2048)]


class Table(BaseModel):
    """One table of the file: immutable, without unknown keys or type conversions ("8000" is not a number)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class FleetTable(Table):
    """The Redis that the replicas share."""

    redis_url: Annotated[NonEmpty, AfterValidator(redis_url_rule)] | None = Field(
        default=None,
        description="The shared Redis: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`, "
        "without a password. If absent, `up` starts its own and `serve` runs alone. `HA_RAG_REDIS_URL` takes "
        "precedence.",
    )
    redis_password_env: str | None = Field(
        default=None,
        pattern=VARIABLE_PATTERN,
        description="The environment variable that holds the Redis password. A password in the URL is refused.",
    )
    namespace: Namespace = Field(
        default="ha_rag",
        description="The prefix of every key in Redis. Fleets that share a Redis need different ones.",
    )


class ServerTable(Table):
    """The HTTP server of one replica."""

    host: NonEmpty = Field(default="127.0.0.1", description="The address to listen on; `0.0.0.0` for all interfaces.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port to listen on; 0 picks a free one.")
    request_timeout_s: Seconds = Field(default=30.0, description="The longest a question may take, in seconds.")
    max_concurrent: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Requests processed at a time; further ones get 503 with `Retry-After` at once.",
    )
    max_connections: int = Field(
        default=2048,
        ge=1,
        le=100_000,
        description="Open connections; on further ones only `/health` and `/metrics` are answered.",
    )
    head_timeout_s: Seconds = Field(
        default=10.0, description="The longest a request line and headers may take to arrive, in seconds."
    )
    idle_timeout_s: float = Field(
        default=5.0, ge=1, le=3600, description="How long a connection may be idle between requests, in seconds."
    )
    unread_timeout_s: Seconds = Field(
        default=30.0, description="How long to wait for a client that does not read its response, in seconds."
    )
    strict_parameters: bool = Field(
        default=False,
        description="Refuse parameters of `/v1/chat/completions` that have no effect, such as `tools`. "
        "A request may say otherwise with `strict`.",
    )


class IndexTable(Table):
    """The embedded index."""

    path: NonEmpty = Field(default=".ha_rag", description="The index folder, relative to the working directory.")
    encoding: Annotated[str, AfterValidator(_known_encoding)] = Field(
        default="",
        max_length=40,
        description="The encoding of text files that are neither UTF-8 nor declare what they are, such as `cp1252` or "
        "`shift_jis`; empty: the likeliest one, judged by the file and the others in its folder.",
    )
    documents: str = Field(
        default="documents",
        max_length=2048,
        description="The folder that `up` indexes when it starts, if it is there; empty: none.",
    )
    samples: bool = Field(
        default=True,
        description="Whether `up` indexes sample documents, this project's own, if the index never held anything else. "
        "The first document that you ingest takes their place.",
    )


class StrategyTable(Table):
    """Which tier of each list is called first."""

    choose: Literal["order", "quality"] = Field(
        default="order",
        description='"order": as the lists say. "quality": the best plan that `ha-rag evaluate` measured on this '
        "index, of those that are up and fit in the time left; as the lists say while the index has no profile.",
    )


class CacheTable(Table):
    """What the replicas keep for one another in Redis: without this table nothing, with `[cache]` alone both caches.

    Embeddings are asked for first. An answer is asked for after every generator that is a service has failed, and says
    how old it is. Keys are digests; the answers themselves, with the passages they cite, can be read in Redis.
    """

    embeddings: bool = Field(
        default=True, description="Whether embeddings that services made of questions are kept and asked for first."
    )
    answers: bool = Field(
        default=True,
        description="Whether good answers are kept, and given again while every service that writes answers is out.",
    )
    embedding_ttl_s: float = Field(
        default=604_800.0, ge=1, le=31_536_000, description="How long an embedding is kept, in seconds: a week."
    )
    answer_ttl_s: float = Field(
        default=86_400.0, ge=1, le=31_536_000, description="How long an answer is kept, in seconds: a day."
    )
    max_embeddings: int = Field(default=10_000, ge=1, le=10_000_000, description="Embeddings kept at most.")
    max_answers: int = Field(default=2_000, ge=1, le=10_000_000, description="Answers kept at most.")
    max_value_bytes: int = Field(
        default=65_536,
        ge=1_024,
        le=4_194_304,
        description="An embedding or an answer that is longer than this is not kept.",
    )


class AlertsTable(Table):
    """Who is alerted about which incidents. Nobody, while the variable named by `urls_env` is unset."""

    urls_env: str = Field(
        default="HA_RAG_ALERT_URLS",
        pattern=VARIABLE_PATTERN,
        description="The environment variable that holds apprise URLs (Slack, e-mail, PagerDuty, webhooks ...), "
        "separated by white space. They contain secrets, so they are not allowed in the file.",
    )
    link: str = Field(
        default="",
        pattern=r"^(https?://[^\s]+)?$",
        max_length=2048,
        description="The dashboard's public address, added to every message.",
    )
    alert_after_s: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="Alert again, as critical, about a circuit that has not closed this many seconds after it opened.",
    )
    flap_opens: int = Field(
        default=3, ge=2, le=100_000, description="A circuit that opens this often within `flap_window_s` is flapping."
    )
    flap_window_s: float = Field(default=300.0, ge=0, le=86_400, description="The window of `flap_opens`, in seconds.")
    degraded_share: float = Field(
        default=0.5, gt=0, le=1, description="Alert when this share of the answers is degraded for `degraded_for_s`."
    )
    degraded_for_s: float = Field(
        default=60.0, ge=0, le=86_400, description="How long `degraded_share` must be exceeded, in seconds."
    )
    redis_after_s: float = Field(
        default=5.0, ge=0, le=86_400, description="Alert when Redis is unreachable for this many seconds."
    )
    group_s: float = Field(
        default=2.0, ge=0, le=60, description="Incidents within this many seconds are sent as one message."
    )
    max_per_hour: int = Field(
        default=60, ge=1, le=100_000, description="Messages per hour for the whole fleet; further ones are delayed."
    )


class ComponentTable(Table):
    """The keys that every component has.

    A kind adds its own keys in a subclass, whose docstring describes the kind. `scope`: who shares the circuit of a
    component of this kind, unless the file says otherwise: the fleet, or nobody ("replica").
    """

    scope: ClassVar[Literal["fleet", "replica"]] = "replica"

    name: ComponentName = Field(description="Its name. Its circuit is called `<type>.<name>`.")
    kind: str = Field(description="One of the kinds below.")
    timeout_s: Seconds = Field(default=1.0, description="The longest a call may take, in seconds.")
    circuit: dict[str, Any] = Field(default_factory=dict, description="Values that replace those of `[circuit]`.")


class ServiceTable(ComponentTable):
    """The keys of a component that calls an HTTP service with an API key."""

    scope: ClassVar[Literal["fleet", "replica"]] = "fleet"

    base_url: Annotated[
        str,
        Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$", max_length=2048),
        AfterValidator(service_url_rule),
    ] = Field(description="The service's address, including `/v1`.")
    model: NonEmpty = Field(description="The name of the model.")
    api_key_env: str = Field(
        default="OPENAI_API_KEY",
        pattern=VARIABLE_PATTERN,
        description="The environment variable that holds the key. If it is unset, no key is sent.",
    )
    api_key_header: HeaderName = Field(
        default="Authorization",
        description="The header that carries the key: as a Bearer token in `Authorization`, and as it is in any other, "
        "such as `api-key`.",
    )
    request_model: NonEmpty | None = Field(
        default=None,
        description="The name by which the service knows the model, if it is not `model`: an alias of a gateway.",
    )
    headers: ExtraHeaders = Field(
        default_factory=dict,
        description="Headers to add to each request. The key does not belong here, but into the environment.",
    )
    extra_body: ExtraBody = Field(
        default_factory=dict,
        description='Fields to add to the JSON of each request, such as `{ temperature = 0.1 }` or `{ user = "rag" }`.',
    )
