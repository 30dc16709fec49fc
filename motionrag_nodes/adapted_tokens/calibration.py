"""Calibration of adapted tokens: a transformer trained on squared error shrinks towards the mean; this undoes it.

What is foretold varies less than what is true, by about the share that cannot be foretold: motions come out too small.
A line fitted on clips that were not trained on tells by how much (linear calibration correction, arXiv 2508.01341). The
error of a single clip grows a little for it; the amplitude is right on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.errors import CalibrationInvalid

# Below this many clips the line is chance.
FEWEST_CLIPS = 32
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
    """A fitted calibration and the slopes of adapted against true tokens, each on clips that the line was not fitted
    to: `before` and `after` calibration."""

    calibration: TokenCalibration
    before: float
    after: float
    clips: int


def slope(adapted: Tensor, true: Tensor) -> float:
    """How far adapted tokens [N, L, D] go from their mean for what the true ones do, 1 is right."""
    adapted, true = adapted - adapted.mean(0), true - true.mean(0)
    return float((adapted * true).sum() / (true * true).sum())


def fit_calibration(adapted: Tensor, true: Tensor) -> CalibrationFit:
    """From adapted and true tokens [N, L, D] of the same clips: one gain, and the offset that keeps the mean right.

    The slopes are measured by halves: each half of the clips is judged by the line of the other.

    Raises:
        CalibrationInvalid: there are too few clips, or what is adapted has hardly anything to do with what is true.
    """
    if len(true) < FEWEST_CLIPS:
        raise CalibrationInvalid(
            f"Expected at least {FEWEST_CLIPS} clips to calibrate with, received {len(true)}: use a larger database."
        )
    halves = torch.arange(len(true)) % 2 == 0
    after = []
    for fitted, judged in ((halves, ~halves), (~halves, halves)):
        calibration = _line(adapted[fitted], true[fitted])
        after.append(slope(calibration(adapted[judged]), true[judged]))
    return CalibrationFit(
        calibration=_line(adapted, true), before=slope(adapted, true), after=sum(after) / 2, clips=len(true)
    )


def _line(adapted: Tensor, true: Tensor) -> TokenCalibration:
    found = slope(adapted, true)
    if not found >= SMALLEST_SLOPE:
        raise CalibrationInvalid(
            f"Expected adapted tokens that follow the clips' own (a slope of at least {SMALLEST_SLOPE}), received "
            f"{found:.2f}: use a database whose captions say how clips move, of motions that the pack knows."
        )
    calibration = TokenCalibration(tokens_per_clip=true.shape[1], token_dim=true.shape[2])
    calibration.gain.fill_(1 / found)
    calibration.offset.copy_(true.mean(0) - adapted.mean(0) / found)
    return calibration
