"""How much control clips give away: readers that learn what is there, and cannot read what is not."""

from __future__ import annotations

import numpy as np

from training.demo_world.world import ClipSpec, render_clip
from training.evaluation.leakage import ITSELF, pixel_features, read_share, under_camera, views_of, views_under_camera


def test_a_reader_reads_what_is_there_and_guesses_what_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = [str(label) for label in rng.integers(0, 4, 300)]
    told = np.eye(4)[[int(label) for label in labels]] + rng.normal(0, 0.2, (300, 4))
    assert read_share(told, labels, learned=200) > 0.95
    assert read_share(rng.normal(0, 1, (300, 12)), labels, learned=200) < 0.45


def test_views_and_what_pixels_tell() -> None:
    spec = {"shape": "circle", "background": "navy", "motion": "right", "x": 0.0, "y": 0.0, "radius": 0.2, "reach": 0.2}
    clips = {colour: render_clip(ClipSpec(colour=colour, **spec), size=24, frames=3) for colour in ("red", "cyan")}
    features = {colour: pixel_features(clip) for colour, clip in clips.items()}
    assert features["red"][0] > features["cyan"][0] + 1
    np.testing.assert_allclose(features["red"][6:], features["cyan"][6:], atol=0.5)
    views = views_of(clips["red"], seed=1)
    assert list(views) == [ITSELF, "silhouette", "colours", "noise"]
    assert {view.shape for view in views.values()} == {clips["red"].shape}


def test_a_camera_moves_everything_but_not_what_objects_do_alone() -> None:
    spec = ClipSpec(shape="circle", colour="red", background="navy", motion="right", x=0, y=0, radius=0.2, reach=0.3)
    clip = under_camera(render_clip(spec, size=48, frames=4), "up", np.random.default_rng(0))
    # A point of the ground is seen one pixel lower in each frame.
    np.testing.assert_array_equal(clip[1, 1:6, :6], clip[0, :5, :6])
    views = views_under_camera(clip)
    assert list(views) == [ITSELF, "colours, all motion", "colours, objects only", "colours, camera only"]
    assert {view.shape for view in views.values()} == {clip.shape}
    grounds = {name: view[1, :6, :6].mean() for name, view in views.items()}
    assert grounds["colours, objects only"] < 0.3 * grounds["colours, all motion"]
    assert grounds["colours, camera only"] > 0.7 * grounds["colours, all motion"]
