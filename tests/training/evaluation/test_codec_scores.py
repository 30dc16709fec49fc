"""A codec is scored before it is in a pack."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from motionrag_nodes.errors import PackNotFound
from training import sizes
from training.encoders import codec
from training.evaluation.codec_scores import last_frame_scores, load_codec


class Lossless(torch.nn.Module):
    """A codec that gives back what it gets, but for an error."""

    def __init__(self, darker: float = 0.0) -> None:
        super().__init__()
        self.darker = darker

    def encode(self, pixels: torch.Tensor) -> "Lossless":
        self.pixels = pixels
        return self

    @property
    def latent_dist(self) -> "Lossless":
        return self

    def mode(self) -> torch.Tensor:
        return self.pixels

    def decode(self, latents: torch.Tensor) -> "Lossless":
        self.sample = latents - self.darker
        return self


def test_a_codec_without_loss_has_none_and_a_darker_one_keeps_the_shape() -> None:
    whole, darker = (last_frame_scores(Lossless(by), "seen", 6) for by in (0.0, 0.1))
    assert np.nanmin(whole["shape_last"]) == 1
    assert np.nanmax(whole["colour_last"]) == 0
    assert np.nanmean(darker["colour_last"]) == pytest.approx(0.1 * 127.5, rel=0.2)
    assert np.nanmin(darker["shape_last"]) > 0.9


def test_a_finished_stage_goes_before_its_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    begun, finished = codec.build(), codec.build()
    with pytest.raises(
        PackNotFound, match=r"Expected decoder\.safetensors or decoder\.pt in .*: train stage decoder\."
    ):
        load_codec(tmp_path, "decoder")
    torch.save({"average": begun.state_dict()}, tmp_path / "decoder.pt")
    assert torch.equal(load_codec(tmp_path, "decoder").decoder.conv_in.weight, begun.decoder.conv_in.weight)
    save_file(
        {key: value.contiguous() for key, value in finished.state_dict().items()}, tmp_path / "decoder.safetensors"
    )
    assert torch.equal(load_codec(tmp_path, "decoder").decoder.conv_in.weight, finished.decoder.conv_in.weight)
    assert load_codec(tmp_path, "decoder").config.block_out_channels == sizes.CODEC_WIDTHS
