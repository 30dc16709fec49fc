"""Whether a sprite keeps its outline and its colours, wherever it went: frames against the real ones, pixel by pixel.

The sprite is what differs from the picture's border, so that a melting outline and a drifting colour are both seen, and
nothing need be known of the sprite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Grey levels of 255 by which some channel of a pixel must differ from the border's median colour.
FOREGROUND_DIFFERENCE = 40
BORDER_PIXELS = 2


@dataclass(frozen=True)
class Likeness:
    """overlap: intersection over union of the two sprites, 0 to 1. colour: how far apart their mean colours are where
    they overlap, in grey levels of 255, averaged over the channels. Both are NaN where the real sprite cannot be
    judged."""

    overlap: float
    colour: float


def compare_sprites(generated: np.ndarray, real: np.ndarray) -> Likeness:
    """Two frames uint8 RGB [H, W, 3], the generated one moved so that the sprites' centroids agree.

    Between pixels each is moved half of the way: the blur of moving is then the same in both, and costs nothing.
    Not judged is a real sprite that touches the border, of which a part may lie outside, or of which nothing is seen.
    Where the generated frame shows no sprite, nothing overlaps and the colour is the background's.
    """
    real, generated = real.astype(np.float64), generated.astype(np.float64)
    wanted = foreground(real)
    if not wanted.any() or _touches_border(wanted):
        return Likeness(np.nan, np.nan)
    found = foreground(generated)
    if not found.any():
        return Likeness(0.0, float(np.abs(_border_colour(generated) - real[wanted].mean(0)).mean()))
    distance = _centroid(real) - _centroid(generated)
    rest = (distance - np.round(distance)) / 2
    real, generated = _moved(real, -rest), _moved(generated, distance - rest)
    wanted, found = foreground(real), foreground(generated)
    shared = wanted & found
    seen = shared if shared.any() else wanted
    return Likeness(
        overlap=float(shared.sum() / (wanted | found).sum()),
        colour=float(np.abs(generated[seen].mean(0) - real[seen].mean(0)).mean()),
    )


def foreground(frame: np.ndarray) -> np.ndarray:
    """Where a frame [H, W, 3] shows its sprite, bool [H, W]."""
    return _difference(frame) > FOREGROUND_DIFFERENCE


def _difference(frame: np.ndarray) -> np.ndarray:
    """By how much each pixel differs from the border's colour in the channel where it does most, [H, W]."""
    return np.abs(frame - _border_colour(frame)).max(-1)


def _border_colour(frame: np.ndarray) -> np.ndarray:
    """The median [3] of the outermost pixels."""
    inner = np.zeros(frame.shape[:2], dtype=bool)
    inner[BORDER_PIXELS:-BORDER_PIXELS, BORDER_PIXELS:-BORDER_PIXELS] = True
    return np.median(frame[~inner], axis=0)


def _touches_border(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _centroid(frame: np.ndarray) -> np.ndarray:
    """Row and column [2] of the sprite; a pixel that it covers in part counts for less."""
    difference = _difference(frame)
    difference[difference <= FOREGROUND_DIFFERENCE] = 0
    places = np.indices(difference.shape)
    return (places * difference).sum((1, 2)) / difference.sum()


def _moved(frame: np.ndarray, by: np.ndarray) -> np.ndarray:
    """A frame [H, W, C] moved by a fraction of pixels [2] downwards and to the right; its edges are continued."""
    for axis, distance in enumerate(by):
        length = frame.shape[axis]
        places = np.clip(np.arange(length) - distance, 0, length - 1)
        before = np.floor(places).astype(int)
        after = np.minimum(before + 1, length - 1)
        share = np.expand_dims(places - before, tuple(range(1, 3 - axis)))  # along this axis, before the others' ones
        frame = frame.take(before, axis) * (1 - share) + frame.take(after, axis) * share
    return frame
