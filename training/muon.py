"""Muon: an optimizer for matrices, whose momentum is made orthogonal before it is followed.

A step then moves a weight equally far in all of its directions, instead of mostly in the few in which gradients are
large (Keller Jordan 2024; scaled so that AdamW's learning rates suit it, arXiv 2502.16982). What it gains is in
`training/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

# Of the quintic iteration, as its author chose them.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# The root mean square of AdamW's usual updates, before the learning rate.
ADAMW_SIZE = 0.2


def orthogonalized(matrix: Tensor) -> Tensor:
    """A matrix [M, N] with its singular vectors, and singular values of about 1 (0.7 to 1.2), by Newton-Schulz.

    In bfloat16, which is exact enough for a direction and fast.
    """
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    if tall := x.shape[0] > x.shape[1]:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Follows orthogonal momentum; a weight of more than two axes counts as a matrix [outputs, the rest]."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float = 0.01, momentum: float = 0.95
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step along the gradients that the parameters hold."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(state["momentum"], group["momentum"]).flatten(1)  # Nesterov's
                step = ADAMW_SIZE * max(ahead.shape) ** 0.5 * orthogonalized(ahead)
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(step.view_as(parameter), alpha=group["lr"])
