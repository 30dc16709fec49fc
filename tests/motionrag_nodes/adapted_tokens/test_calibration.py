"""The line that undoes shrinkage: what it finds, what it keeps, and when it refuses."""

import pytest
import torch

from motionrag_nodes.adapted_tokens.calibration import TokenCalibration, fit_calibration, leading_directions, slope
from motionrag_nodes.errors import CalibrationInvalid

CLIPS, L, D = 400, 3, 5


def true_tokens(seed=0, clips=CLIPS):
    generator = torch.Generator().manual_seed(seed)
    return 2 + torch.randn(clips, L, D, generator=generator) * torch.linspace(0.5, 2, D)


def test_a_fresh_calibration_changes_no_bit():
    tokens = true_tokens()
    assert torch.equal(TokenCalibration(tokens_per_clip=L, token_dim=D)(tokens), tokens)


@pytest.mark.parametrize("shrunk", [0.5, 0.9, 1.2])
def test_amplitude_and_mean_come_back(shrunk):
    true = true_tokens()
    noise = 0.2 * torch.randn(true.shape, generator=torch.Generator().manual_seed(1))
    adapted = 7 + shrunk * (true - true.mean(0)) + noise
    fit = fit_calibration(adapted, true)
    assert fit.before == pytest.approx(shrunk, abs=0.03)
    assert fit.after == pytest.approx(1, abs=0.03)
    assert fit.clips == CLIPS
    again = fit.calibration(adapted)
    assert slope(again, true, leading_directions(true)) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(again.mean(0), true.mean(0), atol=1e-4, rtol=1e-4)


def test_the_expectation_of_what_is_true_is_shrunk_by_the_share_that_cannot_be_foretold():
    # What is seen is true plus noise of the same spread: the best guess by squared error goes half of the way.
    true = true_tokens() - 2
    seen = true + torch.randn(true.shape, generator=torch.Generator().manual_seed(2)) * torch.linspace(0.5, 2, D)
    fit = fit_calibration(seen / 2, true)
    assert fit.before == pytest.approx(0.5, abs=0.03)
    assert fit.calibration.gain.item() == pytest.approx(2, abs=0.15)


def test_directions_in_which_nothing_can_be_foretold_do_not_count():
    true = true_tokens()
    true[:, 1:] *= 0.1  # little variance in many directions
    adapted = true.clone()
    adapted[:, 1:] = 0
    fit = fit_calibration(adapted, true)
    assert leading_directions(true).shape[1] <= D
    assert fit.before == pytest.approx(1, abs=0.01)
    assert fit.calibration.gain.item() == pytest.approx(1, abs=0.01)


def test_calibrating_what_is_calibrated_finds_nothing_more():
    true = true_tokens()
    first = fit_calibration(0.7 * true, true)
    second = fit_calibration(first.calibration(0.7 * true), true)
    assert second.before == pytest.approx(1, abs=1e-3)
    assert second.calibration.gain.item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("clips", [0, 1, 31])
def test_few_clips_are_refused(clips):
    with pytest.raises(CalibrationInvalid, match=f"Expected at least 32 clips to calibrate with, received {clips}"):
        fit_calibration(true_tokens(clips=clips), true_tokens(clips=clips))


@pytest.mark.parametrize("share", [0.0, 0.1, -1.0])
def test_tokens_that_do_not_follow_the_true_ones_are_refused(share):
    unrelated = true_tokens(seed=3)
    with pytest.raises(CalibrationInvalid, match=r"Expected adapted tokens that follow the clips' own .* received"):
        fit_calibration(share * true_tokens() + 0.01 * unrelated, true_tokens())


def test_clips_without_any_motion_are_refused_too():
    still = torch.ones(64, L, D)
    with pytest.raises(CalibrationInvalid, match="received nan"):
        fit_calibration(still, still)
