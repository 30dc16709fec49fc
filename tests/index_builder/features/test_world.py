"""The world statistic: of its own world one in a hundred lies outside, of another nearly all."""

import numpy as np
import pytest

from index_builder.errors import InvalidSetting
from index_builder.features.world import WorldStatistic


@pytest.fixture
def worlds() -> tuple[np.ndarray, np.ndarray]:
    """Points near a plane of eight dimensions in sixty-four, and points near another one."""
    rng = np.random.default_rng(0)
    planes = rng.normal(size=(2, 8, 64))
    return tuple(rng.normal(size=(900, 8)) @ plane + 0.1 * rng.normal(size=(900, 64)) for plane in planes)


def test_another_world_lies_outside(worlds: tuple[np.ndarray, np.ndarray]) -> None:
    own, other = worlds
    statistic = WorldStatistic.measure(own[:500], own[500:700])
    assert (statistic.distances(own[700:]) > 1).mean() < 0.05
    assert (statistic.distances(other) > 1).mean() > 0.95
    # Too far along what it knows is outside as well.
    assert (statistic.distances(own.mean(0) + 6 * (own[700:] - own.mean(0))) > 1).mean() > 0.9
    again = WorldStatistic.of_tensors(statistic.tensors())
    assert np.array_equal(again.distances(other), statistic.distances(other))


def test_what_makes_no_statistic(worlds: tuple[np.ndarray, np.ndarray]) -> None:
    own, _ = worlds
    with pytest.raises(InvalidSetting, match="at least 4 training and 50 held-out embeddings, received 500 and 3"):
        WorldStatistic.measure(own[:500], own[:3])
    statistic = WorldStatistic.measure(own[:500], own[500:])
    with pytest.raises(InvalidSetting, match=r"Expected embeddings \[N, 64\], received \[2, 3\]"):
        statistic.distances(np.zeros((2, 3)))
    with pytest.raises(InvalidSetting, match="Expected a world statistic of shapes"):
        WorldStatistic.of_tensors({**statistic.tensors(), "spreads": np.zeros(3, np.float32)})
    with pytest.raises(InvalidSetting, match="received mean"):
        WorldStatistic.of_tensors({"mean": np.zeros(3)})
