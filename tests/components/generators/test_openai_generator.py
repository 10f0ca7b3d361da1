import orjson
import pytest

from ha_rag.components.generators.openai import OpenAIGenerator
from ha_rag.components.generators.wishes import wishing
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ComponentError, ConfigurationError, InvalidRequestError, MalformedReplyError, ServiceError
from ha_rag.interfaces import StreamingGenerator
from ha_rag.messages import Generation, Passage, StreamEnding, TokenUsage
from tests.components.canned import canned_service, events, json_reply, reply

PASSAGES = [Passage("a.md", "a.md#0", "A circuit rests."), Passage("b.md", "b.md#0", "A probe closes it.")]


def message(content, finish="stop", **more):
    return json_reply(
        {"choices": [{"message": {"role": "assistant", "content": content, **more}, "finish_reason": finish}]}
    )


def piece(content=None, finish=None):
    delta = {} if content is None else {"content": content}
    return orjson.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).decode()


async def generated(answer, **settings):
    async with canned_service(answer) as service:
        generator = OpenAIGenerator(ServiceConfig(base_url=service.base_url), model="m", **settings)
        try:
            return await generator.generate("How?", PASSAGES), service.body()
        finally:
            await generator.aclose()


async def streamed(answer):
    pieces = []
    async with canned_service(answer) as service:
        generator = OpenAIGenerator(ServiceConfig(base_url=service.base_url), model="m")
        try:
            async for text in generator.stream("How?", PASSAGES):
                pieces.append(text)
        except ComponentError as error:
            return pieces, error
        finally:
            await generator.aclose()
    return pieces, None


def test_it_implements_generator_and_streaming_generator():
    assert isinstance(OpenAIGenerator(ServiceConfig(base_url="http://localhost/v1"), model="m"), StreamingGenerator)


async def test_an_answer_has_the_numbers_of_the_passages_it_cites():
    generation, request = await generated(message(" It rests [1], then probes [2][1]. "))
    assert generation == Generation("It rests [1], then probes [2][1].", (1, 2))
    assert request["model"] == "m"
    assert request["stream"] is False
    assert '<passage n="2" from="b.md">' in request["messages"][-1]["content"]


async def test_the_askers_wishes_are_sent():
    with wishing("Answer in German."):
        _, request = await generated(message("Er ruht [1]."))
    assert "Answer in German." in request["messages"][0]["content"]


async def test_options_of_streams_are_sent_with_streams_only():
    options = {"stream_options": {"include_usage": True}}
    _, request = await generated(message("Yes."), parameters=options)
    assert "stream_options" not in request

    async with canned_service(events(piece("Yes.", finish="stop"))) as service:
        generator = OpenAIGenerator(ServiceConfig(base_url=service.base_url), model="m", parameters=options)
        assert [text async for text in generator.stream("How?", [])] == ["Yes."]
        await generator.aclose()
        assert service.body()["stream_options"] == options["stream_options"]


USAGE = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}


async def test_an_answer_has_the_usage_that_the_service_reports():
    choice = {"message": {"role": "assistant", "content": "It rests [1]."}, "finish_reason": "stop"}
    generation, _ = await generated(json_reply({"choices": [choice], "usage": USAGE}))
    assert generation.usage == TokenUsage(30, 12)


@pytest.mark.parametrize("choices", [[], [{"delta": {}, "finish_reason": None}]])
async def test_a_stream_ends_with_the_usage_that_the_service_reports(choices):
    last = orjson.dumps({"choices": choices, "usage": USAGE}).decode()
    sent = events(piece("It rests [1]."), piece(finish="stop"), last, "[DONE]")
    assert await streamed(sent) == (["It rests [1].", StreamEnding(usage=TokenUsage(30, 12))], None)


async def test_parameters_are_sent_but_cannot_replace_the_model():
    _, request = await generated(message("Yes."), parameters={"temperature": 0.1, "model": "other"})
    assert (request["temperature"], request["model"]) == (0.1, "m")


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"<html>Bad Gateway</html>", Content_Type="text/html"),
        reply(b'{"choices": [{"message": {"content": "half'),
        reply(b""),
        json_reply([]),
        json_reply({}),
        json_reply({"choices": []}),
        json_reply({"choices": [None]}),
        json_reply({"choices": [{}]}),
        message(None),
        message(""),
        message("  \n"),
        message([{"type": "image_url"}]),
        message(5),
    ],
)
async def test_a_response_without_an_answer_is_malformed(answer):
    with pytest.raises(MalformedReplyError):
        await generated(answer)


@pytest.mark.parametrize("answer", [message("So", finish="content_filter"), message(None, refusal="I will not.")])
async def test_a_refused_or_filtered_answer_is_an_invalid_request(answer):
    with pytest.raises(InvalidRequestError):
        await generated(answer)


async def test_a_stream_yields_its_pieces_as_they_arrive():
    answer = events(piece(""), piece("It "), piece("rests [1]."), piece(finish="stop"), '{"choices": []}', "[DONE]")
    assert await streamed(answer) == (["It ", "rests [1]."], None)


async def test_a_stream_with_a_finish_reason_is_complete_without_done():
    assert await streamed(events(piece("All."), piece(finish="stop"))) == (["All."], None)


async def test_a_stream_that_is_ended_early_says_why():
    assert await streamed(events(piece("All."), piece(finish="length"))) == (["All.", StreamEnding("length")], None)


async def test_a_stream_that_ends_early_raises_after_its_last_piece():
    pieces, error = await streamed(events(piece("It "), piece("re")))
    assert pieces == ["It ", "re"]
    assert isinstance(error, MalformedReplyError)


@pytest.mark.parametrize("rest", ["<html>", '{"choices": [{"delta', "[]", '{"choices": {}}'])
async def test_a_stream_that_becomes_garbage_raises_after_its_last_piece(rest):
    pieces, error = await streamed(events(piece("It "), rest))
    assert pieces == ["It "]
    assert isinstance(error, MalformedReplyError) or rest == '{"choices": {}}'
    assert error is not None


async def test_a_stream_without_text_is_malformed():
    pieces, error = await streamed(events(piece(finish="stop"), "[DONE]"))
    assert pieces == []
    assert isinstance(error, MalformedReplyError)


async def test_a_content_filter_within_a_stream_is_an_invalid_request():
    pieces, error = await streamed(events(piece("It "), piece(finish="content_filter")))
    assert pieces == ["It "]
    assert isinstance(error, InvalidRequestError)


async def test_an_error_within_a_stream_is_a_service_error():
    _, error = await streamed(events(piece("It "), '{"error": {"message": "overloaded"}}'))
    assert type(error) is ServiceError
    assert "overloaded" in str(error)


async def test_a_reader_that_stops_early_leaves_no_open_connection():
    async with canned_service(events(piece("It "), piece("rests."), "[DONE]")) as service:
        generator = OpenAIGenerator(ServiceConfig(base_url=service.base_url), model="m")
        stream = generator.stream("How?", PASSAGES)
        assert await anext(stream) == "It "
        await stream.aclose()
        await generator.aclose()


def test_a_model_without_a_name_is_refused():
    with pytest.raises(ConfigurationError, match="model"):
        OpenAIGenerator(ServiceConfig(base_url="http://localhost/v1"), model="")
