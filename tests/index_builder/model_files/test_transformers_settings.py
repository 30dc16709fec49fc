"""A config.json, tokenizer or image processor of transformers is held to the class that will read it."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import CLIPImageProcessor, CLIPVisionConfig, Dinov2Config, T5Config, VideoMAEConfig

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.transformers_settings import (
    require_image_processor_settings,
    require_model_settings,
    require_tokenizer_settings,
)

CONFIGS = [VideoMAEConfig, Dinov2Config, CLIPVisionConfig, T5Config]


@pytest.mark.parametrize("config_class", CONFIGS)
def test_what_transformers_saves_is_read(tmp_path: Path, config_class: Any) -> None:
    config_class().save_pretrained(tmp_path)
    require_model_settings(tmp_path, config_class)


def test_what_transformers_4_saved_is_read(tmp_path: Path) -> None:
    old = {
        "architectures": ["VideoMAEForVideoClassification"], "model_type": "videomae", "torch_dtype": "float32",
        "transformers_version": "4.22.0.dev0", "id2label": {"0": "Approaching something"}, "hidden_size": 768,
        "label2id": {"Approaching something": 0}, "problem_type": "single_label_classification", "qkv_bias": True,
        "decoder_hidden_size": 384, "norm_pix_loss": True, "qv_bias": True, "use_mean_pooling": True,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(old))
    require_model_settings(tmp_path, VideoMAEConfig)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auto_map", {"AutoModel": "modeling.Evil"}),
        ("attn_implementation", "nobody/kernel"),
        ("_attn_implementation", "nobody/kernel"),
        ("quantization_config", {"quant_method": "gptq"}),
        ("trust_remote_code", True),
        ("custom_pipelines", {}),
        ("something_new", "nobody/evil"),
    ],
)
@pytest.mark.parametrize("config_class", [VideoMAEConfig, Dinov2Config])
def test_keys_that_lead_elsewhere_are_named(tmp_path: Path, config_class: Any, key: str, value: Any) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": config_class.model_type, key: value}))
    with pytest.raises(ModelFilesRefused, match=f"found {key}: settings that"):
        require_model_settings(tmp_path, config_class)


def test_another_model_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "evil"}')
    with pytest.raises(ModelFilesRefused, match=r'"model_type": "dinov2" in .*, received \'evil\''):
        require_model_settings(tmp_path, Dinov2Config)


def test_image_processors_are_of_the_table(tmp_path: Path) -> None:
    CLIPImageProcessor().save_pretrained(tmp_path)
    require_image_processor_settings(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "image_processor_type": "EvilProcessor"}))
    with pytest.raises(ModelFilesRefused, match=r"image_processor_type to be one of .*, received 'EvilProcessor'"):
        require_image_processor_settings(tmp_path)
    path.write_text(json.dumps({**settings, "auto_map": {}}))
    with pytest.raises(ModelFilesRefused, match="found auto_map"):
        require_image_processor_settings(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json"])
def test_tokenizers_are_of_the_table(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 100, "pad_token": "<pad>"}))
    require_tokenizer_settings(tmp_path)
    path.write_text(json.dumps({"tokenizer_class": "EvilTokenizer"}))
    with pytest.raises(ModelFilesRefused, match="tokenizer_class to be one of"):
        require_tokenizer_settings(tmp_path)
    path.write_text(json.dumps({"auto_map": {"AutoTokenizer": ["tokenizer.Evil", None]}}))
    with pytest.raises(ModelFilesRefused, match="found auto_map"):
        require_tokenizer_settings(tmp_path)
