"""A whole generation at tiny size: deterministic, guided, with motion, stopped within a step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.backbones.dynamicrafter.settings import DynamiCrafterSettings
from motionrag_nodes.errors import GenerationInterrupted, GenerationSettingInvalid, VideoModelNotFound
from motionrag_nodes.frames.generate import generate_frames
from motionrag_nodes.frames.video_model import VideoModel, load_video_model

SETTINGS = DynamiCrafterSettings(width=64, height=48, frames=3, fps=8, steps=4, guidance=2.0, prompt="a cat jumps")
PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)


@pytest.fixture
def model(base_folder: Path) -> VideoModel:
    return load_video_model(base_folder)


def motion_for(model: VideoModel, strength: float = 1.0) -> AppliedMotion:
    """Random motion through an adapter of the model's sites."""
    torch.manual_seed(1)
    widths = {site: host.width for site, host in model.backbone.hosts(model.pipeline.unet).items()}
    adapter = MotionAdapter(token_dim=8, site_dims=widths, root=model.backbone.root)
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    tokens, none = torch.randn(2, 1, 4, 8)
    return AppliedMotion(adapter=adapter.eval(), tokens=tokens, unconditional=none, strength=strength)


def changed(**values: Any) -> DynamiCrafterSettings:
    return replace(SETTINGS, **values)


def make(model: VideoModel, settings: DynamiCrafterSettings = SETTINGS, **options: Any) -> torch.Tensor:
    options.setdefault("motion", None)
    frames, _ = generate_frames(model, pictures=[PICTURE], settings=settings, seeds=[settings.seed], **options)
    return frames[0]


def test_a_folder_is_known_for_what_it_is(model: VideoModel) -> None:
    assert model.backbone is get_backbone("dynamicrafter")
    assert model.defaults.width == 1024


def test_the_same_seed_gives_the_same_video(model: VideoModel) -> None:
    first = make(model)
    assert first.shape == (3, 48, 64, 3) and 0 <= first.min() and first.max() <= 1
    assert torch.equal(make(model), first)
    assert not torch.equal(make(model, changed(seed=1)), first)


def test_clips_of_a_batch_are_those_made_alone(model: VideoModel) -> None:
    other = PICTURE[::-1].copy()
    frames, _ = generate_frames(model, pictures=[PICTURE, other], settings=SETTINGS, seeds=[0, 5], motion=None)
    assert torch.allclose(frames[0], make(model), atol=1e-4)
    alone, _ = generate_frames(model, pictures=[other], settings=SETTINGS, seeds=[5], motion=None)
    assert torch.allclose(frames[1], alone[0], atol=1e-4)


@pytest.mark.parametrize(
    "change", [{"prompt": "a dog sleeps"}, {"guidance": 1.0}, {"eta": 0.0}, {"frame_stride": 3}, {"steps": 3}]
)
def test_every_setting_is_heard(model: VideoModel, change: dict[str, Any]) -> None:
    assert not torch.allclose(
        make(model, DynamiCrafterSettings(**{**vars(SETTINGS), **change})), make(model), atol=1e-5
    )


def test_motion_enters_and_strength_0_leaves_the_plain_video(model: VideoModel) -> None:
    plain = make(model)
    assert torch.equal(make(model, motion=motion_for(model, strength=0.0)), plain)
    assert not torch.allclose(make(model, motion=motion_for(model)), plain, atol=1e-3)
    assert torch.equal(make(model), plain)


def test_steps_are_told_as_they_are_taken(model: VideoModel) -> None:
    told: list[tuple[int, int]] = []
    make(model, on_step=lambda done, steps: told.append((done, steps)))
    assert told == [(i + 1, 4) for i in range(4)]


def test_a_generation_stops_within_a_step(model: VideoModel) -> None:
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    with pytest.raises(GenerationInterrupted, match="stopped as asked, in step"):
        make(model, should_stop=should_stop)
    make(model)


def test_impossible_settings_are_listed(model: VideoModel) -> None:
    with pytest.raises(
        GenerationSettingInvalid, match=r"(?s)width: expected a .* multiple of 16.*eta: expected at least"
    ):
        make(model, changed(width=18, eta=-1.0))


def test_another_pipelines_folder_is_refused(base_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "OtherPipeline"}')
    with pytest.raises(VideoModelNotFound, match=r"Expected a DynamiCrafterPipeline at .*, found OtherPipeline"):
        get_backbone("dynamicrafter").load(tmp_path, dtype=torch.float32)
