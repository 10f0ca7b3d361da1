import subprocess
import sys

import numpy as np
import pytest

from ha_rag.components.embedders.hashing import HashingEmbedder, hashed
from ha_rag.errors import ConfigurationError
from ha_rag.interfaces import Embedder
from ha_rag.messages import Space


async def test_it_is_an_embedder_of_256_dimensions():
    embedder = HashingEmbedder()
    assert isinstance(embedder, Embedder)
    embedding = await embedder.embed("How does a circuit recover?")
    assert embedding.vector.shape == (256,)
    assert embedding.vector.dtype == np.float32
    assert np.linalg.norm(embedding.vector) == pytest.approx(1.0)
    assert embedding.space == Space("hashing", "1", 256)


def test_its_vectors_are_the_same_in_every_process():
    program = "from ha_rag.components.embedders.hashing import hashed; print(hashed('a circuit', 8).tolist())"
    printed = subprocess.run(  # PYTHONHASHSEED differs from ours: nothing may hang on it
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert printed.stdout.strip() == str(hashed("a circuit", 8).tolist())


def test_its_vectors_do_not_change_without_a_new_revision():
    known = [0.387, 0.387, 0.387, 0.0, 0.0, 0.387, -0.632, 0.0]
    assert hashed("circuit", 8).round(3).tolist() == pytest.approx(known, abs=0.002)


def test_forms_of_one_word_are_more_similar_than_other_words():
    assert hashed("recovery", 256) @ hashed("recovering", 256) > hashed("recovery", 256) @ hashed("passage", 256) + 0.2


def test_stop_words_count_only_if_there_are_no_other_words():
    assert np.array_equal(hashed("what is the circuit", 64), hashed("circuit", 64))
    assert hashed("what is it", 64).any()


@pytest.mark.parametrize("text", ["", "   ", "?!", "\ud800"])
def test_a_text_without_words_has_the_zero_vector(text):
    assert not hashed(text, 16).any()


def test_a_very_long_word_is_embedded():
    assert np.linalg.norm(hashed("x" * 1_000_000, 256)) == pytest.approx(1.0)


async def test_embed_and_embed_many_return_the_same_vectors():
    embedder = HashingEmbedder(32)
    texts = [f"text number {n}" for n in range(70)]
    many = await embedder.embed_many(texts)
    assert np.array_equal([e.vector for e in many], [(await embedder.embed(text)).vector for text in texts])


@pytest.mark.parametrize("dimension", [0, 7, 65_537])
def test_an_invalid_dimension_is_refused(dimension):
    with pytest.raises(ConfigurationError, match="dimension"):
        HashingEmbedder(dimension)
