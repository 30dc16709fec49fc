"""An open_clip_config.json that would lead open_clip to another library's models or code is refused by its key."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.open_clip_settings import SETTINGS_FILE, read_open_clip_settings

GOOD: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 512,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}


def write(folder: Path, settings: Any) -> Path:
    (folder / SETTINGS_FILE).write_text(json.dumps(settings))
    return folder


def test_the_published_form_is_read_whole(tmp_path: Path) -> None:
    assert read_open_clip_settings(write(tmp_path, GOOD)) == GOOD


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("text_cfg", "tokenizer_kwargs", {"trust_remote_code": True}),
        ("text_cfg", "hf_tokenizer_name", "nobody/evil"),
        ("text_cfg", "hf_model_name", "nobody/evil"),
        ("text_cfg", "hf_model_config", {}),
        ("text_cfg", "tokenizer_mode", "clips"),
        ("vision_cfg", "timm_model_name", "hf-hub:nobody/evil"),
        ("vision_cfg", "timm_model_pretrained", True),
        ("vision_cfg", "auto_map", {}),
        (None, "multimodal_cfg", {}),
        (None, "hf_hub_id", "nobody/evil"),
        (None, "auto_map", {}),
    ],
)
def test_keys_that_lead_elsewhere_are_named(tmp_path: Path, part: str | None, key: str, value: Any) -> None:
    settings = copy.deepcopy(GOOD)
    (settings["model_cfg"][part] if part else settings["model_cfg"])[key] = value
    with pytest.raises(ModelFilesRefused, match=f"found {key}: settings that"):
        read_open_clip_settings(write(tmp_path, settings))


def test_keys_beside_the_model_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesRefused, match="found custom_pipeline"):
        read_open_clip_settings(write(tmp_path, {**GOOD, "custom_pipeline": "x"}))


@pytest.mark.parametrize("option", [{"eps": 1e-5, "path": "x"}, {"trust_remote_code": True}])
def test_options_inside_a_tower_are_held_to_theirs(tmp_path: Path, option: dict[str, Any]) -> None:
    settings = copy.deepcopy(GOOD)
    settings["model_cfg"]["vision_cfg"]["norm_kwargs"] = option
    with pytest.raises(ModelFilesRefused, match=r"vision_cfg\.norm_kwargs, found"):
        read_open_clip_settings(write(tmp_path, settings))


@pytest.mark.parametrize("part", [{"vision_cfg": 3}, {"text_cfg": []}, {"text_cfg": None}])
def test_parts_that_are_no_objects_are_refused(tmp_path: Path, part: dict[str, Any]) -> None:
    settings = {"model_cfg": {**GOOD["model_cfg"], **part}}
    with pytest.raises(ModelFilesRefused, match=f"Expected an object {next(iter(part))}"):
        read_open_clip_settings(write(tmp_path, settings))
