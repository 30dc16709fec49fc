"""What the next model wants of a clip: counts on its grid, sizes of its multiple, presets, impossible wishes."""

from __future__ import annotations

import pytest

from index_builder.errors import InvalidSetting
from motionrag_nodes.neighbours.clip_format import PRESETS, ClipFormat, clip_format

H3, WAN, LTX = (next(name for name in PRESETS if name.startswith(start)) for start in ("MiniMax", "Wan 2.1", "LTX"))
FITTED = {"fit": "crop", "short": "more of the video"}


@pytest.mark.parametrize("clip_sec", [0.3, 2.0, 2.4, 5.0, 14.99, 40.0])
def test_minimax_gets_17n_plus_5_frames_of_2_to_15_seconds(clip_sec: float) -> None:
    count = PRESETS[H3].count(fps=24, clip_sec=clip_sec)
    assert count % 17 == 5 and 2 <= count / 24 <= 15
    assert count / 24 >= min(clip_sec, 14)


def test_wan_gets_81_frames_however_long_the_clip_is() -> None:
    assert {PRESETS[WAN].count(fps=16, clip_sec=sec) for sec in (0.5, 2.0, 60.0)} == {81}


def test_own_numbers_end_on_the_grid() -> None:
    assert clip_format(WAN, frames=30, **FITTED).count(fps=16, clip_sec=2) == 33
    assert clip_format(LTX, frames=97, **FITTED).count(fps=25, clip_sec=2) == 97


def test_without_a_grid_a_clip_keeps_its_length() -> None:
    assert ClipFormat().count(fps=15, clip_sec=2) == 30
    assert ClipFormat().count(fps=15, clip_sec=0.001) == 1


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        (ClipFormat(), (640, 360)),
        (ClipFormat(multiple=32), (640, 352)),
        (ClipFormat(width=320), (320, 180)),
        (ClipFormat(height=720), (1280, 720)),
        (ClipFormat(width=100, height=100, multiple=16), (96, 96)),
    ],
)
def test_sizes(wanted: ClipFormat, size: tuple[int, int]) -> None:
    assert wanted.size(width=640, height=360) == size


def test_impossible_wishes() -> None:
    with pytest.raises(InvalidSetting, match="Expected fps above 0, up to 240, received -1"):
        ClipFormat(fps=-1)
    with pytest.raises(InvalidSetting, match="Expected a fit of crop, pad"):
        clip_format(WAN, fit="squeeze", short="slow down")
    with pytest.raises(InvalidSetting, match="Expected a preset of any model"):
        clip_format("Sora", **FITTED)
