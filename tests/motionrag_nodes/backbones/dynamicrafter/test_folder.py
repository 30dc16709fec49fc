"""A converted base model is read strictly: what is missing, swapped or too large is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from index_builder.errors import ModelFilesRefused
from motionrag_nodes.backbones.dynamicrafter.folder import RESAMPLER_FILE, UNET_FILE, read_folder


@pytest.fixture
def folder(base_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(base_folder, tmp_path / "base")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_all_parts_have_the_precision_asked_for(folder: Path, dtype: torch.dtype) -> None:
    pipeline = read_folder(folder, dtype=dtype)
    for name in ("unet", "vae", "text_tokens", "picture_tokens"):
        assert {parameter.dtype for parameter in getattr(pipeline, name).parameters()} == {dtype}


@pytest.mark.parametrize("file", [UNET_FILE, RESAMPLER_FILE])
def test_missing_and_unknown_weights_are_named(folder: Path, file: str) -> None:
    state = load_file(folder / file)
    key = sorted(state)[0]
    save_file({"other" if name == key else name: value for name, value in state.items()}, folder / file)
    with pytest.raises(
        ModelFilesRefused, match=rf"(?s)settings and weights of one .*{key}.*convert the checkpoint again"
    ):
        read_folder(folder, dtype=torch.float32)


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        (UNET_FILE, "auto_map", {}),
        (UNET_FILE, "num_res_blocks", "many"),
        (UNET_FILE, "model_channels", 32000),
        (RESAMPLER_FILE, "depth", 10**6),
        (RESAMPLER_FILE, "heads", 0),
    ],
)
def test_other_settings_are_refused(folder: Path, file: str, key: str, value: object) -> None:
    path = (folder / file).parent / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ModelFilesRefused, match=r"Expected (settings|only known settings|depth)"):
        read_folder(folder, dtype=torch.float32)


def test_code_is_refused(folder: Path) -> None:
    (folder / "unet" / "evil.py").write_text("")
    with pytest.raises(ModelFilesRefused, match=r"found unet/evil\.py"):
        read_folder(folder, dtype=torch.float32)


@pytest.mark.parametrize("part", ["clip", "vae"])
def test_a_missing_part_is_refused(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    with pytest.raises(ModelFilesRefused, match=part):
        read_folder(folder, dtype=torch.float32)
