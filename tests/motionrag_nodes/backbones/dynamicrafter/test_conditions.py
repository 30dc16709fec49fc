"""Prompt and picture reach the model as the published code prepares them."""

import pytest
import torch

from motionrag_nodes.backbones.dynamicrafter.conditions import CLIP_MEAN, CLIP_STD, prepare_picture


@pytest.mark.parametrize("shape", [(576, 1024), (300, 224), (224, 224), (100, 60), (1024, 576)])
def test_pictures_are_resized_as_kornia_does(shape: tuple[int, int]) -> None:
    kornia = pytest.importorskip("kornia")
    pictures = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    resized = kornia.geometry.resize(pictures, (224, 224), interpolation="bicubic", align_corners=True, antialias=True)
    expected = kornia.enhance.normalize((resized + 1) / 2, torch.tensor(CLIP_MEAN), torch.tensor(CLIP_STD))
    assert (prepare_picture(pictures, size=224) - expected).abs().max() < 1e-4


def test_the_last_text_block_is_not_heard(pipeline) -> None:
    """The published tokens are those of the block before the last, through the final norm."""
    assert len(pipeline.text_tokens.blocks) == 2
    tokens = pipeline.text_tokens(["a cat jumps", ""])
    assert tokens.shape == (2, 12, 16)
    assert not torch.allclose(tokens[0], tokens[1])
    # causal: the words before a change are the same
    other = pipeline.text_tokens(["a cat sleeps"])
    assert torch.allclose(tokens[0, :3], other[0, :3], atol=1e-5) and not torch.allclose(tokens[0, 3:], other[0, 3:])


def test_a_picture_has_tokens_for_every_frame(pipeline) -> None:
    tokens = pipeline.picture_tokens(torch.rand(2, 3, 40, 56) * 2 - 1)
    assert tokens.shape == (2, 2 * 3, 16)
    assert not torch.allclose(tokens[0], tokens[1])
