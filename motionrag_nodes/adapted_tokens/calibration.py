"""Calibration of adapted tokens: a transformer trained on squared error shrinks towards the mean; this undoes it.

Where the references leave open how far a clip goes, what is foretold varies less than what is true: too little motion.
A line fitted on clips that were not trained on tells by how much (linear calibration correction, arXiv 2508.01341). The
error of a single clip grows a little for it; the amplitude is right on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.errors import CalibrationInvalid

# Below this many clips the line is chance.
FEWEST_CLIPS = 32
# The slope is that of the directions which hold this share of the true tokens' variance. In the others nothing can be
# foretold, and nothing is heard: the packaged pack has slopes of 1.00 and 0.98 in the two directions that hold 83 %,
# and of 0.25 and less from the fourth on, and its videos go as far as they should.
LEADING_SHARE = 0.9
# Of the clips' true variance, this share must be foretold: from less, no amplitude can be restored.
SMALLEST_SLOPE = 0.2


class TokenCalibration(nn.Module):
    """tokens [..., L, D] -> gain * tokens + offset. gain [1], offset [L, D]; fresh ones change nothing."""

    gain: Tensor
    offset: Tensor

    def __init__(self, *, tokens_per_clip: int, token_dim: int) -> None:
        super().__init__()
        self.register_buffer("gain", torch.ones(1))
        self.register_buffer("offset", torch.zeros(tokens_per_clip, token_dim))

    @classmethod
    def of_sizes(cls, sizes: ContextTransformerConfig) -> TokenCalibration:
        """A fresh one for what a context transformer of these sizes says."""
        return cls(tokens_per_clip=sizes.tokens_per_clip, token_dim=sizes.token_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Calibrated tokens."""
        return self.gain * tokens + self.offset


@dataclass(frozen=True)
class CalibrationFit:
    """A fitted calibration, and the slope of adapted against true tokens before it and after it: `after` on clips that
    the line was not fitted to."""

    calibration: TokenCalibration
    before: float
    after: float
    clips: int


def leading_directions(true: Tensor) -> Tensor:
    """Orthonormal directions [L * D, few] that hold LEADING_SHARE of the variance of tokens [N, L, D]."""
    centred = (true - true.mean(0)).flatten(1)
    # By the clips' products with each other: they are far fewer than the numbers in their tokens.
    variance, places = (found.flip(-1) for found in torch.linalg.eigh(centred @ centred.T))
    share = variance.cumsum(0) / variance.sum()
    few = int((share < LEADING_SHARE).sum()) + 1
    return F.normalize(centred.T @ places[:, :few], dim=0)


def slope(adapted: Tensor, true: Tensor, directions: Tensor) -> float:
    """How far adapted tokens [N, L, D] go from their mean for what the true ones do, in `directions`; 1 is right."""
    adapted, true = ((tokens - tokens.mean(0)).flatten(1) @ directions for tokens in (adapted, true))
    return float((adapted * true).sum() / (true * true).sum())


def fit_calibration(adapted: Tensor, true: Tensor) -> CalibrationFit:
    """From adapted and true tokens [N, L, D] of the same clips: one gain, and the offset that keeps the mean right.

    The slopes are measured by halves: each half of the clips is judged by the line of the other.

    Raises CalibrationInvalid: there are too few clips, or what is adapted has hardly anything to do with what is true.
    """
    if len(true) < FEWEST_CLIPS:
        raise CalibrationInvalid(
            f"Expected at least {FEWEST_CLIPS} clips to calibrate with, received {len(true)}: use a larger database."
        )
    halves = torch.arange(len(true)) % 2 == 0
    after = []
    for fitted, judged in ((halves, ~halves), (~halves, halves)):
        calibration = _line(adapted[fitted], true[fitted])
        after.append(slope(calibration(adapted[judged]), true[judged], leading_directions(true[fitted])))
    return CalibrationFit(
        calibration=_line(adapted, true),
        before=slope(adapted, true, leading_directions(true)),
        after=sum(after) / 2,
        clips=len(true),
    )


def _line(adapted: Tensor, true: Tensor) -> TokenCalibration:
    found = slope(adapted, true, leading_directions(true))
    if not found >= SMALLEST_SLOPE:
        raise CalibrationInvalid(
            f"Expected adapted tokens that follow the clips' own (a slope of at least {SMALLEST_SLOPE}), received "
            f"{found:.2f}: use a database whose captions say how clips move, of motions that the pack knows."
        )
    calibration = TokenCalibration(tokens_per_clip=true.shape[1], token_dim=true.shape[2])
    calibration.gain.fill_(1 / found)
    calibration.offset.copy_(true.mean(0) - adapted.mean(0) / found)
    return calibration
