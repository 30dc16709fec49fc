"""From neighbours to the ways of moving that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion, AdaptingModels, adapt_motion
from motionrag_nodes.adapted_tokens.fusions import DEFAULT_FUSION
from motionrag_nodes.frames.compare import Way, ways_of
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.backwards import played_backwards
from motionrag_nodes.neighbours.labels import name_of

if TYPE_CHECKING:
    from index_builder.clips.allowed_folders import AllowedFolders
    from motionrag_nodes.neighbours.neighbours import Neighbours


def motions_to_compare(
    pack: AdaptingModels,
    *,
    image: np.ndarray,
    own: Neighbours,
    other: Neighbours | None = None,
    plain: bool = True,
    strengths: Sequence[float] = (1.0,),
    backwards: bool = False,
    fusion: str = DEFAULT_FUSION,
    sources: AllowedFolders,
    progress: Callable[[int, int], None] | None = None,
) -> list[Way]:
    """No motion if `plain`, the own neighbours' at each strength, theirs played `backwards`, and the other neighbours'.

    image: uint8 RGB [H, W, 3]. Raises NeighbourClipMissing when clips to play backwards cannot be read below `sources`,
    and what `adapt_motion` raises.
    """

    def adapted(neighbours: Neighbours) -> AdaptedMotion:
        return adapt_motion(pack, neighbours, image=image, fusion=fusion)

    turned = None
    if backwards:
        turned = played_backwards(own, encoder=PackClipEncoder(pack), sources=sources, progress=progress)
    return ways_of(
        plain=plain,
        own=adapted(own),
        strengths=strengths,
        own_note=_note(own),
        other=None if other is None else adapted(other),
        other_note="" if other is None else _note(other),
        backwards=None if turned is None else adapted(turned),
    )


def _note(neighbours: Neighbours) -> str:
    """What the most similar clip shows."""
    best = neighbours.items[0]
    return best.caption or name_of(best)
