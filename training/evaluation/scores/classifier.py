"""An independent judge: names the motion of a clip, and shares neither weights, seeds nor architecture with a pack."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from index_builder.features.preprocessing import sample_frames
from training.demo_world.motions import ALL_MOTIONS

KINDS: tuple[str, ...] = tuple(ALL_MOTIONS)
JUDGED_FRAMES = 8
# Motions of this world are several pixels even here, and what blurs a generated sprite hardly shows.
JUDGED_SIZE = 32
WEIGHTS = Path(__file__).with_name("classifier.safetensors")
RECORD = Path(__file__).with_name("classifier.json")


class MotionClassifier(nn.Module):
    """A small (2+1)-D convolutional network (arXiv 1711.11248) over frames and their differences to the first."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 32, 64, 96)
        layers: list[nn.Module] = [_convolution(6, widths[0], (1, 5, 5), stride=(1, 2, 2))]
        for narrow, wide in pairwise(widths):
            layers += [
                _convolution(narrow, wide, (1, 3, 3), stride=(1, 2, 2)),
                _convolution(wide, wide, (3, 1, 1), stride=(1, 1, 1)),
            ]
        self.layers = nn.Sequential(*layers)
        # Where and when stays known: a direction is a change of place.
        self.pool = nn.AdaptiveAvgPool3d((JUDGED_FRAMES, 2, 2))
        self.head = nn.Linear(widths[-1] * JUDGED_FRAMES * 4, len(KINDS))

    def forward(self, pixels: Tensor) -> Tensor:
        """RGB in [0, 1], [B, 8, 3, 32, 32] -> logits [B, kinds], in the order of KINDS."""
        seen = torch.cat([pixels - 0.3, pixels - pixels[:, :1]], dim=2).transpose(1, 2)  # -> [B, 6, T, H, W]
        return self.head(self.pool(self.layers(seen)).flatten(1))


def _convolution(inputs: int, outputs: int, kernel: tuple[int, ...], *, stride: tuple[int, ...]) -> nn.Sequential:
    padding = tuple(size // 2 for size in kernel)
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False),
        nn.GroupNorm(8, outputs),
        nn.SiLU(),
    )


def load_classifier() -> MotionClassifier:
    """The trained judge that lies beside this file."""
    model = MotionClassifier()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval().requires_grad_(False)


def as_judged(clips: Tensor) -> Tensor:
    """RGB in [0, 1], [B, 8, 3, H, W] -> [B, 8, 3, 32, 32]."""
    small = F.interpolate(clips.flatten(0, 1), size=(JUDGED_SIZE, JUDGED_SIZE), mode="bilinear", antialias=True)
    return small.unflatten(0, clips.shape[:2])


@torch.inference_mode()
def motion_logits(model: MotionClassifier, clips: Sequence[np.ndarray]) -> np.ndarray:
    """B clips uint8 RGB [T, H, W, 3], of any length and size -> logits float32 [B, kinds]."""
    prepared = [
        as_judged(torch.from_numpy(sample_frames(clip, JUDGED_FRAMES)).permute(0, 3, 1, 2)[None].float() / 255)
        for clip in clips
    ]
    return model(torch.cat(prepared)).numpy()
