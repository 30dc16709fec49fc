"""What nodes show in themselves: films as animated WebP, pictures, and text."""

from __future__ import annotations

import numpy as np
import torch
from comfy_api.latest import io, ui

from index_builder.plain_text import shown

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
    return ui.SavedImages([saved], is_animated=True).as_dict()


def pictures(*images: torch.Tensor) -> dict[str, object]:
    """Pictures of any sizes, one beside the other."""
    return {"images": [saved for image in images for saved in ui.PreviewImage(image).as_dict()["images"]]}


def text(words: str) -> dict[str, object]:
    """Text as the editor shows it in nodes that preview any value."""
    return ui.PreviewText(shown(words)).as_dict()
