"""Weights of narrower models, put into wider ones: what was learned with fewer channels is not lost.

Latents: the old channels come first, and nothing reads the new ones yet. The wider codec gives back the same pictures,
the wider base answers the same in the old channels, and both learn on from there.

Features within the codec: each channel twice, and who reads one reads from both, by shares that make up the old weight
(Net2Net, arXiv 1511.05641). The shares differ at random, or the two would learn the same for ever.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.sizes import CODEC_GROUPS

# stage -> layer -> parts of which its outputs and inputs consist, each with channels of its own: mean and log variance
# of the codec; noisy latents and the first frame's of the base. None where that side has no latents.
LATENT_LAYERS: dict[str, dict[str, tuple[int | None, int | None]]] = {
    "codec": {
        "encoder.conv_out": (2, None),
        "quant_conv": (2, 2),
        "post_quant_conv": (1, 1),
        "decoder.conv_in": (None, 1),
    },
    "base": {"unet.conv_in": (None, 2), "unet.conv_out": (1, None)},
}
UNEVEN = 0.5  # by how much of the weights' spread the shares of two equal channels differ


def widen(stage: str, state: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """A stage's weights as those of `like`, the model that it trains, in which only latents may have more channels, and
    a codec's features twice as many.

    Weights that this does not explain are returned as they are: loading them tells what is wrong.
    """
    widened = dict(state)
    if stage == "codec":
        drawn = torch.Generator().manual_seed(0)
        inner = [key for key in state if key in like and not key.startswith(tuple(LATENT_LAYERS[stage]))]
        widened |= {key: _repeated(state[key], like[key].shape, drawn) for key in inner}
    for layer, (outputs, inputs) in LATENT_LAYERS.get(stage, {}).items():
        for kind in ("weight", "bias"):
            key = f"{layer}.{kind}"
            if key in state and state[key].shape != like[key].shape:
                widened[key] = _widened(state[key], like[key], outputs, inputs if kind == "weight" else None)
    return widened


def _widened(old: Tensor, fresh: Tensor, outputs: int | None, inputs: int | None) -> Tensor:
    """`old` at the beginning of each part of `fresh`; old outputs get nothing from new inputs, new ones stay fresh."""
    rows = _places(old.shape[0], fresh.shape[0], outputs)
    wide = fresh.clone()
    wide[rows] = 0
    if old.ndim == 1:
        wide[rows] = old
    else:
        wide[rows[:, None], _places(old.shape[1], fresh.shape[1], inputs)[None]] = old
    return wide


def _places(old: int, new: int, parts: int | None) -> Tensor:
    """Where the channels of each part go."""
    parts = parts or 1
    return torch.cat([torch.arange(old // parts) + part * (new // parts) for part in range(parts)])


def _repeated(old: Tensor, shape: torch.Size, drawn: torch.Generator) -> Tensor:
    """Outputs and inputs twice where `shape` has twice as many; two equal inputs' weights make up the old one."""
    wide = old
    for axis in range(min(2, old.ndim)):
        if old.ndim == len(shape) and shape[axis] == 2 * old.shape[axis]:
            halves = wide.chunk(CODEC_GROUPS, axis)  # each normalised by itself
            if axis == 0:
                wide = torch.cat([part for half in halves for part in (half, half)])
            else:
                uneven = [UNEVEN * old.std() * torch.randn(half.shape, generator=drawn) for half in halves]
                shares = [(half / 2 + by, half / 2 - by) for half, by in zip(halves, uneven, strict=True)]
                wide = torch.cat([part for pair in shares for part in pair], dim=1)
    return wide
