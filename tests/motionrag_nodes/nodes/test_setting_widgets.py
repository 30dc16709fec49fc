"""Widgets of Generate Video, made from what backbones say of their settings."""

from __future__ import annotations

from typing import Any

import pytest

from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.errors import GenerationSettingInvalid

pytestmark = pytest.mark.comfyui


@pytest.fixture
def widgets(comfy: Any) -> Any:
    return pytest.importorskip("motionrag_nodes.nodes.setting_widgets")


def test_the_first_backbone_s_come_first_and_what_was_added_is_optional(widgets: Any) -> None:
    made = widgets.setting_widgets()
    names = [widget.id for widget in made]
    assert names[:5] == ["steps", "frame_count", "fps", "width", "height"]
    assert names[5:10] == [
        "min_guidance", "max_guidance", "motion_bucket_id", "noise_aug_strength", "decode_chunk_size",
    ]  # fmt: skip
    assert names[10:13] == ["guidance", "prompt", "negative_prompt"]
    assert [bool(widget.optional) for widget in made] == [False] * 10 + [True] * (len(made) - 10)
    assert len(set(names)) == len(names)


def test_unset_widgets_leave_the_model_s_own_and_texts_of_others_are_left_out(widgets: Any) -> None:
    svd, own = get_backbone("svd"), get_backbone("svd").published.settings
    unset = {"steps": 0, "frame_count": 0, "motion_bucket_id": -1, "noise_aug_strength": -1.0, "guidance": 0.0}
    made = widgets.settings_from_widgets(svd, own, {**unset, "prompt": "a ball rolls"}, seed=3)
    assert (made.seed, made.steps, made.frames, made.motion_bucket_id) == (3, own.steps, own.frames, 127)
    made = widgets.settings_from_widgets(svd, own, unset | {"frame_count": 5, "motion_bucket_id": 0}, seed=0)
    assert (made.frames, made.motion_bucket_id) == (5, 0)
    reads = get_backbone("cogvideox")
    made = widgets.settings_from_widgets(reads, reads.published.settings, {"prompt": "a ball rolls"}, seed=0)
    assert made.prompt == "a ball rolls"


def test_numbers_that_a_model_does_not_have_are_told_together(widgets: Any) -> None:
    reads = get_backbone("cogvideox")
    with pytest.raises(
        GenerationSettingInvalid,
        match=r"alone, received min_guidance 2.0 \(leave it at 0\), motion_bucket_id 5 \(leave it at -1",
    ):
        chosen = {"min_guidance": 2.0, "motion_bucket_id": 5, "steps": 3}
        widgets.settings_from_widgets(reads, reads.published.settings, chosen, seed=0)
