"""What one node applies, checked when it is made. The patch itself is tested on ComfyUI's UNet, with its node."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.native_injection import AppliedMotion
from motionrag_nodes.errors import GenerationSettingInvalid, SamplerUnsupported


def applied(**settings: Any) -> AppliedMotion:
    adapter = MotionAdapter(token_dim=2, site_dims={"mid_block": 4})
    tokens = {"tokens": torch.full((1, 3, 2), 1.0), "unconditional": torch.full((1, 3, 2), -1.0)}
    return AppliedMotion(adapter=adapter, sites={"middle_block": "mid_block"}, weights={"mid_block": 1.0}, **tokens,
                         **settings)  # fmt: skip


def test_tokens_follow_the_batch_s_branches() -> None:
    assert applied().tokens_of([1, 0, 0, 2])[:, 0, 0].tolist() == [-1, 1, 1, -1]


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


def test_motion_enters_in_its_part_of_the_sampler_s_own_steps() -> None:
    sigmas = torch.tensor([80.0, 20.0, 4.0, 0.5, 0.0])
    enters = [
        applied(start=0.25, end=0.75).enters({"sample_sigmas": sigmas, "sigmas": sigma.expand(2)})
        for sigma in sigmas[:-1]
    ]
    assert enters == [False, True, True, False]
    assert applied().enters({})  # nothing to know


def test_steps_that_nobody_tells_are_an_error() -> None:
    with pytest.raises(SamplerUnsupported, match="Expected a sampler that tells its steps"):
        applied(end=0.5).enters({"sigmas": torch.ones(1)})
