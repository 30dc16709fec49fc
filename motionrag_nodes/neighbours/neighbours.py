"""The product of retrieval: ranked clips, their tokens and how much each of them counts; most similar first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index_builder.errors import InvalidSetting
from motionrag_nodes.errors import ShapeMismatch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Neighbour:
    """A clip that was found. `rank` counts from 1; `score` is the similarity it was ranked by, in [-1, 1]; text_score,
    frame_score and motion_score are the parts that were computed; times in s; `thumbnail` is a JPEG strip of eight
    frames, or empty; `pinned`: it was asked for by name.
    """

    rank: int
    row_id: str
    score: float
    text_score: float | None
    frame_score: float | None
    caption: str | None
    source: str
    start_sec: float
    end_sec: float
    thumbnail: bytes
    pinned: bool = False
    motion_score: float | None = None


@dataclass(frozen=True)
class Neighbours:
    """K neighbours: the pinned ones, then the most similar first. motion_tokens and appearance_tokens: float32
    [K, L, D]; `tokens_fingerprint` names the encoders and resamplers that made them; `weights` say how much each counts
    beside the others, 0 not at all: only their ratios matter, and left out they are all 1. `left_out` says which clips
    were found but could not be read, and why. Relative sources begin at one of `roots`.

    Raises ShapeMismatch when made of parts that do not fit, InvalidSetting for weights that leave nothing."""

    items: tuple[Neighbour, ...]
    motion_tokens: torch.Tensor
    appearance_tokens: torch.Tensor
    tokens_fingerprint: str
    weights: tuple[float, ...] = ()
    left_out: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        import torch

        shapes = tuple(self.motion_tokens.shape), tuple(self.appearance_tokens.shape)
        types = self.motion_tokens.dtype, self.appearance_tokens.dtype
        if len(shapes[0]) != 3 or shapes[0] != shapes[1] or shapes[0][0] != len(self.items) or not self.items:
            raise ShapeMismatch(
                f"Expected motion and appearance tokens [K, L, D] of {len(self.items)} neighbours (at least 1), "
                f"received {shapes[0]} and {shapes[1]}: encode each neighbour once."
            )
        if types != (torch.float32, torch.float32):
            raise ShapeMismatch(
                f"Expected float32 tokens, received {types[0]} and {types[1]}: convert them with .float()."
            )
        object.__setattr__(self, "weights", tuple(self.weights) or (1.0,) * len(self.items))
        if len(self.weights) != len(self.items):
            raise ShapeMismatch(
                f"Expected a weight for each of {len(self.items)} neighbours, received {len(self.weights)}: give one "
                "each, or none."
            )
        if not all(math.isfinite(weight) and weight >= 0 for weight in self.weights) or not any(self.weights):
            raise InvalidSetting(
                f"Expected weights of at least 0, one of them above it, received {list(self.weights)}: keep at least "
                "one neighbour."
            )

    def __len__(self) -> int:
        return len(self.items)
