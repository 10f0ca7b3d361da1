"""The shape of the configuration file: one frozen model a table, with every key's default, rule and meaning.

These models check one file as it stands. What needs the environment, or more than one table, is checked in
`loading`. Descriptions are the text of docs/configuration.md.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ha_rag.settings.urls import redis_url_rule, service_url_rule

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]*$"
NAMESPACE_PATTERN = r"^[a-z0-9][a-z0-9._-]*$"
LAST_RESORTS = ("zero", "none", "plain")


def _not_a_last_resort(name: str) -> str:
    if name in LAST_RESORTS:
        raise ValueError("is what a last resort is called in answers; take another name")
    return name


ComponentName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64), AfterValidator(_not_a_last_resort)]
Namespace = Annotated[str, Field(pattern=NAMESPACE_PATTERN, max_length=64)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
NonEmpty = Annotated[str, Field(min_length=1, max_length=2048)]


class Table(BaseModel):
    """One table of the file: immutable, no unknown keys, no conversions ("8000" is no number)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class FleetTable(Table):
    """The Redis that the replicas share."""

    redis_url: Annotated[NonEmpty, AfterValidator(redis_url_rule)] | None = Field(
        default=None,
        description="The shared Redis: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`, "
        "without a password. Absent: `up` embeds one, `serve` runs alone. `HA_RAG_REDIS_URL` beats it.",
    )
    redis_password_env: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds the Redis password. A password inside the URL is refused.",
    )
    namespace: Namespace = Field(
        default="ha_rag", description="The first part of every key in Redis; fleets that share a Redis need one each."
    )


class ServerTable(Table):
    """The HTTP server of one replica."""

    host: NonEmpty = Field(default="127.0.0.1", description="The address to listen on; `0.0.0.0` for every interface.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    request_timeout_s: Seconds = Field(default=30.0, description="The longest a whole question may take, in seconds.")
    max_concurrent: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Requests at work at a time; beyond it, 503 with `Retry-After` at once.",
    )
    max_connections: int = Field(
        default=2048,
        ge=1,
        le=100_000,
        description="Connections open at a time; beyond it only `/health` and `/metrics` are answered.",
    )
    head_timeout_s: Seconds = Field(
        default=10.0, description="The longest a request's line and headers may take to arrive, in seconds."
    )
    idle_timeout_s: float = Field(
        default=5.0, ge=1, le=3600, description="How long a connection may be idle between two requests, in seconds."
    )
    unread_timeout_s: Seconds = Field(
        default=30.0, description="How long an answer may wait for a client that does not read it, in seconds."
    )


class IndexTable(Table):
    """The embedded index."""

    path: NonEmpty = Field(default=".ha_rag", description="The folder of the index, relative to the working directory.")


class AlertsTable(Table):
    """Who is told of incidents, and of which. Nobody, while the variable that `urls_env` names is unset."""

    urls_env: str = Field(
        default="HA_RAG_ALERT_URLS",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds apprise's URLs (Slack, e-mail, PagerDuty, webhooks ...), "
        "separated by white space. They hold secrets, so they do not stand in the file.",
    )
    link: str = Field(
        default="",
        pattern=r"^(https?://[^\s]+)?$",
        max_length=2048,
        description="The dashboard's address, as people reach it; it ends every message.",
    )
    alert_after_s: float = Field(
        default=60.0, ge=0, le=86_400, description="A circuit not closed so long after it opened is told again."
    )
    flap_opens: int = Field(default=3, ge=2, le=100_000, description="So many openings are one alert: flapping ...")
    flap_window_s: float = Field(default=300.0, ge=0, le=86_400, description="... within this time.")
    degraded_share: float = Field(default=0.5, gt=0, le=1, description="So large a share of degraded answers ...")
    degraded_for_s: float = Field(default=60.0, ge=0, le=86_400, description="... for so long.")
    redis_after_s: float = Field(default=5.0, ge=0, le=86_400, description="So long without Redis.")
    group_s: float = Field(default=2.0, ge=0, le=60, description="What happens within this time is one message.")
    max_per_hour: int = Field(
        default=60, ge=1, le=100_000, description="Messages an hour, for the whole fleet; the rest waits."
    )


class ComponentTable(Table):
    """What every component has."""

    scope: ClassVar[Literal["fleet", "replica"]] = "replica"

    name: ComponentName = Field(description="Its name; `<type>.<name>` names its circuit.")
    timeout_s: Seconds = Field(default=1.0, description="The longest one call of it may take, in seconds.")
    circuit: dict[str, Any] = Field(default_factory=dict, description="Its own values over those of `[circuit]`.")


class ServiceTable(ComponentTable):
    """A component behind an OpenAI-compatible service; its circuit is the fleet's."""

    scope: ClassVar[Literal["fleet", "replica"]] = "fleet"

    base_url: Annotated[
        str,
        Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$", max_length=2048),
        AfterValidator(service_url_rule),
    ] = Field(description="The service's address, with its `/v1`.")
    model: NonEmpty = Field(description="The model to ask for.")
    api_key_env: str = Field(
        default="OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds the key; unset: no key is sent.",
    )


class OpenAIEmbedderTable(ServiceTable):
    """Embeddings of an OpenAI-compatible service."""

    kind: Literal["openai"]
    dimension: int = Field(ge=1, le=65_536, description="The width of its vectors.")


class LocalEmbedderTable(ComponentTable):
    """A small static model inside the process (wordllama); needs no network."""

    kind: Literal["local"]


class HashingEmbedderTable(ComponentTable):
    """Hashed words and letter groups; numpy alone, the weakest, cannot be out."""

    kind: Literal["hashing"]
    dimension: int = Field(default=256, ge=8, le=65_536, description="The width of its vectors.")


class LocalRetrieverTable(ComponentTable):
    """The embedded index: vectors and words, merged."""

    kind: Literal["local"]


class ReducedRetrieverTable(ComponentTable):
    """The embedded index, with fewer passages."""

    kind: Literal["reduced"]
    max_docs: int = Field(default=2, ge=1, le=50, description="The most passages it returns.")


class LexicalRetrieverTable(ComponentTable):
    """The embedded index, by words alone (BM25); needs no embedding."""

    kind: Literal["lexical"]


class OpenAIGeneratorTable(ServiceTable):
    """Chat completions of an OpenAI-compatible service."""

    kind: Literal["openai"]
    timeout_s: Seconds = Field(default=8.0, description="The longest one call of it may take, in seconds.")


class ExtractiveGeneratorTable(ComponentTable):
    """The passages' own best sentences, cited; needs no model."""

    kind: Literal["extractive"]


EmbedderTable = Annotated[OpenAIEmbedderTable | LocalEmbedderTable | HashingEmbedderTable, Field(discriminator="kind")]
RetrieverTable = Annotated[
    LocalRetrieverTable | ReducedRetrieverTable | LexicalRetrieverTable, Field(discriminator="kind")
]
GeneratorTable = Annotated[OpenAIGeneratorTable | ExtractiveGeneratorTable, Field(discriminator="kind")]


def _default_embedders() -> list[EmbedderTable]:
    return [
        LocalEmbedderTable(name="primary", kind="local"),
        HashingEmbedderTable(name="secondary", kind="hashing"),
    ]


def _default_retrievers() -> list[RetrieverTable]:
    return [
        LocalRetrieverTable(name="primary", kind="local"),
        ReducedRetrieverTable(name="reduced", kind="reduced"),
        LexicalRetrieverTable(name="lexical", kind="lexical"),
    ]


def _default_generators() -> list[GeneratorTable]:
    return [ExtractiveGeneratorTable(name="extractive", kind="extractive")]


class ConfigurationFile(Table):
    """The whole file. Every table may be absent; list order is fallback order."""

    fleet: FleetTable = Field(default_factory=FleetTable)
    server: ServerTable = Field(default_factory=ServerTable)
    index: IndexTable = Field(default_factory=IndexTable)
    alerts: AlertsTable = Field(default_factory=AlertsTable)
    circuit: dict[str, Any] = Field(default_factory=dict)
    embedders: list[EmbedderTable] = Field(default_factory=_default_embedders, min_length=1)
    retrievers: list[RetrieverTable] = Field(default_factory=_default_retrievers, min_length=1)
    generators: list[GeneratorTable] = Field(default_factory=_default_generators, min_length=1)
