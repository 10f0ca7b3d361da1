import numpy as np
import pytest

from ha_rag.components.embedders.openai import OpenAIEmbedder
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ConfigurationError, MalformedReplyError, ServiceError
from ha_rag.interfaces import Embedder
from ha_rag.messages import Space
from tests.components.canned import canned_service, json_reply


def embedder(base_url, **settings):
    settings = {"model": "some-model", "dimension": 2, **settings}
    return OpenAIEmbedder(ServiceConfig(base_url=base_url), **settings)


def answer(*vectors):
    return json_reply({"data": [{"index": n, "embedding": vector} for n, vector in enumerate(vectors)]})


def test_it_is_an_embedder_in_its_models_space():
    made = embedder("http://localhost/v1", revision="2")
    assert isinstance(made, Embedder)
    assert made.space == Space("some-model", "2", 2)
    assert made.dimension == 2


async def test_a_question_becomes_a_unit_vector_in_that_space():
    async with canned_service(answer([3.0, 4.0])) as service:
        asked = embedder(service.base_url)
        embedding = await asked.embed("How does a circuit recover?")
        await asked.aclose()
        assert embedding.vector.tolist() == pytest.approx([0.6, 0.8])
        assert embedding.space == asked.space
        assert service.body() == {
            "model": "some-model",
            "encoding_format": "base64",
            "input": ["How does a circuit recover?"],
        }


async def test_many_texts_are_sent_in_batches_and_their_vectors_returned_in_order():
    replies = [answer([1.0, 0.0], [0.0, 1.0]), answer([-1.0, 0.0])]
    async with canned_service(*replies) as service:
        asked = embedder(service.base_url, batch_size=2)
        embeddings = await asked.embed_many(["a", "b", "c"])
        await asked.aclose()
        assert [service.body(n)["input"] for n in range(2)] == [["a", "b"], ["c"]]
    assert np.array([e.vector for e in embeddings]).tolist() == [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]


async def test_without_texts_no_request_is_sent():
    async with canned_service(answer()) as service:
        assert await embedder(service.base_url).embed_many([]) == []
        assert service.requests == []


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"model": "text-embedding-3-small"}, 2),
        ({"model": "text-embedding-3-small", "send_dimension": False}, None),
        ({"model": "bge-m3"}, None),
        ({"model": "bge-m3", "send_dimension": True}, 2),
    ],
)
async def test_the_dimension_is_sent_only_to_models_that_accept_it(settings, sent):
    async with canned_service(answer([1.0, 0.0])) as service:
        asked = embedder(service.base_url, **settings)
        await asked.embed("a")
        await asked.aclose()
        assert service.body().get("dimensions") == sent


async def test_lists_of_numbers_can_be_requested_instead_of_base64():
    async with canned_service(answer([1.0, 0.0])) as service:
        asked = embedder(service.base_url, encoding_format="float")
        await asked.embed("a")
        await asked.aclose()
        assert service.body()["encoding_format"] == "float"


async def test_a_text_that_json_cannot_encode_is_made_encodable():
    async with canned_service(answer([1.0, 0.0])) as service:
        asked = embedder(service.base_url)
        await asked.embed("half \ud83d an emoji")
        await asked.aclose()
        assert service.body()["input"] == ["half ? an emoji"]


async def test_vectors_of_another_dimension_are_malformed():
    async with canned_service(answer([1.0, 0.0, 0.0])) as service:
        asked = embedder(service.base_url)
        with pytest.raises(MalformedReplyError, match=r"\(3,\)"):
            await asked.embed("a")
        await asked.aclose()


async def test_fewer_vectors_than_texts_are_malformed():
    async with canned_service(answer([1.0, 0.0])) as service:
        asked = embedder(service.base_url)
        with pytest.raises(MalformedReplyError, match="1 vectors for 2 texts"):
            await asked.embed_many(["a", "b"])
        await asked.aclose()


async def test_an_error_response_is_reported_with_its_status():
    async with canned_service(json_reply({}, "500 No")) as service:
        asked = embedder(service.base_url)
        with pytest.raises(ServiceError) as raised:
            await asked.embed("a")
        await asked.aclose()
    assert raised.value.status == 500


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"model": ""}, "model"),
        ({"dimension": 0}, "dimension"),
        ({"dimension": 10**6}, "dimension"),
        ({"batch_size": 0}, "batch_size"),
        ({"encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(settings, word):
    with pytest.raises(ConfigurationError, match=word):
        embedder("http://localhost/v1", **settings)
