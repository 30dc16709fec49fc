"""Neighbours check their shapes when they are made."""

import pytest
import torch

from index_builder.errors import InvalidSetting
from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours

ITEM = Neighbour(1, "id", 0.5, 0.5, None, "caption", "/v.mp4", 0.0, 2.0, b"")


def test_holds_what_fits() -> None:
    assert len(Neighbours((ITEM,), torch.zeros(1, 2, 3), torch.zeros(1, 2, 3), "f")) == 1


@pytest.mark.parametrize(
    ("items", "motion", "appearance"),
    [
        ((ITEM,), torch.zeros(2, 2, 3), torch.zeros(2, 2, 3)),
        ((ITEM,), torch.zeros(1, 2, 3), torch.zeros(1, 2, 4)),
        ((ITEM,), torch.zeros(1, 2), torch.zeros(1, 2)),
        ((), torch.zeros(0, 2, 3), torch.zeros(0, 2, 3)),
        ((ITEM,), torch.zeros(1, 2, 3).half(), torch.zeros(1, 2, 3)),
    ],
)
def test_refuses_what_does_not(items, motion, appearance) -> None:
    with pytest.raises(ShapeMismatch, match="Expected"):
        Neighbours(items, motion, appearance, "f")


def two(*weights: float) -> Neighbours:
    return Neighbours((ITEM, ITEM), torch.zeros(2, 2, 3), torch.zeros(2, 2, 3), "f", weights)


def test_weights_are_one_each_unless_given() -> None:
    assert two().weights == (1.0, 1.0) and two(0.5, 2).weights == (0.5, 2)


@pytest.mark.parametrize("weights", [(-1.0, 1.0), (0.0, 0.0), (float("nan"), 1.0), (float("inf"), 1.0)])
def test_weights_that_leave_nothing_are_refused(weights) -> None:
    with pytest.raises(InvalidSetting, match="Expected weights of at least 0, one of them above it"):
        two(*weights)


def test_every_neighbour_needs_its_weight() -> None:
    with pytest.raises(ShapeMismatch, match="a weight for each of 2 neighbours, received 1"):
        two(1.0)
