"""The sentence encoder: the packaged default model, models of a pack, and code of their own only where allowed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from index_builder.errors import EncoderCodeRefused, EncoderIncomplete, EncoderNotFound, ModelFilesRefused
from index_builder.features.encoders import EncoderSpec, fingerprint_encoder
from index_builder.features.sentence_encoder import ALLOWED_CODE, DEFAULT_MODEL, load_sentence_encoder
from tests.index_builder.sentence_folder import save_tiny_sentence_encoder

OWN_CODE = '''
"""A module that a model's folder brings along."""
import torch


class Halved(torch.nn.Module):
    def forward(self, features, **_):
        return features | {"sentence_embedding": features["sentence_embedding"][:, :4]}

    @classmethod
    def load(cls, *_, **__):
        return cls()

    def save(self, *_, **__):
        pass
'''


def spec(source: str, fingerprint: str = "0" * 16) -> EncoderSpec:
    return EncoderSpec("sentence", source, None, fingerprint)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pack")
    save_tiny_sentence_encoder(root / "captions")
    return root


@pytest.fixture
def cached(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny model as somebody/model in a hub cache."""
    snapshot = tmp_path / "cache" / "models--somebody--model" / "snapshots" / "abc"
    shutil.copytree(tiny / "captions", snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return snapshot


def add_own_code(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "2_Halved", "type": "halved.Halved"})
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "2_Halved").mkdir()
    (folder / "halved.py").write_text(OWN_CODE)


def test_a_folder_inside_the_pack(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = load_sentence_encoder(spec("captions"), folder=tiny)
    vectors = encoder.encode_text(["a cat jumps", "a dog runs away to the left", "a cat jumps"])
    assert vectors.shape == (3, 8) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[0], vectors[2], atol=1e-6) and not np.allclose(vectors[0], vectors[1], atol=1e-3)
    assert encoder.space.dim == 8 and encoder.space.description == "sentence captions (8)"
    # No bar and no report across the bars of our own work.
    assert capsys.readouterr() == ("", "")


def test_the_packaged_model_knows_what_means_the_same(tmp_path: Path) -> None:
    encoder = load_sentence_encoder(spec(DEFAULT_MODEL), folder=tmp_path)
    said, same, other = encoder.encode_text(
        ["a person leaps into the air", "somebody jumps upwards", "the camera slowly circles a statue"]
    )
    assert encoder.dim == 384 and said @ same > 0.5 > 0.3 > said @ other


def test_what_is_not_there_is_named(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(EncoderNotFound, match=r"Expected the sentence encoder nobody/nothing .*hf download"):
        load_sentence_encoder(spec("nobody/nothing"), folder=tmp_path)
    with pytest.raises(EncoderNotFound, match=r"no modules\.json in"):
        (tmp_path / "captions").mkdir()
        load_sentence_encoder(spec("captions"), folder=tmp_path)
    with pytest.raises(EncoderNotFound, match="Expected an encoder of kind sentence, received videomae"):
        load_sentence_encoder(replace(spec("captions"), kind="videomae"), folder=tiny)


def test_pickled_weights_are_not_opened(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "captions", tmp_path / "captions")
    (tmp_path / "captions" / "model.safetensors").rename(tmp_path / "captions" / "pytorch_model.bin")
    with pytest.raises(ModelFilesRefused, match=r"found pytorch_model\.bin: files of this kind can run code"):
        load_sentence_encoder(spec("captions"), folder=tmp_path)


def test_a_cache_with_nothing_but_pickles_is_not_opened(cached: Path, tmp_path: Path) -> None:
    (cached / "model.safetensors").rename(cached / "pytorch_model.bin")
    with pytest.raises(ModelFilesRefused, match=r"no \.safetensors file beside pytorch_model\.bin"):
        load_sentence_encoder(spec("somebody/model"), folder=tmp_path)


def test_a_file_that_lacks_weights_is_an_error(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "captions", tmp_path / "captions")
    path = tmp_path / "captions" / "model.safetensors"
    whole = load_file(path)
    save_file({k: v for k, v in whole.items() if "pooler" not in k}, path, metadata={"format": "pt"})
    load_sentence_encoder(spec("captions"), folder=tmp_path)
    cut = {k: v for k, v in whole.items() if "word_embeddings" not in k}
    save_file(cut, path, metadata={"format": "pt"})
    with pytest.raises(EncoderIncomplete, match=r"every weight of the model .* 1 are missing.*word_embeddings"):
        load_sentence_encoder(spec("captions"), folder=tmp_path)


def test_settings_that_lead_elsewhere_are_refused(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "captions", tmp_path / "captions")
    path = tmp_path / "captions" / "config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"attn_implementation": "somebody/kernel"}))
    with pytest.raises(ModelFilesRefused, match=r"only known settings in .*config\.json, found attn_implementation"):
        load_sentence_encoder(spec("captions"), folder=tmp_path)
    path.write_text(json.dumps(settings | {"model_type": "of-my-own"}))
    with pytest.raises(ModelFilesRefused, match=r"a model type that transformers knows .*received 'of-my-own'"):
        load_sentence_encoder(spec("captions"), folder=tmp_path)


def test_code_of_its_own_runs_only_where_its_fingerprint_is_allowed(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "captions"
    shutil.copytree(tiny / "captions", folder)
    add_own_code(folder)
    named = spec("captions", fingerprint_encoder("sentence", folder, None))
    for allowed in ("", "0" * 16, "1"):
        monkeypatch.setenv(ALLOWED_CODE, allowed)
        with pytest.raises(EncoderCodeRefused, match=f"halved.Halved.*set {ALLOWED_CODE}={named.fingerprint}"):
            load_sentence_encoder(named, folder=tmp_path)
    monkeypatch.setenv(ALLOWED_CODE, f"{'0' * 16},{named.fingerprint}")
    encoder = load_sentence_encoder(named, folder=tmp_path)
    assert encoder.encode_text(["a cat"]).shape == (1, 4)
    # Other code is another encoder.
    (folder / "halved.py").write_text(OWN_CODE.replace("4", "3"))
    assert fingerprint_encoder("sentence", folder, None) != named.fingerprint


def test_code_of_another_repository_is_never_run(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(tiny / "captions", tmp_path / "captions")
    config = json.loads((tmp_path / "captions" / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "somebody/impl--modeling.NewModel"}
    (tmp_path / "captions" / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv(ALLOWED_CODE, "0" * 16)
    with pytest.raises(EncoderCodeRefused, match=r"another repository: somebody/impl--modeling\.NewModel"):
        load_sentence_encoder(spec("captions"), folder=tmp_path)


def test_code_of_a_model_in_the_hub_cache_is_never_run(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_own_code(cached)
    monkeypatch.setenv(ALLOWED_CODE, "0" * 16)
    with pytest.raises(EncoderCodeRefused, match=r"in the hub cache runs halved\.Halved: make a local copy"):
        load_sentence_encoder(spec("somebody/model"), folder=tmp_path)
