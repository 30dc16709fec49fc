import math
from dataclasses import replace

import numpy as np
import pytest

from training.demo_world.shapes import SHAPES
from training.demo_world.world import ClipSpec, render_clip
from training.evaluation.scores.shape import compare_sprites

STAR = ClipSpec("star", "orange", "navy", "left", x=0.0, y=0.0, radius=0.2, reach=0.2)
SIZE = 64


def frame(spec: ClipSpec = STAR) -> np.ndarray:
    return render_clip(spec, size=SIZE, frames=1)[0]


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("place", [(0.1, -0.05), (-0.117, 0.083)])
def test_a_sprite_elsewhere_keeps_its_shape(shape: str, place: tuple[float, float]) -> None:
    spec = replace(STAR, shape=shape)
    found = compare_sprites(frame(replace(spec, x=place[0], y=place[1])), frame(spec))
    assert found.overlap > 0.93
    assert found.colour < 5


def test_equal_frames_are_alike() -> None:
    found = compare_sprites(frame(), frame())
    assert found.overlap == 1
    assert found.colour == 0


@pytest.mark.parametrize(("shape", "most"), [("ring", 0.65), ("circle", 0.85), ("triangle", 0.75)])
def test_another_shape_overlaps_less_at_every_place(shape: str, most: float) -> None:
    for place in (0.0, 0.1):
        assert compare_sprites(frame(replace(STAR, shape=shape, x=place)), frame()).overlap < most


def test_size_counts() -> None:
    found = compare_sprites(frame(replace(STAR, shape="circle", radius=0.1)), frame(replace(STAR, shape="circle")))
    assert found.overlap == pytest.approx(1 / 4, abs=0.04)


def test_colour_is_told_in_grey_levels_and_shape_apart_from_it() -> None:
    drifted = frame().astype(int)
    sprite = np.abs(drifted - drifted[0, 0]).max(-1) > 60
    drifted[sprite] += [-30, 0, 15]
    found = compare_sprites(drifted.astype(np.uint8), frame())
    assert found.colour == pytest.approx(15, abs=1)
    assert found.overlap > 0.95


def test_a_halo_that_is_seen_costs_shape() -> None:
    halo = frame().astype(int)
    halo[16:48, 16:48] = np.maximum(halo[16:48, 16:48], [80, 80, 120])
    assert compare_sprites(halo.astype(np.uint8), frame()).overlap < 0.6


def test_a_sprite_that_dissolved_has_no_shape_and_the_backgrounds_colour() -> None:
    empty = np.broadcast_to(frame()[0, 0], (SIZE, SIZE, 3))
    found = compare_sprites(empty, frame())
    assert found.overlap == 0
    ink, paper = (np.array(colour) for colour in ((245, 150, 40), (18, 26, 62)))
    assert found.colour == pytest.approx(np.abs(ink - paper).mean(), rel=0.15)  # its outline is mixed with both


@pytest.mark.parametrize("x", [0.4, -0.34, 0.7])
def test_a_real_sprite_at_the_border_or_beyond_is_not_judged(x: float) -> None:
    found = compare_sprites(frame(), frame(replace(STAR, x=x)))
    assert math.isnan(found.overlap)
    assert math.isnan(found.colour)


def test_a_bright_border_is_a_background_too() -> None:
    inverted = 255 - frame()
    found = compare_sprites(255 - frame(replace(STAR, x=0.1)), inverted)
    assert found.overlap > 0.95
