"""Mean motion: with the camera where it pans, else with what moves; none where nothing does, or where a film cuts."""

import numpy as np
import pytest
from PIL import Image

from index_builder.report.mean_motion import mean_motion


def landscape(seed: int) -> np.ndarray:
    """float [96, 384]: hills of many sizes."""
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 255, (24, 96), dtype=np.uint8))
    return np.asarray(noise.resize((384, 96), Image.Resampling.BICUBIC), dtype=np.float32)


def views(lefts: list[int], seed: int = 0) -> list[Image.Image]:
    whole = landscape(seed)
    return [Image.fromarray(whole[:, left : left + 128].astype(np.uint8)).convert("RGB") for left in lefts]


@pytest.mark.parametrize("step", [8, -8])
def test_a_pan_moves_the_picture_against_the_camera(step: int) -> None:
    across, down = mean_motion(views([100 + step * time for time in range(8)]))
    assert across == pytest.approx(-7 * step / 128, abs=0.06) and abs(down) < 0.05


def test_a_thing_moves_before_a_still_background() -> None:
    frames = []
    for time in range(8):
        picture = np.full((96, 128, 3), 90, np.uint8)
        picture[10 + 8 * time : 26 + 8 * time, 50:66] = 250
        frames.append(Image.fromarray(picture))
    across, down = mean_motion(frames)
    assert down == pytest.approx(56 / 96, abs=0.1) and abs(across) < 0.03


def test_stills_and_cuts_go_nowhere() -> None:
    assert mean_motion(views([50] * 8)) == (0, 0)
    assert mean_motion(views([50])) == (0, 0)
    cut = views([50] * 4, seed=1) + views([50] * 4, seed=2)
    assert np.hypot(*mean_motion(cut)) < 0.03
