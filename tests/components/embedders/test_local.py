import logging
import socket

import numpy as np
import pytest

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.errors import ConfigurationError
from ha_rag.interfaces import Embedder
from ha_rag.messages import Space


@pytest.fixture(scope="module")
def local():
    return LocalEmbedder()


async def vector(embedder, text):
    return (await embedder.embed(text)).vector


async def test_it_is_an_embedder_of_256_dimensions(local):
    assert isinstance(local, Embedder)
    embedding = await local.embed("How does a circuit recover?")
    assert embedding.vector.shape == (256,)
    assert embedding.vector.dtype == np.float32
    assert np.linalg.norm(embedding.vector) == pytest.approx(1.0)
    assert embedding.space == Space("wordllama-l2-supercat", "1", 256)


async def test_texts_on_one_subject_are_more_similar_than_others(local):
    question = await vector(local, "How does a circuit breaker recover?")
    near = await vector(local, "After its rest the breaker lets a probe pass and closes again.")
    far = await vector(local, "Preheat the oven and butter the cake tin.")
    assert question @ near > question @ far + 0.1


async def test_embed_and_embed_many_return_the_same_vectors(local):
    texts = [f"text number {n} " + "word " * n for n in range(70)]
    many = await local.embed_many(texts)
    assert np.allclose([e.vector for e in many], [await vector(local, text) for text in texts], atol=1e-6)


@pytest.mark.parametrize("text", ["", "\ud800", "\x00\x01", "🙂" * 50, "ж" * 3000])
async def test_no_text_produces_nan(local, text):
    length = np.linalg.norm(await vector(local, text))
    assert length == pytest.approx(1.0) or length == 0.0


async def test_an_empty_text_has_the_zero_vector(local):
    assert not (await vector(local, "")).any()


def test_loading_touches_neither_the_network_nor_the_root_logger(monkeypatch):
    def refuse(*_args):
        raise AssertionError("no network")

    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    LocalEmbedder()
    assert (root.level, list(root.handlers)) == before


@pytest.mark.parametrize(
    ("question", "lowest", "highest"),
    [
        ("How does a circuit recover?", 0.2, 0.25),
        ("HOW DOES A CIRCUIT RECOVER?", 0.0, 0.1),
        ("Wie erholt sich ein Stromkreis?", 0.02, 0.2),
        ("断路器如何恢复", 0.0, 0.0),
        ("วงจรฟื้นตัวอย่างไร", 0.0, 0.0),
        ("断路器 API timeout", 0.1, 0.2),
        ("2015", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
async def test_it_weighs_less_in_words_that_the_model_does_not_know(local, question, lowest, highest):
    assert lowest <= (await local.embed(question)).weight <= highest


def test_a_weight_outside_of_0_to_1_is_refused_before_the_model_is_loaded():
    with pytest.raises(ConfigurationError, match=r"weight = 1\.5: must be from 0 to 1"):
        LocalEmbedder(weight=1.5)
