import math
from dataclasses import replace

import numpy as np
import pytest

from training.demo_world.motions import ALL_MOTIONS
from training.demo_world.world import ClipSpec, render_clip
from training.evaluation.held_frames.small import Chain
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.scores.order import alike_backwards, order_right, retrieval_right, run_from_the_end
from training.evaluation.scores.tracking import Track, track_sprite

SPEC = ClipSpec("circle", "red", "navy", "left", x=0.05, y=0.0, radius=0.15, reach=0.2)
ONE_WAY = [kind for kind in ALL_MOTIONS if kind != "bounce"]


def track(spec: ClipSpec) -> Track:
    return track_sprite(render_clip(spec, size=64, frames=8), spec)


@pytest.mark.parametrize("motion", ONE_WAY)
def test_the_same_way_is_right_and_the_opposite_one_wrong(motion: str) -> None:
    spec = replace(SPEC, motion=motion)
    wanted, wrong = track(spec), track(run_from_the_end(spec))
    assert order_right(track(replace(spec, shape="star", x=-0.05)), wanted, wrong) == 100
    assert order_right(wrong, wanted, wrong) == 0
    assert order_right(wrong, wrong, wanted) == 100


def test_a_bounce_says_nothing_of_time() -> None:
    bounce = replace(SPEC, motion="bounce")
    assert math.isnan(order_right(track(bounce), track(bounce), track(run_from_the_end(bounce))))
    assert alike_backwards(bounce)
    assert not any(alike_backwards(replace(SPEC, motion=motion)) for motion in ONE_WAY)


def test_a_shorter_way_in_the_right_direction_is_right() -> None:
    shorter = track(replace(SPEC, reach=0.05))
    assert order_right(shorter, track(SPEC), track(run_from_the_end(SPEC))) == 100


def test_motion_tokens_of_the_packaged_pack_know_the_order(chain: Chain) -> None:
    cases = draw_cases("seen", 24)
    found = retrieval_right(cases, encoder=chain.encoder, size=64)
    kinds = [case.spec.motion for case in cases]
    assert [kind for kind, right in zip(kinds, found, strict=True) if np.isnan(right)] == ["bounce"] * 3
    assert np.nanmean(found) >= 95


def test_a_single_clip_of_its_motion_cannot_be_looked_for(chain: Chain) -> None:
    assert np.isnan(retrieval_right(draw_cases("seen", 8), encoder=chain.encoder, size=64)).all()
