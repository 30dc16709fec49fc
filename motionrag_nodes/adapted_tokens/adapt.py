"""From neighbours and a picture to the motion tokens that this picture should have.

Weights act in every fusion. A neighbour of weight 0 is left out. The others count by the ratio of their weights: as in
a weighted mean; as the one that top-1 takes, which is the heaviest; and for the context transformer as described at
`weighted_mask_by_clip`, with the heaviest next to the target, where training put the most similar one. Equal weights
change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from index_builder.errors import InvalidSetting
from motionrag_nodes.adapted_tokens.fusions import DEFAULT_FUSION, FUSIONS, Examples
from motionrag_nodes.errors import MotionMismatch, ShapeMismatch
from motionrag_nodes.motion_tokens.clip_models import ClipModels
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

if TYPE_CHECKING:
    from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
    from motionrag_nodes.neighbours.neighbours import Neighbours


class AdaptingModels(ClipModels, Protocol):
    """A motion pack, as far as this stage needs it."""

    @property
    def context_transformer(self) -> ContextTransformer:
        """Which also fuses neighbours."""
        ...

    @property
    def calibration(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Gives adapted tokens the amplitude of true ones."""
        ...


@dataclass(frozen=True, eq=False)
class AdaptedMotion:
    """Motion for one picture.

    tokens, unconditional: float32 [1, L, D] on the CPU. `unconditional` are the tokens of the all-zeros clip, for the
    unconditional branch of classifier-free guidance; they depend on the pack alone. `pack` made both.
    """

    tokens: torch.Tensor
    unconditional: torch.Tensor
    fusion: str
    pack: AdaptingModels = field(repr=False)

    def __post_init__(self) -> None:
        if self.tokens.ndim != 3 or self.tokens.shape != self.unconditional.shape or len(self.tokens) != 1:
            raise ShapeMismatch(
                f"Expected tokens and unconditional tokens of one shape [1, L, D], received {list(self.tokens.shape)} "
                f"and {list(self.unconditional.shape)}: make them with adapt_motion."
            )

    def require_pack(self, *, name: str, fingerprint: str) -> None:
        """Check that what is to use this motion belongs to the pack that made it, whatever the two are called.

        Raises MotionMismatch: it belongs to another.
        """
        if self.pack.fingerprint != fingerprint:
            raise MotionMismatch(
                f"Expected motion adapted with pack {name} ({fingerprint}), received motion of pack {self.pack.name} "
                f"({self.pack.fingerprint}): use one pack for both."
            )


@torch.inference_mode()
def adapt_motion(
    pack: AdaptingModels, neighbours: Neighbours, *, image: np.ndarray, fusion: str = DEFAULT_FUSION
) -> AdaptedMotion:
    """Combine the neighbours' motion tokens for `image`, uint8 RGB [H, W, 3].

    fusion: a name of FUSIONS. The pack's models leave the accelerator afterwards: generating needs its memory.

    Raises MotionMismatch: the neighbours' tokens were made by another pack. TooManyNeighbours: there are more than the
    context transformer has positions for. ShapeMismatch, InvalidSetting: the image or the fusion is not valid.
    """
    if fusion not in FUSIONS:
        raise InvalidSetting(f"Expected a fusion of {', '.join(FUSIONS)}, received {fusion!r}: choose one of them.")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ShapeMismatch(
            f"Expected an image as uint8 RGB [H, W, 3], received {image.dtype} {list(image.shape)}: convert it."
        )
    if neighbours.tokens_fingerprint != pack.tokens_fingerprint:
        raise MotionMismatch(
            f"Expected neighbours whose tokens have the fingerprint {pack.tokens_fingerprint} of pack {pack.name}, "
            f"received {neighbours.tokens_fingerprint}: retrieve or encode them with this pack."
        )
    try:
        return _adapted(pack, neighbours, image, fusion)
    finally:
        pack.release()


def _adapted(pack: AdaptingModels, neighbours: Neighbours, image: np.ndarray, fusion: str) -> AdaptedMotion:
    encoder = PackClipEncoder(pack)
    # Heaviest first; sorting is stable, so equal weights leave the order as it is.
    kept = [place for place, weight in enumerate(neighbours.weights) if weight]
    order = sorted(kept, key=lambda place: -neighbours.weights[place])
    motion = neighbours.motion_tokens[None, order].to(pack.device)  # [K, L, D] -> [1, K, L, D]
    examples = Examples(
        motion=motion,
        weights=_relative_weights(neighbours, order, like=motion),
        appearance=lambda: neighbours.appearance_tokens[None, order].to(pack.device),
        target=lambda: encoder.appearance_tokens([image]),
        predict=lambda *tokens, **given: pack.calibration(pack.context_transformer.adapt(*tokens, **given)),
    )
    tokens = FUSIONS[fusion](examples)
    return AdaptedMotion(
        # Clones are ordinary tensors: those made in inference mode may not be used where gradients are tracked.
        tokens=_ordinary(tokens),
        unconditional=_ordinary(encoder.zero_clip_tokens()),
        fusion=fusion,
        pack=pack,
    )


def _relative_weights(neighbours: Neighbours, order: Sequence[int], *, like: torch.Tensor) -> torch.Tensor | None:
    """[K] in that order, the heaviest 1; None where all are equal, so that nothing is computed that changes nothing."""
    weights = [neighbours.weights[place] / neighbours.weights[order[0]] for place in order]
    return None if set(weights) == {1.0} else torch.tensor(weights, dtype=like.dtype, device=like.device)


def _ordinary(tokens: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode(False):
        return tokens.cpu().clone()
