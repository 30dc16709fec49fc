"""Muon: an optimizer for matrices, whose momentum is made orthogonal before it is followed.

A step then moves a weight equally far in all of its directions, instead of mostly in the few in which gradients are
large (Keller Jordan 2024; scaled so that AdamW's learning rates suit it, arXiv 2502.16982). What it gains is in
`training/README.md`. torch.optim.Muon takes weights of two axes alone; a third of the base's are convolutions'.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

# Of the quintic iteration, as its author chose them.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# The root mean square of AdamW's usual updates, before the learning rate.
ADAMW_SIZE = 0.2


def orthogonalized(matrices: Tensor) -> Tensor:
    """Matrices [B, M, N] with their singular vectors, and singular values of about 1 (0.7 to 1.2), by Newton-Schulz.

    In bfloat16, which is exact enough for a direction and fast.
    """
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    if tall := x.shape[1] > x.shape[2]:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


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
            alike: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None and self._follow(parameter, group["momentum"]):
                    alike[parameter.flatten(1).shape].append(parameter)
            for parameters in alike.values():  # many small matrices at once take half of the time
                ahead = [p.grad.lerp(self.state[p]["momentum"], group["momentum"]).flatten(1) for p in parameters]
                steps = ADAMW_SIZE * max(ahead[0].shape) ** 0.5 * orthogonalized(torch.stack(ahead))  # Nesterov's
                for parameter, step in zip(parameters, steps, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.sub_(step.view_as(parameter), alpha=group["lr"])

    def _follow(self, parameter: nn.Parameter, momentum: float) -> bool:
        """Carry a parameter's momentum on; False where it has none, as in attention to a single key."""
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(parameter.grad, 1 - momentum)
        return bool(state["momentum"].any())
