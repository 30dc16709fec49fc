"""Weights for fewer latent channels, put into a codec and a base with more: what was learned with fewer is not lost.

The old channels come first, and nothing reads the new ones yet: the wider codec gives back the same pictures, the wider
base answers the same in the old channels, and both learn on from there.
"""

from __future__ import annotations

import torch
from torch import Tensor

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


def widen(stage: str, state: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """A stage's weights as those of `like`, the model that it trains, in which only latents may have more channels.

    Weights that no latents explain are returned as they are: loading them tells what is wrong.
    """
    widened = dict(state)
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
