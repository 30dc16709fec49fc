"""A folder in diffusers' layout is held to a table of components, and each component to its own settings."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.diffusers_settings import require_component_folder, require_diffusers_folder

PACKAGED = Path(__file__).resolve().parents[3] / "motionrag_nodes" / "packs" / "tiny" / "base"
COMPONENTS = {
    "feature_extractor": ("transformers.CLIPImageProcessor",),
    "image_encoder": ("transformers.CLIPVisionModelWithProjection",),
    "scheduler": ("diffusers.EulerDiscreteScheduler",),
    "unet": ("diffusers.UNetSpatioTemporalConditionModel",),
    "vae": ("diffusers.AutoencoderKL", "diffusers.AutoencoderKLTemporalDecoder"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(PACKAGED, tmp_path / "base")


def check(folder: Path) -> None:
    require_diffusers_folder(folder, pipeline="StableVideoDiffusionPipeline", components=COMPONENTS)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_pipeline_of_the_table_is_welcome(folder: Path) -> None:
    check(folder)


def test_another_pipeline_is_refused(folder: Path) -> None:
    change(folder / "model_index.json", _class_name="EvilPipeline")
    with pytest.raises(ModelFilesRefused, match=r"Expected a StableVideoDiffusionPipeline at .*, found EvilPipeline"):
        check(folder)


@pytest.mark.parametrize(
    "entry",
    [
        ["evil", "UNetSpatioTemporalConditionModel"],
        ["diffusers", "UNet2DModel"],
        ["unet.evil", "Evil"],
        ["diffusers_modules", "Evil"],
        "evil",
        ["a", "b", "c"],
        {"library": "evil"},
    ],
)
def test_a_part_of_another_class_is_refused(folder: Path, entry: Any) -> None:
    change(folder / "model_index.json", unet=entry)
    with pytest.raises(ModelFilesRefused, match=r"component unet of .* to be diffusers\.UNetSpatioTemporal"):
        check(folder)


def test_a_part_that_the_table_does_not_know_is_refused(folder: Path) -> None:
    change(folder / "model_index.json", safety_checker=["evil", "Checker"])
    with pytest.raises(ModelFilesRefused, match="found safety_checker"):
        check(folder)


@pytest.mark.parametrize(
    "path",
    [
        "unet/config.json",
        "vae/config.json",
        "scheduler/scheduler_config.json",
        "image_encoder/config.json",
        "feature_extractor/preprocessor_config.json",
    ],
)
@pytest.mark.parametrize("key", ["auto_map", "quantization_config", "custom_pipeline"])
def test_settings_of_every_part_are_held_to_its_own(folder: Path, path: str, key: str) -> None:
    change(folder / path, **{key: {"AutoModel": "evil.Evil"}})
    with pytest.raises(ModelFilesRefused, match=f"{path}.*, found {key}: settings that"):
        check(folder)


@pytest.mark.parametrize("path", ["unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"])
def test_settings_of_another_class_are_refused(folder: Path, path: str) -> None:
    change(folder / path, _class_name="Evil")
    with pytest.raises(ModelFilesRefused, match="received those of Evil"):
        check(folder)


def test_code_beside_a_part_is_refused(folder: Path) -> None:
    (folder / "unet" / "evil.py").write_text("")
    with pytest.raises(ModelFilesRefused, match=r"found unet/evil\.py"):
        check(folder)


def test_a_missing_part_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "vae")
    with pytest.raises(ModelFilesRefused, match=r"Expected the folder .*vae of AutoencoderKL"):
        check(folder)


def test_sizes_out_of_proportion_are_refused(folder: Path) -> None:
    change(folder / "unet" / "config.json", block_out_channels=[96, 10**9])
    with pytest.raises(ModelFilesRefused, match=r"Expected numbers up to .* at block_out_channels"):
        check(folder)


def test_settings_of_the_published_scheduler_are_known(folder: Path) -> None:
    # Those that stable-video-diffusion-img2vid carries of other schedulers.
    change(
        folder / "scheduler" / "scheduler_config.json", clip_sample=False, set_alpha_to_one=False, skip_prk_steps=True
    )
    check(folder)


def test_one_part_by_itself(folder: Path) -> None:
    require_component_folder(folder / "vae", "AutoencoderKL")
    with pytest.raises(ModelFilesRefused, match="Expected the settings of UNet2DModel"):
        require_component_folder(folder / "vae", "UNet2DModel")
