"""What is Wan's own: one or two experts, numbers of frames, one picture at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.backbones.wan.sites import hosts
from motionrag_nodes.errors import AdapterMismatch, GenerationSettingInvalid
from tests.motionrag_nodes.backbones.wan.tiny import SETTINGS, save_pipeline

WAN = get_backbone("wan")
PICTURE = Image.new("RGB", (32, 32), "teal")


@pytest.mark.parametrize(("experts", "size", "frames"), [(2, (832, 480), 81), (1, (1280, 704), 121)])
def test_each_kind_loads_runs_and_says_what_it_was_trained_for(
    tmp_path: Path, experts: int, size: tuple[int, int], frames: int
) -> None:
    save_pipeline(tmp_path, experts=experts)
    pipeline = WAN.load(tmp_path, dtype=torch.float32)
    defaults = WAN.defaults(pipeline)
    assert ((defaults.width, defaults.height), defaults.frames) == (size, frames)
    assert defaults.problems() == []
    assert len(WAN.denoisers(pipeline)) == experts
    assert WAN.pixel_multiple(pipeline) == 16
    asked = [0] * experts
    for place, denoiser in enumerate(WAN.denoisers(pipeline)):
        denoiser.register_forward_hook(lambda *_, place=place: asked.__setitem__(place, asked[place] + 1))
    assert WAN.run(pipeline, [PICTURE], SETTINGS, [1]).shape == (1, 5, 32, 32, 3)
    assert asked == ([2, 4] if experts == 2 else [6])  # one step with much noise, two with little; two branches
    with pytest.raises(GenerationSettingInvalid, match="Expected one picture for a Wan model, received 2"):
        WAN.run(pipeline, [PICTURE] * 2, SETTINGS, [1, 2])


def test_frames_that_the_codec_cannot_make_are_refused() -> None:
    with pytest.raises(GenerationSettingInvalid, match="frames: expected a multiple of 4 and one more, received 16;"):
        replace(SETTINGS, frames=16).validate(pixel_multiple=16)


def test_a_model_without_sites_is_refused() -> None:
    with pytest.raises(AdapterMismatch, match="Expected a Wan model, received Linear without blocks"):
        hosts(nn.Linear(2, 2))
