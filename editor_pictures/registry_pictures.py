"""The plugin's icon and banner in the Comfy registry, from the demo's own picture and clips.

    python -m editor_pictures.registry_pictures

The registry takes a square icon of at most 400 pixels and a banner of 21 to 9.
"""

from __future__ import annotations

from pathlib import Path

import av
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "motionrag_nodes" / "samples"
ICON, BANNER = ROOT / "docs" / "icon.png", ROOT / "docs" / "banner.png"
ICON_SIDE = 256
BANNER_WIDTH, BANNER_HEIGHT = 1050, 450
COLUMNS, ROWS = 7, 3


def icon() -> Image.Image:
    """The demo's circle, enlarged."""
    with Image.open(SAMPLES / "input" / "motionrag_circle.png") as picture:
        return picture.convert("RGB").resize((ICON_SIDE, ICON_SIDE), Image.Resampling.LANCZOS)


def banner() -> Image.Image:
    """Moments of the demo's clips, a row each, from left to right in the order of time."""
    side = BANNER_WIDTH // COLUMNS
    sheet = Image.new("RGB", (BANNER_WIDTH, BANNER_HEIGHT))
    for row, path in enumerate(sorted((SAMPLES / "motionrag_clips").glob("*.mp4"))[:ROWS]):
        with av.open(str(path)) as container:
            frames = [frame.to_image() for frame in container.decode(video=0)]
        for column in range(COLUMNS):
            moment = frames[round(column * (len(frames) - 1) / (COLUMNS - 1))]
            sheet.paste(moment.resize((side, side), Image.Resampling.LANCZOS), (column * side, row * side))
    return sheet


if __name__ == "__main__":
    icon().save(ICON, optimize=True)
    banner().save(BANNER, optimize=True)
