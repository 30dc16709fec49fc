"""Query pictures are read as every viewer shows them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index_builder.clips.pictures import read_picture
from index_builder.errors import InputNotFound

GRADIENT = np.linspace(0, 255, 48 * 64).round().astype(np.uint8).reshape(48, 64)
COLOURS = np.stack([GRADIENT, GRADIENT[::-1], 255 - GRADIENT], axis=-1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_the_camera_was_held(tmp_path: Path, orientation: int) -> None:
    """What the sensor saw, and the tag with which every viewer shows it upright (EXIF 2.32, 4.6.4)."""
    lying = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: np.rot90(a, 2),
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    tags = Image.Exif()
    tags[0x112] = orientation
    sensor = Image.fromarray(np.ascontiguousarray(lying[orientation](COLOURS)))
    sensor.save(tmp_path / "phone.png", exif=tags)
    assert np.array_equal(read_picture(tmp_path / "phone.png"), COLOURS)


def test_sixteen_bits_are_as_bright_as_eight(tmp_path: Path) -> None:
    grey = np.repeat(GRADIENT[..., None], 3, axis=-1)
    Image.fromarray(GRADIENT.astype(np.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(GRADIENT.astype(np.int32) * 257).save(tmp_path / "32.tif")
    Image.fromarray(GRADIENT.astype(np.float32) / 255).save(tmp_path / "float.tif")
    Image.fromarray(GRADIENT.astype(np.int32)).save(tmp_path / "small.tif")
    for name in ("16.png", "32.tif", "float.tif", "small.tif"):
        assert np.array_equal(read_picture(tmp_path / name), grey), name


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    alpha = np.where(GRADIENT > 127, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([COLOURS, alpha])).save(tmp_path / "rgba.png")
    shown = read_picture(tmp_path / "rgba.png")
    assert np.array_equal(shown[alpha == 255], COLOURS[alpha == 255]) and (shown[alpha == 0] == 255).all()
    palette = Image.fromarray(COLOURS).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    palette.save(tmp_path / "palette.png", transparency=0)
    places = np.asarray(palette) == 0
    assert places.any() and (read_picture(tmp_path / "palette.png")[places] == 255).all()


def test_other_modes_are_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(COLOURS)
    for name, mode in (("cmyk.tif", "CMYK"), ("bits.png", "1"), ("grey.png", "L")):
        picture.convert(mode).save(tmp_path / name)
        expected = np.asarray(picture.convert(mode).convert("RGB"))
        assert np.array_equal(read_picture(tmp_path / name), expected), name


def test_what_is_no_picture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hi")
    Image.fromarray(COLOURS).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    for name in ("text.jpg", "cut.png", "nowhere.png"):
        with pytest.raises(InputNotFound, match=f"Expected a picture in .*{name}.*check --image"):
            read_picture(tmp_path / name)
