"""The same picture and noise under several motions: only the motion differs, and its effect is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from index_builder.errors import InvalidSetting
from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.backbones.svd.settings import SVDSettings
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.frames.compare import Compared, Way, compare_motions, described, ways_of
from motionrag_nodes.frames.video_model import load_video_model

SETTINGS = SVDSettings(
    width=64, height=64, frames=3, fps=4, steps=2, min_guidance=1.0, max_guidance=2.0, decode_chunk_size=2, seed=7
)
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def model(tiny_pipeline_folder, write_tiny_pack, tmp_path):
    return load_video_model(tiny_pipeline_folder, pack=load_pack(write_tiny_pack(tmp_path / "pack")))


def _motion(model, seed: int) -> AdaptedMotion:
    tokens, unconditional = torch.randn(2, 1, 3, 32, generator=torch.Generator().manual_seed(seed))
    return AdaptedMotion(tokens, unconditional, fusion="mean", pack=model.pack)


def test_only_the_motion_differs(model) -> None:
    own, other = _motion(model, 1), _motion(model, 2)
    ways = ways_of(plain=True, own=own, strengths=(0.0, 1.0), own_note="a ball rolls", other=other, other_note="falls")
    assert [way.title for way in ways] == ["no motion", "as found × 0", "as found × 1", "what if"]
    steps: list[tuple[int, int]] = []
    compared = compare_motions(
        model, image=IMAGE, ways=ways, settings=SETTINGS, on_step=lambda *count: steps.append(count)
    )
    plain, silent, found, what_if = compared.videos
    assert np.array_equal(plain, silent) and not np.array_equal(plain, found) and not np.array_equal(found, what_if)
    effects = compared.effects()
    assert effects[:2] == [0, 0] and min(effects[2:]) > 0
    assert steps[-1] == (8, 8) and sorted(steps) == steps
    assert described(compared).splitlines()[2].endswith("of 255 from 'no motion'; a ball rolls")


def test_a_single_strength_of_one_needs_no_number(model) -> None:
    own = _motion(model, 1)
    assert [way.title for way in ways_of(plain=False, own=own, strengths=(1.0,), backwards=own)] == [
        "as found",
        "played backwards",
    ]


def test_too_many_are_refused(model) -> None:
    with pytest.raises(InvalidSetting, match="Expected 1 to 16 videos to compare, received 17"):
        compare_motions(model, image=IMAGE, ways=[Way(title="x")] * 17, settings=SETTINGS)


def test_videos_of_another_number_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="of 2 ways"):
        Compared((Way(title="a"), Way(title="b")), np.zeros((1, 2, 4, 4, 3), np.uint8), 4)
