from dataclasses import replace

import numpy as np
import pytest

from training.demo_world.world import ClipSpec, render_clip
from training.evaluation.scores.tracking import track_sprite, trajectory_error

SPEC = ClipSpec("circle", "red", "navy", "right", x=-0.1, y=0.05, radius=0.15, reach=0.25)
SIZE, FRAMES = 64, 8


def clip(spec: ClipSpec) -> np.ndarray:
    return render_clip(spec, size=SIZE, frames=FRAMES)


def test_track_is_the_trajectory_that_was_drawn() -> None:
    path, track = SPEC.trajectory(FRAMES), track_sprite(clip(SPEC), SPEC)
    np.testing.assert_allclose(track.centre[:, 0], (SPEC.x + path.dx + 0.5) * SIZE, atol=0.15)
    np.testing.assert_allclose(track.centre[:, 1], (0.5 - SPEC.y - path.dy) * SIZE, atol=0.15)
    # a disc of the world fills 0.85 of its unit
    np.testing.assert_allclose(track.radius, 0.85 * SPEC.radius * SIZE, atol=0.15)


def test_same_clip_has_no_error_and_grain_adds_little() -> None:
    real = clip(SPEC)
    track = track_sprite(real, SPEC)
    assert trajectory_error(track, track) == 0
    grain = np.random.default_rng(0).normal(0, 8, real.shape)
    noisy = np.clip(real + grain, 0, 255).astype(np.uint8)
    assert trajectory_error(track_sprite(noisy, SPEC), track) < 0.5


def test_error_is_the_distance_in_pixels() -> None:
    apart = replace(SPEC, x=SPEC.x + 5 / SIZE)
    error = trajectory_error(track_sprite(clip(apart), SPEC), track_sprite(clip(SPEC), SPEC))
    assert error == pytest.approx(5, abs=0.1)


def test_another_size_is_an_error_too() -> None:
    larger = replace(SPEC, radius=SPEC.radius + 3 / SIZE)
    error = trajectory_error(track_sprite(clip(larger), SPEC), track_sprite(clip(SPEC), SPEC))
    assert error == pytest.approx(0.85 * 3, abs=0.1)


def test_opposite_motion_costs_more_than_none() -> None:
    real = track_sprite(clip(SPEC), SPEC)
    still = track_sprite(np.repeat(clip(SPEC)[:1], FRAMES, axis=0), SPEC)
    opposite = track_sprite(clip(replace(SPEC, motion="left")), SPEC)
    assert trajectory_error(opposite, real) > 1.8 * trajectory_error(still, real) > 0


def test_sprite_that_leaves_the_frame_rightly_costs_nothing_and_a_lost_one_its_radius() -> None:
    leaving = replace(SPEC, x=0.4, reach=0.8)
    real = track_sprite(clip(leaving), leaving)
    assert real.radius[-1] == 0
    assert np.isfinite(real.centre).all()
    assert trajectory_error(real, real) == 0
    empty = clip(SPEC)
    empty[1:] = empty[0, 0, 0]
    lost = track_sprite(empty, SPEC)
    np.testing.assert_array_equal(lost.centre[1:], np.repeat(lost.centre[:1], FRAMES - 1, axis=0))
    assert trajectory_error(lost, track_sprite(clip(SPEC), SPEC)) > 0.85 * SPEC.radius * SIZE
