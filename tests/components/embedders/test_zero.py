import pytest

from ha_rag.components.embedders.zero import ZeroEmbedder
from ha_rag.interfaces import Embedder


async def test_the_last_resort_returns_zeros_of_the_given_width_in_no_space():
    zero = ZeroEmbedder(256)
    assert isinstance(zero, Embedder)
    for embedding in [await zero.embed("anything"), *await zero.embed_many(["a", "b"])]:
        assert embedding.vector.tolist() == [0.0] * 256
        assert embedding.space is None


async def test_its_vector_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        (await ZeroEmbedder(2).embed("a")).vector[0] = 1.0
