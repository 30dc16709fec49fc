"""Neighbours check their shapes when they are made."""

import pytest
import torch

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
    with pytest.raises(ShapeMismatch, match="expected"):
        Neighbours(items, motion, appearance, "f")
