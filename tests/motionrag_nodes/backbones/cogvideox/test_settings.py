"""CogVideoX's settings: what its codec can make, and packs that were written before they had names of their own."""

from dataclasses import replace

import pytest

from motionrag_nodes.backbones.cogvideox.published import PUBLISHED
from motionrag_nodes.backbones.cogvideox.settings import CogVideoXSettings
from motionrag_nodes.checkpoints.pack_config import PackConfig
from motionrag_nodes.checkpoints.published import published_config
from motionrag_nodes.errors import GenerationSettingInvalid, PackInvalid


@pytest.mark.parametrize(("frames", "nearest"), [(16, 17), (5, 1), (48, 49), (21, 17)])
def test_frames_that_the_codec_cannot_make_are_refused(frames: int, nearest: int) -> None:
    with pytest.raises(GenerationSettingInvalid, match=rf"received {frames}; the nearest is {nearest}$"):
        replace(PUBLISHED.settings, frames=frames).validate(pixel_multiple=16)
    PUBLISHED.settings.validate(pixel_multiple=16)


def stored(**changed: object) -> dict:
    files = {
        name: {"sha256": "0" * 64, "size_bytes": 1}
        for name in ("motion_resampler", "appearance_resampler", "context_transformer", "motion_adapter")
    }
    values = published_config("cogvideox", name="published").to_dict()
    return values | {"files": {f"{name}.safetensors": entry for name, entry in files.items()}} | changed


def test_a_pack_of_the_first_version_is_read() -> None:
    first = {"width": 720, "height": 480, "frames": 17, "fps": 8, "steps": 25, "min_guidance": 3.5, "max_guidance": 3.5,
             "motion_bucket_id": 127, "noise_aug_strength": 0.02}  # fmt: skip
    read = PackConfig.from_dict(stored(generation=first)).generation
    assert read == CogVideoXSettings(width=720, height=480, frames=17, fps=8, steps=25, guidance=3.5)
    assert PackConfig.from_dict(stored()).generation == PUBLISHED.settings


@pytest.mark.parametrize(
    ("generation", "problem"),
    [
        ({}, "generation.steps: missing"),
        ([], "generation: expected an object"),
        ({"prompt": "x"}, "prompt: unexpected"),
    ],
)
def test_other_settings_are_told(generation: object, problem: str) -> None:
    with pytest.raises(PackInvalid, match=problem):
        PackConfig.from_dict(stored(generation=generation))
