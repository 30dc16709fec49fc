"""Motion of the camera and of objects told apart: most of a picture follows an affine motion, which is the camera's."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 12
_LEAST_SPREAD = 1e-4


@torch.inference_mode()
def camera_motion(flow: Tensor) -> Tensor:
    """Flow [T, 2, h, w] in shares of the frame -> the affine part that most of each picture follows, of the same shape.

    By least squares whose weights fall for points that do otherwise (Cauchy's, around the median of what is left).
    """
    height, width = flow.shape[-2:]
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    basis = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1).reshape(-1, 3)  # [h w, 3]
    values = flow.flatten(2).transpose(1, 2)  # [T, h w, 2]
    # Most of the picture is at the median's motion or near it: a fair place to begin.
    left = (values - values.median(dim=1, keepdim=True).values).norm(dim=-1)
    fitted = torch.zeros_like(values)
    for _ in range(_ROUNDS):
        spread = 1.5 * left.median(dim=1, keepdim=True).values + _LEAST_SPREAD
        weights = 1 / (1 + (left / spread).square())  # [T, h w]
        weighted = basis * weights[..., None]
        normal = weighted.transpose(1, 2) @ basis + 1e-6 * torch.eye(3)
        fitted = basis @ torch.linalg.solve(normal, weighted.transpose(1, 2) @ values)
        left = (values - fitted).norm(dim=-1)
    return fitted.transpose(1, 2).reshape(flow.shape)
