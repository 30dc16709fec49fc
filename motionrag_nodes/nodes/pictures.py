"""Between ComfyUI's IMAGE (float [B, H, W, C] in [0, 1]) and the stages' pictures (uint8 [H, W, 3] RGB)."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from motionrag_nodes.errors import ShapeMismatch

if TYPE_CHECKING:
    from comfy_api.latest import io


def to_frames(image: torch.Tensor) -> np.ndarray:
    """IMAGE -> uint8 [B, H, W, 3]; an alpha channel is dropped."""
    scaled = (image[..., :3].detach().cpu().float().clamp(0, 1) * 255).round()
    frames: np.ndarray = scaled.to(torch.uint8).numpy()
    return frames


def to_picture(image: torch.Tensor) -> np.ndarray:
    """An IMAGE of one -> uint8 [H, W, 3].

    Raises ShapeMismatch: it holds several pictures, each of which would need motion of its own.
    """
    if len(image) != 1:
        raise ShapeMismatch(
            f"Expected one picture, received a batch of {len(image)}: motion is adapted to one picture, and a video is "
            "made of one; take one out with ImageFromBatch, or queue them one after the other."
        )
    picture: np.ndarray = to_frames(image)[0]
    return picture


def to_image(picture: np.ndarray) -> torch.Tensor:
    """uint8 [H, W, 3] -> IMAGE of one."""
    return torch.from_numpy(np.array(picture)).float().div(255).unsqueeze(0)


def from_pil(picture: Image.Image) -> torch.Tensor:
    """A Pillow picture -> IMAGE of one."""
    return to_image(np.asarray(picture.convert("RGB")))


def frame_rate(fps: float) -> Fraction:
    """The rate as ComfyUI's videos keep it, exact to a thousandth."""
    return Fraction(round(fps * 1000), 1000)


def to_video(images: torch.Tensor, *, fps: float, audio: io.Audio.Type | None = None) -> io.Video.Type:
    """An IMAGE of a video's frames -> VIDEO."""
    from comfy_api.latest import InputImpl, Types

    components = Types.VideoComponents(images=images, audio=audio, frame_rate=frame_rate(fps))
    return InputImpl.VideoFromComponents(components)
