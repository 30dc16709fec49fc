"""Sentence encoders' folders: only modules that compute, with settings of a table, from safetensors."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from index_builder.errors import ModelFilesRefused
from index_builder.features.sentence_encoder import carried_by_package
from index_builder.model_files.sentence_settings import require_sentence_folder
from index_builder.model_files.transformers_settings import require_tokenizer_settings
from tests.index_builder.sentence_folder import save_tiny_sentence_encoder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sentence") / "captions"
    save_tiny_sentence_encoder(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "captions"))


def module(kind: str, path: Any = "", **more: Any) -> dict[str, Any]:
    return {"idx": 0, "name": "0", "path": path, "type": kind, **more}


TRANSFORMER = module("sentence_transformers.models.Transformer")


def test_what_the_library_writes_and_the_packaged_model(folder: Path) -> None:
    from types import SimpleNamespace

    require_sentence_folder(folder)
    carried = carried_by_package(SimpleNamespace(source="sentence-transformers/all-MiniLM-L6-v2"))
    if carried is not None:
        require_sentence_folder(carried)
        require_tokenizer_settings(carried)


@pytest.mark.parametrize(
    ("modules", "found"),
    [
        ({}, "no list of modules"),
        ([], "no list of modules"),
        ([TRANSFORMER] * 17, "no list of modules"),
        ([5], "the module '5'"),
        ([module("evil.Evil")], r"the class 'evil\.Evil'"),
        ([module("sentence_transformers_evil.Transformer")], "the class"),
        ([module("sentence_transformers.models.WordEmbeddings")], "the class"),
        ([module("sentence_transformers.models.Router")], "the class"),
        ([module("sentence_transformers.models.BoW")], "the class"),
        ([module(TRANSFORMER["type"], "../other")], r"a module at '\.\./other'"),
        ([module(TRANSFORMER["type"], "/etc")], "a module at '/etc'"),
        ([module(TRANSFORMER["type"], None)], "a module at 'None'"),
        ([module(TRANSFORMER["type"], kwargs=["trust_remote_code"])], "arguments of its own"),
        ([{**TRANSFORMER, "code": "x"}], "the module"),
    ],
)
def test_modules_outside_the_table(folder: Path, modules: Any, found: str) -> None:
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelFilesRefused, match=found):
        require_sentence_folder(folder)


@pytest.mark.parametrize(
    ("file", "values", "found"),
    [
        ("sentence_bert_config.json", {"model_args": {"attn_implementation": "nobody/kernel"}}, "found model_args"),
        ("sentence_bert_config.json", {"config_args": {"trust_remote_code": True}}, "found config_args"),
        ("sentence_bert_config.json", {"tokenizer_name_or_path": "nobody/evil"}, "found tokenizer_name_or_path"),
        ("sentence_bert_config.json", {"transformer_task": "text-generation"}, "another way than to encode texts"),
        ("sentence_bert_config.json", {"modality_config": {"text": {"method": "save"}}}, "another way"),
        ("sentence_bert_config.json", {"modality_config": []}, "another way"),
        ("sentence_xlnet_config.json", {"processor_kwargs": {}}, "found processor_kwargs"),
        ("1_Pooling/config.json", {"tokenizer_class": "os.system"}, "found tokenizer_class"),
        ("config_sentence_transformers.json", {"requirements": ["evil"]}, "found requirements"),
        ("config_sentence_transformers.json", {"prompts": {"query": 5}}, "prompts of another type"),
    ],
)
def test_settings_outside_the_tables(folder: Path, file: str, values: dict[str, Any], found: str) -> None:
    path = folder / file
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **values}))
    with pytest.raises(ModelFilesRefused, match=found):
        require_sentence_folder(folder)


@pytest.mark.parametrize("activation", ["torch.hub.load", "os.abort", "torch.nn.modules.activation.Evil", None, 5])
def test_an_activation_is_one_of_a_table(folder: Path, activation: Any) -> None:
    (folder / "2_Dense").mkdir()
    dense = module("sentence_transformers.models.Dense", "2_Dense")
    (folder / "modules.json").write_text(json.dumps([TRANSFORMER, dense]))
    settings = {"in_features": 8, "out_features": 4, "bias": True}
    path = folder / "2_Dense" / "config.json"
    path.write_text(json.dumps({**settings, "activation_function": "torch.nn.modules.activation.Tanh"}))
    require_sentence_folder(folder)
    path.write_text(json.dumps({**settings, "activation_function": activation}))
    with pytest.raises(ModelFilesRefused, match="the activation"):
        require_sentence_folder(folder)


def test_a_pickle_beside_another_safetensors(folder: Path) -> None:
    """The library would take the pickle, since the other file is not called as it looks for."""
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "pytorch_model.BIN").write_bytes(b"x")
    with pytest.raises(ModelFilesRefused, match=r"no \.safetensors file beside pytorch_model\.BIN"):
        require_sentence_folder(folder)


def test_a_tokenizer_of_other_parts(folder: Path) -> None:
    require_tokenizer_settings(folder)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "auto_map": {}}))
    with pytest.raises(ModelFilesRefused, match=r"tokenizer\.json, found auto_map"):
        require_tokenizer_settings(folder)
