"""Still pictures as people see them: turned as the camera was held, of any depth, on white where transparent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from index_builder.errors import InputNotFound

# 16 bits to 8: 65535 becomes 255.
PER_STEP = 257


def read_picture(path: Path) -> np.ndarray:
    """uint8 RGB [H, W, 3], upright by its EXIF orientation; of an animation the first picture. Raises InputNotFound."""
    try:
        with Image.open(path) as picture:
            return np.array(_eight_bit_rgb(ImageOps.exif_transpose(picture)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputNotFound(f"Expected a picture in {path}, but it cannot be read ({error}): check --image.") from error


def _eight_bit_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(picture), whole=picture.mode != "F")).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(values: np.ndarray, *, whole: bool) -> np.ndarray:
    """Grey values [H, W] of 16 bits, or float ones in [0, 1], as uint8; those that fit into 8 bits stay."""
    values = np.nan_to_num(values.astype(np.float64))
    largest = values.max(initial=0.0)
    if whole and largest > 255:
        values = values / PER_STEP
    elif not whole and largest <= 1:
        values = values * 255
    rounded: np.ndarray = np.clip(np.round(values), 0, 255).astype(np.uint8)
    return rounded
