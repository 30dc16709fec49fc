"""What nodes show in themselves: films as animated WebP, pictures, and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from comfy_api.latest import io, ui

from index_builder.plain_text import shown

if TYPE_CHECKING:
    from motionrag_nodes.checkpoints.pack import MotionPack

# The key of notices among what a node shows.
NOTICE = "motionrag_notice"
_PREFIX = "motionrag_preview"
_QUALITY = 82


def film(frames: np.ndarray, *, fps: float) -> dict[str, object]:
    """uint8 [T, H, W, 3] -> a preview that plays, in ComfyUI's folder for what need not last."""
    images = torch.from_numpy(frames).float().div(255)
    saved = ui.ImageSaveHelper.save_animated_webp(
        images,
        filename_prefix=_PREFIX,
        folder_type=io.FolderType.temp,
        cls=None,
        fps=fps,
        lossless=False,
        quality=_QUALITY,
        method=2,
    )
    values: dict[str, object] = ui.SavedImages([saved], is_animated=True).as_dict()
    return values


def pictures(*images: torch.Tensor) -> dict[str, object]:
    """Pictures of any sizes, one beside the other."""
    return {"images": [saved for image in images for saved in ui.PreviewImage(image).as_dict()["images"]]}


def notice(pack: MotionPack | None, picture: np.ndarray | None) -> dict[str, list[str]]:
    """What the node says, in itself and in the run's history, of a picture that the pack's models were not made for.

    An empty list says that there is nothing to say, and takes an earlier notice off the node.
    """
    from motionrag_nodes.checkpoints.demo_pack import told_of_picture

    told = None if pack is None or picture is None else told_of_picture(pack, picture)
    return {NOTICE: [told] if told else []}


def text(words: str) -> dict[str, object]:
    """Text as the editor shows it in nodes that preview any value."""
    values: dict[str, object] = ui.PreviewText(shown(words)).as_dict()
    return values
