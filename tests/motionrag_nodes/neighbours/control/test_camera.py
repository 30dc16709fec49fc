"""The camera's motion: the affine one that most of the picture follows, whatever the rest does."""

from __future__ import annotations

import torch

from motionrag_nodes.neighbours.control.camera import camera_motion


def _fields(side: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    pan = torch.stack([0.02 + 0.01 * columns - 0.004 * rows, -0.01 + 0.01 * rows + 0.004 * columns])
    thing = torch.zeros(side, side, dtype=torch.bool)
    thing[6:15, 8:18] = True
    return pan, thing


def test_a_thing_does_not_disturb_it() -> None:
    pan, thing = _fields()
    flow = torch.where(thing, pan + torch.tensor([0.03, -0.05]).view(2, 1, 1), pan)
    found = camera_motion(flow[None])[0]
    assert (found - pan).abs().max() < 1e-3
    left = (flow - found).norm(dim=0)
    assert left[thing].min() > 0.05 and left[~thing].max() < 2e-3


def test_a_camera_at_rest_is_at_rest() -> None:
    _, thing = _fields()
    flow = torch.where(thing, torch.tensor([0.04, 0.0]).view(2, 1, 1), torch.zeros(2, 24, 24))
    assert camera_motion(flow[None]).abs().max() < 1e-3
