"""The demo world: deterministic, separable by motion, and silent about it in the first frame."""

from dataclasses import replace

import numpy as np
import pytest

from training.demo_world.motions import ALL_MOTIONS, MOTIONS, UNSEEN_MOTIONS, random_trajectory
from training.demo_world.world import UNSEEN_OBJECTS, ClipSpec, draw_spec, render_clip


def spec_of(motion: str | None, **changes: object) -> ClipSpec:
    values = {
        "shape": "circle",
        "colour": "red",
        "background": "black",
        "x": 0.0,
        "y": 0.0,
        "radius": 0.18,
        "reach": 0.3,
    }
    return ClipSpec(motion=motion, **{**values, **changes})


def centre_of_mass(frame: np.ndarray) -> tuple[float, float]:
    """Of the red channel above the background, in frame widths from the centre, y up."""
    weight = np.clip(frame[..., 0].astype(float) - 30, 0, None)
    axis = (np.arange(len(frame)) + 0.5) / len(frame) - 0.5
    return float((weight.sum(0) * axis).sum() / weight.sum()), float(-(weight.sum(1) * axis).sum() / weight.sum())


def test_a_seed_gives_the_same_clip() -> None:
    first, second = (draw_spec(np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert np.array_equal(render_clip(first, size=32), render_clip(second, size=32))


@pytest.mark.parametrize("motion", [*ALL_MOTIONS, None])
def test_first_frame_is_the_same_whatever_the_motion(motion: str | None) -> None:
    expected = render_clip(spec_of("left"), size=64)[0]
    assert np.array_equal(render_clip(spec_of(motion), size=64)[0], expected)


@pytest.mark.parametrize(("motion", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, 1), ("down", 1, -1)])
def test_sprites_go_where_their_motion_says(motion: str, axis: int, sign: int) -> None:
    clip = render_clip(spec_of(motion), size=64)
    moved = [b - a for a, b in zip(centre_of_mass(clip[0]), centre_of_mass(clip[-1]), strict=True)]
    assert moved[axis] * sign == pytest.approx(0.3 * 15 / 16, abs=0.01)
    assert moved[1 - axis] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(("motion", "grows"), [("grow", True), ("shrink", False)])
def test_sprites_change_their_size(motion: str, grows: bool) -> None:
    clip = render_clip(spec_of(motion), size=64).astype(float)
    assert (clip[-1].sum() > 1.5 * clip[0].sum()) == grows


def test_splits_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    train = [draw_spec(rng) for _ in range(300)]
    assert not {(s.colour, s.shape) for s in train} & set(UNSEEN_OBJECTS)
    assert {s.motion for s in train} == set(MOTIONS)
    assert {(s.colour, s.shape) for s in (draw_spec(rng, split="unseen_object") for _ in range(60))} == set(
        UNSEEN_OBJECTS
    )
    assert {draw_spec(rng, split="unseen_motion").motion for _ in range(40)} == set(UNSEEN_MOTIONS)


def test_captions_name_object_and_motion() -> None:
    caption = spec_of("left").caption(np.random.default_rng(0))
    assert "red" in caption and "circle" in caption and "left" in caption


def test_captions_say_an_orange() -> None:
    spec = spec_of("left", colour="orange", shape="star")
    captions = [spec.caption(np.random.default_rng(seed)) for seed in range(40)]
    assert any("an orange star" in caption for caption in captions)
    assert not any("a orange" in caption for caption in captions)


def test_small_sprites_travel_farther() -> None:
    rng = np.random.default_rng(1)
    specs = [draw_spec(rng) for _ in range(400)]
    assert np.corrcoef([s.radius for s in specs], [s.reach for s in specs])[0, 1] < -0.9


def test_random_motion_never_looks_like_an_unseen_kind() -> None:
    t = np.arange(16) / 16
    unseen = [kind(t, 1.0) for kind in UNSEEN_MOTIONS.values()]
    for seed in range(300):
        path = random_trajectory(t, np.random.default_rng(seed))
        places = np.stack([path.dx, path.dy])
        for kind in unseen:
            form = np.stack([kind.dx, kind.dy])
            assert (places * form).sum() <= 0.9 * np.linalg.norm(places) * np.linalg.norm(form)


def test_members_of_a_family_move_alike() -> None:
    small, large = (spec_of(None, trajectory_seed=5, reach=reach).trajectory() for reach in (0.2, 0.4))
    assert np.allclose(2 * small.dx, large.dx)
    assert np.array_equal(small.scale, large.scale)


@pytest.mark.parametrize("motion", ["left", "up", "orbit", "zigzag", None])
def test_backwards_is_the_same_clip_from_its_end(motion: str | None) -> None:
    spec = spec_of(motion, reach=0.2, trajectory_seed=5)
    reverse = replace(spec, backwards=True)
    assert np.array_equal(render_clip(reverse, size=64)[0], render_clip(spec, size=64)[0])
    forward, back = spec.trajectory(32), reverse.trajectory(32)
    # The path from moment 31 to moment 1, seen from either end: moment 32 is the clip's end, where backwards begins.
    np.testing.assert_allclose(np.diff(back.dx)[1:], -np.diff(forward.dx)[:0:-1], atol=1e-9)
    np.testing.assert_allclose(np.diff(back.dy)[1:], -np.diff(forward.dy)[:0:-1], atol=1e-9)
    np.testing.assert_array_equal(render_clip(reverse, size=32, frames=8), render_clip(reverse, size=32)[::2])


@pytest.mark.parametrize(
    ("motion", "seen"), [("left", "right"), ("up", "down"), ("grow", "shrink"), ("orbit", "orbit")]
)
def test_backwards_looks_like_another_kind(motion: str, seen: str) -> None:
    spec = spec_of(motion, backwards=True)
    assert spec.kind == seen
    assert replace(spec, backwards=False).kind == motion
    if seen != motion:
        ends = (one.trajectory().stacked()[-1] for one in (spec, spec_of(seen)))
        np.testing.assert_array_equal(*(np.sign(end) for end in ends))
