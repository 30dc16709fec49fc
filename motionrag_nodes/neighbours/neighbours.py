"""The product of retrieval: ranked clips and their tokens, most similar first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from motionrag_nodes.errors import ShapeMismatch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Neighbour:
    """A clip that was found. `rank` counts from 1; `score` is the similarity it was ranked by, in [-1, 1]; text_score
    and frame_score are the parts that were computed; times in s; `thumbnail` is a JPEG strip of eight frames, or empty.
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


@dataclass(frozen=True)
class Neighbours:
    """K neighbours, most similar first. motion_tokens and appearance_tokens: float32 [K, L, D]; `tokens_fingerprint`
    names the encoders and resamplers that made them. Raises ShapeMismatch when made of parts that do not fit."""

    items: tuple[Neighbour, ...]
    motion_tokens: torch.Tensor
    appearance_tokens: torch.Tensor
    tokens_fingerprint: str

    def __post_init__(self) -> None:
        import torch

        shapes = tuple(self.motion_tokens.shape), tuple(self.appearance_tokens.shape)
        types = self.motion_tokens.dtype, self.appearance_tokens.dtype
        if len(shapes[0]) != 3 or shapes[0] != shapes[1] or shapes[0][0] != len(self.items) or not self.items:
            raise ShapeMismatch(
                f"expected motion and appearance tokens [K, L, D] of {len(self.items)} neighbours (at least 1), "
                f"received {shapes[0]} and {shapes[1]}: encode each neighbour once"
            )
        if types != (torch.float32, torch.float32):
            raise ShapeMismatch(
                f"expected float32 tokens, received {types[0]} and {types[1]}: convert them with .float()"
            )

    def __len__(self) -> int:
        return len(self.items)
