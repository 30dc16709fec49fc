"""Where a sprite is and how large, frame by frame, told from its background by colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.demo_world.world import BACKGROUNDS, COLOURS, ClipSpec

# Grain of a generated background covers less of a pixel than this.
FAINTEST_COVERAGE = 0.3
# Less than this is no sprite any more, in pixels: it has left the frame, or dissolved.
SMALLEST_AREA = 4.0


@dataclass(frozen=True)
class Track:
    """Of each frame: the visible part's centre in pixels [T, 2] (x, y) and its radius [T], as of a disc of its area.

    Where nothing is visible the radius is 0 and the centre stays where it was last.
    """

    centre: np.ndarray
    radius: np.ndarray


def track_sprite(frames: np.ndarray, spec: ClipSpec) -> Track:
    """Follow the sprite of `spec` through frames uint8 RGB [T, H, W, 3], real or generated."""
    ink, paper = (np.array(c, dtype=np.float32) for c in (COLOURS[spec.colour], BACKGROUNDS[spec.background]))
    axis = ink - paper
    coverage = np.clip((frames - paper) @ axis / (axis @ axis), 0, 1)  # [T, H, W]
    coverage[coverage < FAINTEST_COVERAGE] = 0
    area = coverage.sum((1, 2))
    rows, columns = np.indices(frames.shape[1:3]) + 0.5
    centre = np.stack([(coverage * place).sum((1, 2)) for place in (columns, rows)], axis=1)  # [T, 2]
    seen = area >= SMALLEST_AREA
    centre[seen] /= area[seen, None]
    for moment in np.flatnonzero(~seen):
        centre[moment] = centre[moment - 1] if moment else np.array(frames.shape[2:0:-1]) / 2
    return Track(centre=centre, radius=np.sqrt(np.where(seen, area, 0) / np.pi))


def trajectory_error(generated: Track, real: Track) -> float:
    """Mean distance in pixels between corresponding points of the two outlines, over all frames but the first.

    For discs: the root mean square over the outline, sqrt(distance of centres ^ 2 + difference of radii ^ 2).
    Both tracks see the visible part alone, so that a sprite that rightly leaves the frame costs nothing.
    """
    apart = ((generated.centre - real.centre) ** 2).sum(1) + (generated.radius - real.radius) ** 2
    return float(np.sqrt(apart[1:]).mean())
