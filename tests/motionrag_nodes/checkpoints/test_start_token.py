"""The start token of the published checkpoints is found again, with its published hash."""

from dataclasses import replace

import pytest
import torch

from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.checkpoints import start_token
from motionrag_nodes.checkpoints.start_token import derive_start_token, token_sha256
from motionrag_nodes.errors import CheckpointInvalid
from motionrag_nodes.motion_tokens.resampler import ResamplerConfig

CONTEXT = ContextTransformerConfig(token_dim=1024, layers=4, heads=16, ff_dim=4096, tokens_per_clip=25)
MOTION = ResamplerConfig(embedding_dim=768, dim=1024, depth=4, dim_head=64, heads=12, num_queries=25, output_dim=1024)
APPEARANCE = replace(MOTION, embedding_dim=1024)


def test_the_published_token_at_full_size() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    token = derive_start_token(CONTEXT, appearance=APPEARANCE, motion=MOTION)
    assert token_sha256(token) == "811915a364c87967"
    assert token.dtype == torch.bfloat16 and token.shape == (1, 25, 1024)
    assert token[0, 0, 0].item() == pytest.approx(-0.02906, abs=1e-5)
    assert torch.equal(torch.get_rng_state(), before)


def test_other_numbers_than_those_of_the_checkpoints_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_token, "SEED", 43)
    with pytest.raises(CheckpointInvalid, match=r"sha256 811915a364c87967\), but torch 2.* draws other"):
        derive_start_token(CONTEXT, appearance=APPEARANCE, motion=MOTION)


def test_it_depends_on_everything_that_was_made_before_it() -> None:
    small = {"dim": 16, "depth": 1, "dim_head": 8, "heads": 2, "num_queries": 3, "output_dim": 32}
    motion = ResamplerConfig(embedding_dim=16, **small)
    context = ContextTransformerConfig(token_dim=32, layers=1, heads=2, ff_dim=32, tokens_per_clip=3, max_positions=32)
    token = derive_start_token(context, appearance=motion, motion=motion)
    assert token.shape == (1, 3, 32) and 0.1 < token.float().std().item() < 0.25
    other = derive_start_token(context, appearance=replace(motion, depth=2), motion=motion)
    assert not torch.equal(token, other)
    # A second layer is a copy of the first, so it draws nothing.
    assert torch.equal(token, derive_start_token(replace(context, layers=2), appearance=motion, motion=motion))
