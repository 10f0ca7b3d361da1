"""LangChain components as tiers, and the pipeline as a LangChain retriever or runnable.

    pip install langchain-core && python examples/langchain_components.py

Any LangChain embeddings, retriever or chat model can be a tier. Conversely, HighAvailabilityRAG works as a retriever
and as a runnable, so that your chain keeps working when its services fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore

from ha_rag import (
    Embedding,
    FallbackGenerator,
    FallbackStrategy,
    Generation,
    HighAvailabilityRAG,
    Passage,
    ServiceError,
    Space,
)

TEXTS = {
    "recovery.md": "A circuit recovers by itself: after its recovery timeout one call is let through as a probe.",
    "opening.md": "A circuit opens when at least half of the calls in its window have failed.",
}


@dataclass
class LangChainEmbedder:
    """LangChain embeddings as a tier. `space`: their model and dimension."""

    embeddings: Embeddings
    space: Space

    @property
    def dimension(self) -> int:
        """Number of dimensions."""
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        """Raises whatever the embeddings raise; it counts as a failure of the service."""
        return Embedding(np.asarray(await self.embeddings.aembed_query(text), dtype=np.float32), self.space)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        """Used when documents are ingested."""
        vectors = await self.embeddings.aembed_documents(list(texts))
        return [Embedding(np.asarray(vector, dtype=np.float32), self.space) for vector in vectors]


@dataclass
class LangChainRetriever:
    """A LangChain retriever as a tier. It embeds the question itself, so `embedding` is not used."""

    retriever: BaseRetriever

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        """At most `top_k`, in the retriever's order."""
        found = (await self.retriever.ainvoke(question))[:top_k]
        names = [str(each.metadata.get("source", each.id)) for each in found]
        return [
            Passage(name, f"{name}#{n}", each.page_content)
            for n, (name, each) in enumerate(zip(names, found, strict=True), 1)
        ]


@dataclass
class LangChainGenerator:
    """A LangChain chat model as a tier."""

    model: BaseChatModel

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        """Prompts the model with the passages, numbered from 1."""
        context = "\n".join(f"[{n}] {passage.text}" for n, passage in enumerate(passages, 1))
        reply = await self.model.ainvoke(f"Answer from these passages, and cite them as [1]:\n{context}\n\n{question}")
        return Generation(
            str(reply.text), cited=tuple(n for n in range(1, len(passages) + 1) if f"[{n}]" in reply.text)
        )


class HighAvailabilityRetriever(BaseRetriever):
    """The tiers as a LangChain retriever, for a chain that generates its own answers."""

    rag: Any
    top_k: int = 3

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        passages = await self.rag.get_relevant_documents(
            await self.rag.get_embedding(query), self.top_k, question=query
        )
        return [Document(each.text, id=each.id, metadata={"source": each.document}) for each in passages]

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        raise NotImplementedError("use `await ainvoke()`: the tiers are asynchronous")


def pipeline(model: BaseChatModel) -> HighAvailabilityRAG:
    """LangChain components first, with our generator as the chat model's fallback."""
    embeddings = DeterministicFakeEmbedding(size=64)
    store = InMemoryVectorStore.from_documents(
        [Document(text, metadata={"source": name}) for name, text in TEXTS.items()], embeddings
    )
    return HighAvailabilityRAG(
        FallbackStrategy(
            embedders=[LangChainEmbedder(embeddings, Space("fake", "1", 64))],
            retrievers=[LangChainRetriever(store.as_retriever())],
            generators=[LangChainGenerator(model), FallbackGenerator()],
        )
    )


class DownModel(FakeListChatModel):
    """A chat model that is down."""

    async def ainvoke(self, *_: Any, **__: Any) -> Any:
        """Fails."""
        raise ServiceError("the model is down")


async def main() -> None:
    """Asks with the chat model up and down, directly and from a LangChain chain."""
    for status, model in (
        ("up", FakeListChatModel(responses=["By a probe, after its recovery timeout [1]."])),
        ("down", DownModel(responses=[])),
    ):
        async with pipeline(model) as rag:
            answer = await rag.query("How does a circuit recover?")
            print(f"the chat model is {status}: {answer} (served by {answer.served_by['generator']})")
            chain = HighAvailabilityRetriever(rag=rag) | RunnableLambda(lambda found: f"{len(found)} documents")
            print(f"  as a retriever in a chain: {await chain.ainvoke('How does a circuit recover?')}")
            runnable = RunnableLambda(rag.query) | RunnableLambda(lambda answer: answer.degraded_stages)
            print(f"  as a runnable: degraded stages {await runnable.ainvoke('How does a circuit recover?')}")


if __name__ == "__main__":
    asyncio.run(main())
