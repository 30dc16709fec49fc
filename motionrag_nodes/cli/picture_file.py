"""Writing a picture where the user wants it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from index_builder.errors import InvalidSetting

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")


def check_picture_file(path: Path | None, option: str) -> None:
    """Raises InvalidSetting for a name that is no picture's, before anything is computed for it."""
    if path is not None and path.suffix.lower() not in SUFFIXES:
        raise InvalidSetting(f"Expected a .png or .jpg file for {option}, received {path}: rename it.")


def save_picture(picture: Image.Image, path: Path, option: str) -> None:
    """Raises InvalidSetting where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except (OSError, ValueError) as error:
        raise InvalidSetting(
            f"Expected to write the picture {path}, received {error}: choose another file for {option}."
        ) from error
