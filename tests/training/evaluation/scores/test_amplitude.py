from dataclasses import replace

import numpy as np
import pytest

from training.demo_world.world import ClipSpec, render_clip
from training.evaluation.scores.amplitude import displacement_products, size_products
from training.evaluation.scores.tracking import Track, track_sprite

SPEC = ClipSpec("circle", "red", "navy", "left", x=0.1, y=0.0, radius=0.12, reach=0.25)


def track(spec: ClipSpec) -> Track:
    return track_sprite(render_clip(spec, size=64, frames=8), spec)


def slope(products: np.ndarray) -> float:
    return products[0] / products[1]


@pytest.mark.parametrize("share", [0.4, 0.8, 1.0, 1.3])
def test_slope_is_the_share_of_the_way(share: float) -> None:
    found = displacement_products(track(replace(SPEC, reach=share * SPEC.reach)), track(SPEC))
    assert slope(found) == pytest.approx(share, abs=0.02)


def test_the_opposite_way_is_a_negative_slope() -> None:
    back = displacement_products(track(replace(SPEC, motion="right")), track(SPEC))
    assert slope(back) == pytest.approx(-1, abs=0.02)


def test_where_it_starts_and_how_large_it_is_do_not_count() -> None:
    elsewhere = replace(SPEC, x=0.0, y=0.1, radius=0.08)
    assert slope(displacement_products(track(elsewhere), track(SPEC))) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("motion", ["grow", "shrink"])
def test_size_is_compared_by_its_logarithm(motion: str) -> None:
    spec = replace(SPEC, motion=motion, x=0.0, reach=0.2)
    growth = np.log(spec.trajectory(8).scale)
    factors = np.exp(0.5 * growth)  # half of the change in every frame
    real = track(spec)
    half = Track(real.centre, real.radius[0] * factors)
    assert slope(size_products(half, real)) == pytest.approx(0.5, abs=0.04)
    assert slope(size_products(real, real)) == pytest.approx(1)


def test_frames_without_a_sprite_say_nothing_of_its_size() -> None:
    spec = replace(SPEC, motion="shrink", x=0.0)
    real = track(spec)
    dissolved = Track(real.centre, np.where(np.arange(8) < 5, real.radius, 0.0))
    assert slope(size_products(dissolved, real)) == pytest.approx(1)
    never = Track(real.centre, np.zeros(8))
    assert size_products(never, real).tolist() == [0, 0]
