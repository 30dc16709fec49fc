"""The resampler against the published module, and its bounds."""

import pytest
import torch

from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig

CONFIG = ResamplerConfig(embedding_dim=12, dim=16, depth=1, dim_head=4, heads=3, num_queries=5, output_dim=8)


@torch.no_grad()
def test_equals_the_published_module(golden):
    data = golden("resampler")
    resampler = Resampler(ResamplerConfig(**data.config)).eval()
    resampler.load_state_dict(data.group("weights"), strict=True)
    torch.testing.assert_close(
        resampler(data.tensors["inputs.features"]), data.tensors["outputs.tokens"], atol=1e-5, rtol=0
    )


@torch.no_grad()
def test_clips_of_a_batch_do_not_meet_and_patch_order_is_free():
    torch.manual_seed(0)
    resampler = Resampler(CONFIG).eval()
    features = torch.randn(3, 7, 12)
    tokens = resampler(features)
    assert tokens.shape == (3, 5, 8)
    torch.testing.assert_close(resampler(features[1:2]), tokens[1:2])
    torch.testing.assert_close(resampler(features[:, torch.randperm(7)]), tokens)


@pytest.mark.parametrize("shape", [(2, 7, 11), (7, 12)])
def test_wrong_features_are_refused(shape):
    with pytest.raises(ShapeMismatch, match=r"Expected features \[B, N, 12\], received .*use the encoder"):
        Resampler(CONFIG)(torch.zeros(shape))
