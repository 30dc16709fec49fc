"""How the motions of several neighbours become one: a table that nodes, command line and evaluation read.

A new fusion is a function here and its entry in FUSIONS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Examples:
    """What is combined: motion [1, K, L, D] of the neighbours, heaviest first, and how they count.

    weights [K], the heaviest 1, None where all are equal. appearance() gives their appearance tokens [1, K, L, D],
    target() those of the picture [1, L, D]: computed when asked for, since not every fusion reads them. predict: the
    pack's context transformer, see ContextTransformer.adapt, with its calibration if it has one.
    """

    motion: torch.Tensor
    weights: torch.Tensor | None
    appearance: Callable[[], torch.Tensor]
    target: Callable[[], torch.Tensor]
    predict: Callable[..., torch.Tensor]


def in_context(given: Examples) -> torch.Tensor:
    """Predicted from all neighbours and the picture (arXiv 2509.26391). -> [1, L, D]"""
    return given.predict(given.motion, given.appearance(), given.target(), weights=given.weights)


def mean(given: Examples) -> torch.Tensor:
    """The neighbours' weighted mean. -> [1, L, D]"""
    import torch

    if given.weights is None:
        return given.motion.mean(dim=1)
    return torch.einsum("k,bkld->bld", given.weights / given.weights.sum(), given.motion)


def top_1(given: Examples) -> torch.Tensor:
    """The heaviest neighbour's, of equally heavy ones the first. -> [1, L, D]"""
    return given.motion[:, 0]


FUSIONS: dict[str, Callable[[Examples], torch.Tensor]] = {
    "context transformer": in_context,
    "mean": mean,
    "top-1": top_1,
}
DEFAULT_FUSION = "context transformer"
