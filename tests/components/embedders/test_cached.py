import pytest

from ha_rag.components.embedders.cached import CachedEmbedder, MemoryEmbeddingCache, RememberingEmbedder
from ha_rag.components.embedders.scripted import PrimaryEmbedder, SecondaryEmbedder
from ha_rag.components.embedders.zero import ZeroEmbedder
from ha_rag.components.script import Script
from ha_rag.errors import ComponentError, ConfigurationError, ServiceError
from ha_rag.interfaces import Embedder


async def test_an_empty_cache_fails_so_that_the_next_tier_answers():
    with pytest.raises(ComponentError, match="cache"):
        await CachedEmbedder().embed("a question")


async def test_embeddings_of_an_earlier_tier_are_found_in_its_space():
    cache, primary = MemoryEmbeddingCache(), PrimaryEmbedder()
    embedding = await RememberingEmbedder(primary, cache).embed("a question")
    cached = CachedEmbedder(cache, space=primary.space)
    found = await cached.embed("a question")
    assert found.vector is embedding.vector
    assert found.space == primary.space
    assert (await cached.embed_many(["a question"]))[0].vector is embedding.vector


async def test_vectors_of_another_space_are_never_returned():
    cache = MemoryEmbeddingCache()
    await RememberingEmbedder(SecondaryEmbedder(), cache).embed("a question")
    with pytest.raises(ComponentError):
        await CachedEmbedder(cache).embed("a question")


async def test_only_vectors_of_its_own_space_are_cached():
    cached = CachedEmbedder()
    await cached.remember("a", await SecondaryEmbedder().embed("a"))
    await cached.remember("b", await ZeroEmbedder(256).embed("b"))
    await cached.remember("c", await PrimaryEmbedder().embed("c"))
    for text in "ab":
        with pytest.raises(ComponentError):
            await cached.embed(text)
    assert (await cached.embed("c")).vector.any()


async def test_the_least_recently_used_vector_is_evicted():
    cache, space = MemoryEmbeddingCache(max_entries=2), PrimaryEmbedder().space
    vector = (await PrimaryEmbedder().embed("x")).vector
    await cache.put(space, "a", vector)
    await cache.put(space, "b", vector)
    await cache.get(space, "a")
    await cache.put(space, "c", vector)
    assert [await cache.get(space, text) is not None for text in "abc"] == [True, False, True]
    assert len(cache) == 2


async def test_vectors_of_passages_are_not_cached():
    cache = MemoryEmbeddingCache()
    remembering = RememberingEmbedder(PrimaryEmbedder(), cache)
    assert len(await remembering.embed_many(["a", "b"])) == 2
    assert len(cache) == 0


async def test_a_failing_tier_still_fails_and_caches_nothing():
    cache = MemoryEmbeddingCache()
    with pytest.raises(ServiceError):
        await RememberingEmbedder(PrimaryEmbedder(script=Script.always()), cache).embed("a")
    assert len(cache) == 0


async def test_it_fails_on_a_script():
    cached = CachedEmbedder(script=Script.failing(first=1))
    await cached.remember("a", await PrimaryEmbedder().embed("a"))
    with pytest.raises(ServiceError):
        await cached.embed("a")
    await cached.embed("a")


def test_both_are_embedders():
    assert isinstance(CachedEmbedder(), Embedder)
    assert isinstance(RememberingEmbedder(PrimaryEmbedder(), MemoryEmbeddingCache()), Embedder)


def test_a_cache_without_capacity_is_refused():
    with pytest.raises(ConfigurationError, match="max_entries"):
        MemoryEmbeddingCache(max_entries=0)
