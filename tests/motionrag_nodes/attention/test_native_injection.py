"""What a call of ComfyUI's samplers is told. The patch itself is tested on ComfyUI's models, with its node."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.attention.native_injection import branches_of, enters
from motionrag_nodes.backbones.backbone import Branch
from motionrag_nodes.errors import SamplerUnsupported


def applied(**settings: Any) -> AppliedMotion:
    adapter = MotionAdapter(token_dim=2, site_dims={"mid_block": 4})
    return AppliedMotion(adapter, torch.ones(1, 3, 2), torch.zeros(1, 3, 2), **settings)


def test_branches_stand_in_the_batch_s_order() -> None:
    conditional, unconditional = Branch.CONDITIONAL, Branch.UNCONDITIONAL
    assert branches_of({"cond_or_uncond": [1, 0]}) == [unconditional, conditional]
    with pytest.raises(SamplerUnsupported, match="which half of guidance it computes"):
        branches_of({})


def test_motion_enters_in_its_part_of_the_sampler_s_own_steps() -> None:
    sigmas = torch.tensor([80.0, 20.0, 4.0, 0.5, 0.0])
    entered = [
        enters(applied(start=0.25, end=0.75), {"sample_sigmas": sigmas, "sigmas": sigma.expand(2)})
        for sigma in sigmas[:-1]
    ]
    assert entered == [False, True, True, False]
    assert enters(applied(), {})  # nothing to know


def test_steps_that_nobody_tells_are_an_error() -> None:
    with pytest.raises(SamplerUnsupported, match="Expected a sampler that tells its steps"):
        enters(applied(end=0.5), {"sigmas": torch.ones(1)})
