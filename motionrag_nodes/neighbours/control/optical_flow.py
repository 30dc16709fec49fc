"""Dense motion between consecutive frames, without weights: TV-L1 optical flow (Zach, Pock and Bischof, 2007).

Total variation keeps the edges of what moves and fills flat regions, where only outlines tell how they move. That
leaves open whether a flat thing moves or the flat ground around it: a weak pull to rest where nothing is seen to change
lets the larger of the two stand still.
"""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

SHORT_SIDE = 72
# For brightness up to 255: weight of the data, coupling, step of the dual variables.
_DATA_WEIGHT, _COUPLING, _STEP = 0.3, 0.3, 0.25
_WARPS, _ITERATIONS = 3, 14
# Weight of the pull to rest, by the pixels of the finest level; see the tests for what it decides.
_REST = 0.035
_UNCHANGED = 4.0
_LEAST_SIDE = 9
_PAIRS_AT_ONCE = 24


@torch.inference_mode()
def optical_flow(frames: Tensor, *, short_side: int = SHORT_SIDE) -> Tensor:
    """float32 RGB [T, 3, H, W] in [0, 1] -> float32 [T - 1, 2, h, w]: where each point of a frame is in the next one,
    (right, down) in shares of the frame's width and height; h x w has at most `short_side` on its short side."""
    small = 255 * _shrunk(frames, short_side)
    parts = [
        _flow(small[start : start + _PAIRS_AT_ONCE + 1]) for start in range(0, max(1, len(small) - 1), _PAIRS_AT_ONCE)
    ]
    flow = torch.cat(parts)
    return flow / torch.tensor([flow.shape[3], flow.shape[2]], dtype=flow.dtype).view(1, 2, 1, 1)


def _shrunk(frames: Tensor, short_side: int) -> Tensor:
    scale = min(1.0, short_side / min(frames.shape[-2:]))
    size = [max(1, round(side * scale)) for side in frames.shape[-2:]]
    return functional.interpolate(frames, size=size, mode="bilinear", antialias=True, align_corners=False)


def _flow(frames: Tensor) -> Tensor:
    """[T, 3, h, w] -> [T - 1, 2, h, w] in pixels, from coarse to fine."""
    levels = [frames]
    while min(levels[-1].shape[-2:]) >= 2 * _LEAST_SIDE:
        size = [(side + 1) // 2 for side in levels[-1].shape[-2:]]
        levels.append(functional.interpolate(levels[-1], size=size, mode="area"))
    flow = frames.new_zeros(len(frames) - 1, 2, *levels[-1].shape[-2:])
    for number, level in reversed(list(enumerate(levels))):
        height, width = level.shape[-2:]
        if flow.shape[-2:] != level.shape[-2:]:
            ratio = torch.tensor([width / flow.shape[3], height / flow.shape[2]]).view(1, 2, 1, 1)
            flow = functional.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False) * ratio
        flow = _refined(level[:-1], level[1:], flow, rest=_REST * 2**number)
    return flow


def _refined(first: Tensor, second: Tensor, flow: Tensor, *, rest: float) -> Tensor:
    """One level: the second frame is warped by the flow so far, and what is left of the difference is explained."""
    duals = flow.new_zeros(len(flow), 4, *flow.shape[-2:])
    pull = _COUPLING * rest * ((second - first).abs().amax(1, keepdim=True) < _UNCHANGED)
    most = _DATA_WEIGHT * _COUPLING
    for _ in range(_WARPS):
        warped = warp(second, flow)
        across, down = _slopes(warped)
        # The channel of the strongest contrast tells most: sprites of one brightness differ in colour alone.
        pick = (across.square() + down.square()).amax(dim=(2, 3), keepdim=True).argmax(dim=1, keepdim=True)
        pick = pick.expand(-1, 1, *flow.shape[-2:])
        slope = torch.cat([across.gather(1, pick), down.gather(1, pick)], dim=1)
        steep = slope.square().sum(1, keepdim=True)
        known = (warped - first).gather(1, pick) - (flow * slope).sum(1, keepdim=True)
        for _ in range(_ITERATIONS):
            error = known + (flow * slope).sum(1, keepdim=True)
            step = (-error / steep.clamp(min=1e-4)).clamp(-most, most)
            guess = flow + step * slope
            size = guess.norm(dim=1, keepdim=True)
            guess = guess * (1 - pull / size.clamp(min=1e-6)).clamp(min=0)
            flow = guess + _COUPLING * _divergence(duals)
            duals = _dual_step(duals, flow)
        flow = _median(flow)
    return flow


def warp(frames: Tensor, flow: Tensor, *, mode: str = "bilinear") -> Tensor:
    """frames [B, C, h, w] looked up where `flow` [B, 2, h, w], in pixels, leads from each point -> [B, C, h, w]."""
    height, width = frames.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x = (columns + flow[:, 0] + 0.5) / width * 2 - 1
    y = (rows + flow[:, 1] + 0.5) / height * 2 - 1
    grid = torch.stack([x, y], dim=-1)
    return functional.grid_sample(frames, grid, mode=mode, padding_mode="border", align_corners=False)


def _slopes(frames: Tensor) -> tuple[Tensor, Tensor]:
    padded = functional.pad(frames, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return across, down


def _dual_step(duals: Tensor, flow: Tensor) -> Tensor:
    """duals [B, 4, h, w]: (x, y) of the gradient of each flow channel."""
    right = functional.pad(flow[..., 1:] - flow[..., :-1], (0, 1, 0, 0))
    below = functional.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    gradient = torch.cat([right[:, :1], below[:, :1], right[:, 1:], below[:, 1:]], dim=1)
    rate = _STEP / _COUPLING
    sizes = torch.cat([gradient[:, :2].norm(dim=1, keepdim=True), gradient[:, 2:].norm(dim=1, keepdim=True)], dim=1)
    return (duals + rate * gradient) / (1 + rate * sizes).repeat_interleave(2, dim=1)


def _divergence(duals: Tensor) -> Tensor:
    across, down = duals[:, 0::2], duals[:, 1::2]
    return (across - functional.pad(across[..., :-1], (1, 0, 0, 0))) + (
        down - functional.pad(down[..., :-1, :], (0, 0, 1, 0))
    )


def _median(flow: Tensor) -> Tensor:
    """The median of 3 x 3 neighbours, which drops outliers."""
    padded = functional.pad(flow, (1, 1, 1, 1), mode="replicate")
    patches = padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2)
    return patches.median(dim=-1).values
