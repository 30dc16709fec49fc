from dataclasses import replace

import numpy as np
import pytest

from training.demo_world.world import ClipSpec, render_clip
from training.evaluation.held_frames.small import Chain
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.scores.classifier import KINDS
from training.evaluation.scores.figures import RowFigures
from training.evaluation.scores.scores import compare_clips, cosine, psnr, score_row, sprite_scores

SIZE, FRAMES = 64, 8


def test_cosine_and_psnr_of_known_values() -> None:
    first = np.array([[1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(cosine(first, np.array([[0.0, 2.0], [2.0, 2.0]])), [0, 1], atol=1e-12)
    black = np.zeros((4, 4, 3), dtype=np.uint8)
    assert psnr(black, black + 51) == pytest.approx(-20 * np.log10(0.2))
    assert psnr(black, black) == pytest.approx(20 * np.log10(255))


def test_real_clips_score_best_and_those_of_other_motions_worse(chain: Chain) -> None:
    cases = draw_cases("seen", 8)
    real = [case.real(size=SIZE, frames=FRAMES) for case in cases]
    perfect = score_row(chain.judge, cases, real=real, generated=real, seconds=[1.0] * 8)
    assert perfect.of_clips["accuracy"].mean() == 100
    assert perfect.of_clips["action"].min() > 99.9
    assert perfect.of_clips["appearance"].min() > 99.9
    assert perfect.of_clips["trajectory"].max() == 0
    backwards = score_row(chain.judge, cases, real=real, generated=[clip[::-1] for clip in real], seconds=[1.0] * 8)
    kinds = [case.spec.motion for case in cases]
    # A circle run backwards is a circle; all other kinds become another.
    assert backwards.of_clips["accuracy"][kinds.index("left")] == 0
    assert backwards.of_clips["accuracy"][kinds.index("grow")] == 0
    assert backwards.of_clips["action"].mean() < 80
    assert backwards.of_clips["trajectory"].mean() > 3
    assert backwards.of_clips["appearance"].mean() < perfect.of_clips["appearance"].mean()
    assert set(kinds) <= set(KINDS)


def test_real_clips_keep_their_shapes_and_go_as_far_as_they_go(chain: Chain) -> None:
    cases = draw_cases("seen", 8)
    real = [case.real(size=SIZE, frames=FRAMES) for case in cases]
    perfect = RowFigures(score_row(chain.judge, cases, real=real, generated=real, seconds=[1.0] * 8))
    for moment in ("first", "middle", "last"):
        assert perfect.at(f"shape_{moment}", np.arange(8)) == 1
        assert perfect.at(f"colour_{moment}", np.arange(8)) == 0
    assert perfect.at("displacement", np.arange(8)) == pytest.approx(1)
    assert perfect.at("size", np.arange(8)) == pytest.approx(1)
    shorter = [render_clip(replace(case.spec, reach=0.6 * case.spec.reach), size=SIZE, frames=FRAMES) for case in cases]
    shrunk = RowFigures(score_row(chain.judge, cases, real=real, generated=shorter, seconds=[1.0] * 8))
    assert shrunk.at("displacement", np.arange(8)) == pytest.approx(0.6, abs=0.03)
    assert shrunk.at("size", np.arange(8)) == pytest.approx(0.65, abs=0.06)  # growth is linear, its logarithm is not


def test_shape_is_that_of_first_middle_and_last_frame() -> None:
    star, ring = (ClipSpec(shape, "red", "navy", "left", 0.1, 0.0, 0.15, 0.2) for shape in ("star", "ring"))
    real, other = (render_clip(spec, size=SIZE, frames=FRAMES) for spec in (star, ring))
    melting = np.concatenate([real[:4], other[4:5], real[5:7], real[6:7]])
    found = sprite_scores(real=[real], generated=[melting])
    assert found["shape_first"][0] == 1
    assert found["shape_middle"][0] < 0.7
    assert 0.9 < found["shape_last"][0] <= 1


def test_without_the_truth_there_is_no_accuracy_and_no_trajectory(chain: Chain) -> None:
    clips = [case.real(size=SIZE, frames=FRAMES) for case in draw_cases("seen", 4)]
    found = compare_clips(chain.judge, real=clips, generated=clips)
    assert set(found.of_clips) == {"action", "appearance", "first_frame"}
    assert found.count == 4
    np.testing.assert_array_equal(found.real, found.generated)
