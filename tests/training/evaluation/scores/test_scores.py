import numpy as np
import pytest

from training.evaluation.held_frames.small import Chain
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.scores.classifier import KINDS
from training.evaluation.scores.scores import compare_clips, cosine, psnr, score_row

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


def test_without_the_truth_there_is_no_accuracy_and_no_trajectory(chain: Chain) -> None:
    clips = [case.real(size=SIZE, frames=FRAMES) for case in draw_cases("seen", 4)]
    found = compare_clips(chain.judge, real=clips, generated=clips)
    assert set(found.of_clips) == {"action", "appearance", "first_frame"}
    assert found.count == 4
    np.testing.assert_array_equal(found.real, found.generated)
