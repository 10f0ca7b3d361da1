"""The local model's files are read as they are in the wheel, once in a process, and stay mapped."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.embedders.static_model import LONGEST_KEPT, WEIGHTS, StaticModel, TokenVectors, installed_model
from ha_rag.errors import ConfigurationError


def test_embedders_of_any_weight_share_one_model() -> None:
    assert LocalEmbedder().token_vectors is LocalEmbedder(weight=0.7).token_vectors is installed_model().vectors


def test_the_vectors_and_tokens_are_those_that_wordllama_loads() -> None:
    program = (
        "import json, wordllama; from pathlib import Path\n"
        "m = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, dim=256, disable_download=True)\n"
        "t = 'How does \u00c4 circuit recover?\\n \u65ad\u8def'\n"
        "ids = m.tokenizer.encode(t, add_special_tokens=False).ids\n"
        "print(json.dumps([t, ids, m.embedding[ids].tolist(), list(m.embedding.shape)]))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    text, ids, rows, (tokens, _) = json.loads(ran.stdout)
    embedder = LocalEmbedder()
    assert embedder.token_ids(text) == ids
    assert embedder.token_vectors[ids].tolist() == rows
    assert len(embedder.token_vectors.lengths()) == tokens


def test_wordllama_is_not_imported() -> None:
    program = "import sys\nfrom ha_rag.components.embedders.local import LocalEmbedder\nLocalEmbedder()\n"
    subprocess.run([sys.executable, "-c", f"{program}assert 'wordllama' not in sys.modules"], check=True)


def test_vectors_keep_their_numbers_in_any_order_and_number() -> None:
    stored = np.random.default_rng(1).normal(size=(50, 256)).astype(np.float16)
    vectors = TokenVectors(stored)
    for ids in ([3, 3, 7], np.array([7, 0, 3]), [], list(range(50))):
        taken = vectors[ids]
        assert taken.dtype == np.float32
        assert np.array_equal(taken, stored[np.asarray(ids, dtype=int)])
    assert np.allclose(vectors.lengths(), np.linalg.norm(stored.astype(np.float64), axis=1), rtol=1e-5)


def test_threads_that_take_the_same_vectors_first_get_all_of_them() -> None:
    stored = np.ones((4096, 256), dtype=np.float16)
    vectors = TokenVectors(stored)
    wrong: list[int] = []
    together = threading.Barrier(4)

    def take() -> None:
        together.wait()
        for start in range(0, 4096, 64):
            if not (vectors[range(start, start + 64)] == 1).all():
                wrong.append(start)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


@pytest.mark.parametrize(
    "weights",
    [
        None,
        b"",
        b"\xff" * 64,
        b"\x02\0\0\0\0\0\0\0{}",
        b"\x04\0\0\0\0\0\0\0nope",
        b"\x02\0\0\0\0\0\0\0[]",
        {"embedding.weight": {"dtype": "I8", "shape": [4, 256], "data_offsets": [0, 1024]}},
        {"embedding.weight": {"dtype": "F16", "shape": [4, 64], "data_offsets": [0, 512]}},
        {"embedding.weight": {"dtype": "F16", "shape": [4, 256], "data_offsets": [0, 2048]}},  # cut off
    ],
)
def test_missing_or_other_weights_are_a_configuration_error(
    tmp_path: Path, weights: bytes | dict[str, object] | None
) -> None:
    file = tmp_path / WEIGHTS
    file.parent.mkdir()
    if isinstance(weights, dict):
        header = json.dumps(weights).encode()
        file.write_bytes(len(header).to_bytes(8, "little") + header)
    elif weights is not None:
        file.write_bytes(weights)
    with pytest.raises(ConfigurationError, match=r'kind = "local": wordllama and its weights must be installed'):
        StaticModel(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ["How", "does", "a", "circuit", "recover?"],
        ["断路器", "如何恢复。", "ก๊าซ", "คืออะไร", "🙂🙂", "\x00", "a\u200bb", "-" * 300],
        ["\u2581", "a\u2581b", "\u2581\u2581c", "d"],
        [],
    ],
)
def test_words_that_are_cut_together_have_the_tokens_that_each_has_by_itself(words: list[str]) -> None:
    model = installed_model()
    assert model.tokens_of_words(words) == [model.tokens(word) for word in words]


@pytest.mark.parametrize(("repeated", "times"), [(1, 1), (LONGEST_KEPT, 2)])
def test_a_question_is_cut_once_for_search_and_answer_unless_it_is_long(
    repeated: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder, model = LocalEmbedder(), installed_model()
    cut: list[str] = []
    tokens = model.tokens

    def counted(text: str) -> list[int]:
        cut.append(text)
        return tokens(text)

    monkeypatch.setattr(model, "tokens", counted)
    question = "Which question has nobody asked before?" * repeated
    assert embedder.question_token_ids(question) == tokens(question)
    assert embedder.known_share(question) > 0.5
    assert cut == [question] * times
