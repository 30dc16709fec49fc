"""What one node applies, checked when it is made."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.backbones.backbone import Branch
from motionrag_nodes.errors import GenerationSettingInvalid

CONDITIONAL, UNCONDITIONAL = Branch.CONDITIONAL, Branch.UNCONDITIONAL


def applied(**settings: Any) -> AppliedMotion:
    adapter = MotionAdapter(token_dim=2, site_dims={"mid_block": 4})
    for parameter in adapter.parameters():
        torch.nn.init.ones_(parameter)
    tokens = torch.full((1, 3, 2), 1.0)
    return AppliedMotion(adapter, tokens, -tokens, **settings)


@torch.no_grad()
def test_tokens_follow_the_batch_s_branches() -> None:
    entering = applied().entering([UNCONDITIONAL, CONDITIONAL, CONDITIONAL])
    assert entering.projected.keys["mid_block"][:, 0, 0].tolist() == [-2, 2, 2]
    assert applied().entering([CONDITIONAL], like=torch.zeros(1)).projected.batch == 1


@torch.no_grad()
def test_each_site_s_scale_is_strength_times_weight() -> None:
    assert applied(strength=0.5).entering([CONDITIONAL]).scales == {"mid_block": 0.5}
    assert applied(strength=0.5, weights={"mid_block": 3.0}).entering([CONDITIONAL]).scales == {"mid_block": 1.5}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strength": -0.1}, r"Expected a strength of at least 0, received -0\.1"),
        ({"strength": float("nan")}, "received nan"),
        ({"strength": float("inf")}, "received inf"),
        ({"start": 0.6, "end": 0.5}, r"Expected 0 <= start <= end <= 1, .* received start 0\.6 and end 0\.5"),
        ({"end": 1.5}, r"received start 0\.0 and end 1\.5"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, float], message: str) -> None:
    with pytest.raises(GenerationSettingInvalid, match=message):
        applied(**settings)


def test_motion_that_changes_nothing_says_so() -> None:
    assert [applied(**parts).never for parts in ({}, {"strength": 0}, {"start": 0.5, "end": 0.5})] == [
        False,
        True,
        True,
    ]
    assert [applied(**parts).always for parts in ({}, {"end": 0.9})] == [True, False]
