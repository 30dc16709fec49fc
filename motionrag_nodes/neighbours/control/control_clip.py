"""A clip's motion as pictures without its looks: a grey silhouette of what moves, motion as colours, or warped noise.

Warped noise follows Burgert et al., Go-with-the-Flow, 2025 (arXiv 2501.08331), simplified: noise is carried along by
nearest neighbours, and where nothing arrives it is drawn afresh.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from index_builder.errors import InvalidSetting
from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.neighbours.control.camera import camera_motion
from motionrag_nodes.neighbours.control.kinds import KINDS, MAX_STRENGTH, WHOSE
from motionrag_nodes.neighbours.control.optical_flow import optical_flow

# In shares of the frame: less than this from frame to frame is noise of the codec.
_STILL = 8e-4
_GREY = 0.6
_NOISE_SPREAD = 0.18


def control_clip(
    frames: np.ndarray, *, kind: str = "colours", whose: str = "all motion", strength: float = 1.0, seed: int = 0
) -> np.ndarray:
    """uint8 RGB [T, H, W, 3] -> the motion alone, uint8 RGB [T, H, W, 3]; the last frame has the motion before it.

    kind: "silhouette" grey where something moves, by how fast at most; "colours" direction as hue and speed as
    brightness, scaled by the clip's own speed; "noise" noise that is carried along. whose: "objects only" takes the
    camera's motion out, "camera only" theirs. strength scales the motion: 0 shows stillness. seed: of the noise.
    Raises InvalidSetting, ShapeMismatch.
    """
    if kind not in KINDS or whose not in WHOSE or not 0 <= strength <= MAX_STRENGTH:
        raise InvalidSetting(
            f"Expected a kind of {', '.join(KINDS)}, motion of {', '.join(WHOSE)} and a strength from 0 to "
            f"{MAX_STRENGTH:g}, received {kind!r}, {whose!r} and {strength}: choose among them."
        )
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or len(frames) < 2:
        raise ShapeMismatch(
            f"Expected at least two frames uint8 [T, H, W, 3], received {frames.dtype} {list(frames.shape)}: connect a "
            "clip, not a picture."
        )
    return draw_motion(motion_of(frames), frames.shape[1:3], kind=kind, whose=whose, strength=strength, seed=seed)


def motion_of(frames: np.ndarray) -> Tensor:
    """uint8 RGB [T, H, W, 3] -> flow [T, 2, h, w] in shares of the frame; the last frame repeats the one before."""
    flow = optical_flow(torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255)
    return torch.cat([flow, flow[-1:]])


def draw_motion(
    motion: Tensor, size: tuple[int, int], *, kind: str, whose: str = "all motion", strength: float = 1.0, seed: int = 0
) -> np.ndarray:
    """Flow [T, 2, h, w] -> pictures uint8 RGB [T, H, W, 3] of `size` (height, width), as `control_clip` says."""
    # By the whole motion's speed, so that a camera at rest looks at rest.
    fast = _fast(motion.norm(dim=1)).clamp(min=_STILL)
    flow = motion
    if whose != "all motion":
        camera = camera_motion(motion)
        flow = camera if whose == "camera only" else motion - camera
    flow = flow * strength
    if kind == "noise":
        large = functional.interpolate(noise_pictures(flow, seed=seed), size=size, mode="nearest")
    else:
        pictures_of = silhouette_pictures if kind == "silhouette" else colour_pictures
        large = functional.interpolate(pictures_of(flow, fast), size=size, mode="bilinear", align_corners=False)
    pictures: np.ndarray = (large.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    return pictures


def silhouette_pictures(flow: Tensor, fast: Tensor) -> Tensor:
    """[T, 3, h, w]: grey where the motion is a good part of `fast`."""
    moving = ((flow.norm(dim=1, keepdim=True) / fast - 0.2) / 0.15).clamp(0, 1)
    grey: Tensor = (_GREY * moving).expand(-1, 3, -1, -1)
    return grey


def colour_pictures(flow: Tensor, fast: Tensor) -> Tensor:
    """[T, 3, h, w]: direction as hue, speed as brightness, full at `fast`."""
    angle = torch.atan2(flow[:, 1], flow[:, 0]) / (2 * torch.pi) % 1
    value = (flow.norm(dim=1) / fast).clamp(0, 1)
    # Three tents over the circle of hues, as HSV of full saturation has them.
    hues = [((angle * 6 + shift) % 6 - 3).abs() - 1 for shift in (0, 4, 2)]
    return torch.stack([hue.clamp(0, 1) * value for hue in hues], dim=1)


def noise_pictures(flow: Tensor, *, seed: int) -> Tensor:
    """[T, 3, h, w]: noise around grey that moves as `flow` says."""
    generator = torch.Generator().manual_seed(seed)
    height, width = flow.shape[-2:]
    grains = torch.randn(3, height * width, generator=generator)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    shown = [grains]
    x, y = columns.float(), rows.float()
    for step in flow[:-1]:
        # Places of the grains in fractions, so that slow motion adds up; what none of them reaches gets new ones.
        at_x, at_y = x.round().long().clamp(0, width - 1), y.round().long().clamp(0, height - 1)
        across, down = step[0, at_y, at_x] * width, step[1, at_y, at_x] * height
        x, y = x + across, y + down
        inside = (x.round() >= 0) & (x.round() < width) & (y.round() >= 0) & (y.round() < height)
        place = (y.round().long() * width + x.round().long())[inside].numpy()
        # What moves covers what stands still: of grains that meet, NumPy keeps the one that is written last.
        order = np.argsort((across.square() + down.square())[inside].numpy(), kind="stable")
        fresh = torch.randn(3, height * width, generator=generator)
        fresh.numpy()[:, place[order]] = grains[:, inside.flatten()].numpy()[:, order]
        shown.append(fresh)
    return (0.5 + _NOISE_SPREAD * torch.stack(shown)).reshape(-1, 3, height, width)


def _fast(speed: Tensor) -> Tensor:
    """The clip's own high speed: all but a hundredth of its points are slower."""
    return torch.quantile(speed.flatten()[:: max(1, speed.numel() // 1_000_000)], 0.99)
