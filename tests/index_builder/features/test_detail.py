"""How much of a picture is not flat."""

import numpy as np
import pytest

from index_builder.features.detail import detail


@pytest.mark.parametrize("size", [(16, 16), (64, 64), (300, 500)])
def test_a_plain_picture_has_no_detail_and_noise_has_all(size: tuple[int, int]) -> None:
    plain = np.full((*size, 3), 90, np.uint8)
    assert detail(plain) == 0
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8).repeat(8)[:, None, None], (512, 512, 3)).copy()
    assert detail(ramp) == 0  # it changes by one at a time


def test_noise_is_nothing_but_detail() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert detail(noise) > 0.99
