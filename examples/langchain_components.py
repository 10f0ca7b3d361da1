"""LangChain's parts as components of ours, and our pipeline as a part of LangChain's.

    pip install langchain-core && python examples/langchain_components.py

Any embeddings, retriever and chat model of LangChain can be a tier. The other way round, HighAvailabilityRAG serves as
a retriever and as a runnable, so that a chain of yours survives what its services do not.
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
    """LangChain's embeddings as a tier. `space`: whose vectors they are, and how wide."""

    embeddings: Embeddings
    space: Space

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        """Raises what the embeddings raise: whatever it is, it counts as a failure of the service."""
        return Embedding(np.asarray(await self.embeddings.aembed_query(text), dtype=np.float32), self.space)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        """For an ingest."""
        vectors = await self.embeddings.aembed_documents(list(texts))
        return [Embedding(np.asarray(vector, dtype=np.float32), self.space) for vector in vectors]


@dataclass
class LangChainRetriever:
    """LangChain's retriever as a tier. It embeds the question itself, so ours is not needed."""

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
    """LangChain's chat model as a tier."""

    model: BaseChatModel

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        """Asks with the passages, numbered from 1."""
        context = "\n".join(f"[{n}] {passage.text}" for n, passage in enumerate(passages, 1))
        reply = await self.model.ainvoke(f"Answer from these passages, and cite them as [1]:\n{context}\n\n{question}")
        return Generation(
            str(reply.text), cited=tuple(n for n in range(1, len(passages) + 1) if f"[{n}]" in reply.text)
        )


class HighAvailabilityRetriever(BaseRetriever):
    """Our tiers as LangChain's retriever: for a chain that writes its answers itself."""

    rag: Any
    top_k: int = 3

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        passages = await self.rag.get_relevant_documents(
            await self.rag.get_embedding(query), self.top_k, question=query
        )
        return [Document(each.text, id=each.id, metadata={"source": each.document}) for each in passages]

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        raise NotImplementedError("await ainvoke(); the tiers wait for services")


def pipeline(model: BaseChatModel) -> HighAvailabilityRAG:
    """LangChain's parts in front, ours behind the chat model."""
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
    """A chat model in an outage."""

    async def ainvoke(self, *_: Any, **__: Any) -> Any:
        """Fails."""
        raise ServiceError("the model is down")


async def main() -> None:
    """With the chat model, without it, and from a LangChain chain."""
    for remark, model in (
        ("well", FakeListChatModel(responses=["By a probe, after its recovery timeout [1]."])),
        ("down", DownModel(responses=[])),
    ):
        async with pipeline(model) as rag:
            answer = await rag.query("How does a circuit recover?")
            print(f"the chat model is {remark}: {answer} (served by {answer.served_by['generator']})")
            chain = HighAvailabilityRetriever(rag=rag) | RunnableLambda(lambda found: f"{len(found)} documents")
            print(f"  as a retriever in a chain: {await chain.ainvoke('How does a circuit recover?')}")
            runnable = RunnableLambda(rag.query) | RunnableLambda(lambda answer: answer.degraded_stages)
            print(f"  as a runnable: degraded stages {await runnable.ainvoke('How does a circuit recover?')}")


if __name__ == "__main__":
    asyncio.run(main())
