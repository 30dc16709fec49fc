"""The adapter itself: published keys, start values, one projection per generation, gradients, bounds."""

import pytest
import torch

from motionrag_nodes.attention.adapter import MotionAdapter, ProjectedTokens
from motionrag_nodes.errors import AdapterMismatch, ShapeMismatch

SITE = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"


@pytest.fixture
def adapter():
    torch.manual_seed(0)
    adapter = MotionAdapter(token_dim=6, site_dims={SITE: 8, "mid_block.attentions.0.transformer_blocks.0.attn2": 4})
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter)
    return adapter


def test_keys_are_the_published_ones(adapter):
    keys = [f"unet.{site}.processor.to_{part}_ip.0.weight" for site in adapter.sites for part in "qkv"]
    assert sorted(adapter.state_dict()) == sorted(keys)


def test_a_fresh_adapter_adds_nothing_but_can_learn():
    adapter = MotionAdapter(token_dim=6, site_dims={SITE: 8})
    projected = adapter.project_tokens(torch.randn(1, 3, 6))
    added = adapter.site(SITE)(torch.randn(2, 5, 8), projected.keys[SITE], projected.values[SITE], heads=2)
    assert torch.equal(added, torch.zeros_like(added))
    added.sum().backward()
    assert adapter.site(SITE).to_v_ip[0].weight.grad.abs().sum() > 0


@torch.no_grad()
def test_frames_of_a_clip_share_its_tokens(adapter):
    tokens = torch.randn(2, 3, 6)
    hidden = torch.randn(8, 5, 8)  # 2 clips of 4 frames
    projected = adapter.project_tokens(tokens)
    site = adapter.site(SITE)
    together = site(hidden, projected.keys[SITE], projected.values[SITE], heads=2)
    repeated = adapter.project_tokens(tokens.repeat_interleave(4, dim=0))
    apart = site(hidden, repeated.keys[SITE], repeated.values[SITE], heads=2)
    torch.testing.assert_close(together, apart)
    shuffled = site(hidden[[0, 1, 2, 3, 7, 6, 5, 4]], projected.keys[SITE], projected.values[SITE], heads=2)
    torch.testing.assert_close(shuffled[:4], together[:4])
    torch.testing.assert_close(shuffled[4:], together[4:].flip(0))


def test_rows_that_are_no_multiple_of_the_clips_are_refused(adapter):
    projected = adapter.project_tokens(torch.randn(2, 3, 6))
    with pytest.raises(ShapeMismatch, match="batch of 2 clips times their frames, received 3 rows"):
        adapter.site(SITE)(torch.zeros(3, 5, 8), projected.keys[SITE], projected.values[SITE], heads=2)


def test_tokens_of_another_width_are_refused(adapter):
    with pytest.raises(ShapeMismatch, match=r"Expected motion tokens \[B, L, 6\], received \[1, 3, 7\]"):
        adapter.project_tokens(torch.zeros(1, 3, 7))


def test_unknown_sites_and_incomplete_projections_are_refused(adapter):
    with pytest.raises(AdapterMismatch, match="one of the adapter's 2 sites, received mid_block"):
        adapter.site("mid_block")
    with pytest.raises(ShapeMismatch, match="a key and a value"):
        ProjectedTokens(keys={SITE: torch.zeros(1, 3, 8)}, values={}, batch=1)
