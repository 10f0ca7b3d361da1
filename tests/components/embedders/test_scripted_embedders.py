import numpy as np
import pytest

from ha_rag.components.embedders.scripted import PrimaryEmbedder, SecondaryEmbedder
from ha_rag.components.script import Script
from ha_rag.errors import ServiceError
from ha_rag.interfaces import Embedder


@pytest.mark.parametrize("kind", [PrimaryEmbedder, SecondaryEmbedder])
async def test_it_needs_no_setup_and_returns_the_same_unit_vector_every_time(kind):
    embedder = kind()
    assert isinstance(embedder, Embedder)
    embedding = await embedder.embed("How does a circuit recover?")
    assert embedding.vector.shape == (embedder.dimension,)
    assert np.linalg.norm(embedding.vector) == pytest.approx(1.0)
    assert np.array_equal(embedding.vector, (await kind().embed("How does a circuit recover?")).vector)


@pytest.mark.parametrize("kind", [PrimaryEmbedder, SecondaryEmbedder])
async def test_it_fails_on_a_script_and_then_recovers(kind):
    embedder = kind(script=Script.failing(first=2))
    with pytest.raises(ServiceError):
        await embedder.embed("a")
    with pytest.raises(ServiceError):
        await embedder.embed_many(["a"])
    assert (await embedder.embed_many(["a"]))[0].vector.any()


def test_the_second_embedder_has_a_space_of_its_own():
    assert PrimaryEmbedder().space != SecondaryEmbedder().space
    assert PrimaryEmbedder(64).space != SecondaryEmbedder(64).space


def test_the_width_can_be_chosen():
    assert PrimaryEmbedder(dimension=16).dimension == 16
