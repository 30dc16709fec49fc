"""The demo pack: what it knows, and how it is said of a picture that it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from index_builder.features.detail import detail
from motionrag_nodes.checkpoints.find_models import PACKAGED_PACKS
from motionrag_nodes.checkpoints.world_file import World, read_world
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

if TYPE_CHECKING:
    from motionrag_nodes.checkpoints.pack import MotionPack

OTHER_PACKS = "for photographs use the svd, cogvideox or dynamicrafter pack: motionrag fetch svd"
KNOWS = f"demo model: it knows only flat sprites on a plain ground; {OTHER_PACKS}"
# A picture with more than so many times the detail of the most detailed ones of the world is not of it.
_DETAIL_TIMES = 2


def is_demo(pack: MotionPack) -> bool:
    """Whether a pack is one that comes with this package."""
    return bool(pack.folder.parent == PACKAGED_PACKS)


def told_of_picture(pack: MotionPack, picture: np.ndarray) -> str | None:
    """A sentence when a picture, uint8 RGB [H, W, 3], is unlike those that the pack was trained on; None when it is
    not, or where the pack does not say what it was trained on. Raises PackInvalid."""
    world = read_world(pack)
    if world is None or not _is_unlike(world, pack, picture):
        return None
    if is_demo(pack):
        return f"demo model: pack {pack.name} knows only flat sprites, and this picture is unlike them; {OTHER_PACKS}"
    return (
        f"this picture is unlike those that pack {pack.name} was trained on, so that the video may not hold together: "
        "use a pack that was trained on pictures of this kind"
    )


def _is_unlike(world: World, pack: MotionPack, picture: np.ndarray) -> bool:
    if world.detail is not None and detail(picture) > _DETAIL_TIMES * world.detail:
        return True
    tokens = PackClipEncoder(pack).appearance_tokens([picture]).cpu().numpy()
    return bool(world.appearance.distances(tokens.reshape(1, -1))[0] > 1)
