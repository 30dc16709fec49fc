"""Motion kinds as trajectories: where a sprite is, how large and how turned, at each moment of a clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trajectory:
    """Arrays [T], relative to t = 0: dx and dy in frame widths (x right, y up), scale as a ratio, angle in radians."""

    dx: np.ndarray
    dy: np.ndarray
    scale: np.ndarray
    angle: np.ndarray

    def stacked(self) -> np.ndarray:
        """[T, 4]: dx, dy, log scale, angle."""
        return np.stack([self.dx, self.dy, np.log(self.scale), self.angle], axis=1)

    def from_first(self) -> Trajectory:
        """The same path relative to where it is at its first moment."""
        return Trajectory(
            self.dx - self.dx[0], self.dy - self.dy[0], self.scale / self.scale[0], self.angle - self.angle[0]
        )


def _trajectory(t: np.ndarray, *, dx=0.0, dy=0.0, scale=1.0, angle=0.0) -> Trajectory:
    return Trajectory(*(np.broadcast_to(np.asarray(v, dtype=float), t.shape) for v in (dx, dy, scale, angle)))


def _orbit(t: np.ndarray, reach: float, turn: float) -> Trajectory:
    """A full circle starting at its top, back where it began."""
    phase = 2 * np.pi * t
    return _trajectory(t, dx=turn * 0.75 * reach * np.sin(phase), dy=0.75 * reach * (np.cos(phase) - 1))


# t runs from 0 to 1 over a clip; reach is the travel in frame widths.
MOTIONS: dict[str, Callable[[np.ndarray, float], Trajectory]] = {
    "left": lambda t, reach: _trajectory(t, dx=-reach * t),
    "right": lambda t, reach: _trajectory(t, dx=reach * t),
    "up": lambda t, reach: _trajectory(t, dy=reach * t),
    "down": lambda t, reach: _trajectory(t, dy=-reach * t),
    "grow": lambda t, reach: _trajectory(t, scale=1 + 2.6 * reach * t),
    "shrink": lambda t, reach: _trajectory(t, scale=1 / (1 + 3.2 * reach * t)),
    "orbit": lambda t, reach: _orbit(t, reach, 1.0),
    "bounce": lambda t, reach: _trajectory(t, dy=1.1 * reach * abs(np.sin(2 * np.pi * t))),
}

# Kept out of all training: a new database must teach them.
UNSEEN_MOTIONS: dict[str, Callable[[np.ndarray, float], Trajectory]] = {
    "zigzag": lambda t, reach: _trajectory(
        t, dx=reach * t, dy=0.5 * reach * (2 / np.pi) * np.arcsin(np.sin(3 * np.pi * t))
    ),
    "diagonal": lambda t, reach: _trajectory(t, dx=-0.8 * reach * t, dy=0.8 * reach * t),
}

ALL_MOTIONS = {**MOTIONS, **UNSEEN_MOTIONS}

# What a kind looks like when its clips are played backwards, where that is another kind.
BACKWARDS = {"left": "right", "right": "left", "up": "down", "down": "up", "grow": "shrink", "shrink": "grow"}


# Places are compared at these moments of a clip, whatever its frames, and a path this close in form to an unseen kind's
# (cosine of the displacements) counts as one of it.
_COMPARED = np.arange(16) / 16
_ALIKE = 0.9


def random_trajectory(t: np.ndarray, rng: np.random.Generator, *, reach: float = 0.26) -> Trajectory:
    """A smooth trajectory of no named kind: drift and one swing for place, scale and angle.

    The encoders and the generator train on these beside the named kinds, so that they follow motion instead of sorting
    it. Paths that look like an unseen kind's are drawn again: those are for a new database to teach.
    """
    while True:
        drift, swing, cycles = rng.normal(0, 1, 4), rng.normal(0, 0.5, 4), rng.uniform(0.4, 2.0, 4)

        def curves(moments: np.ndarray, drift=drift, swing=swing, cycles=cycles) -> np.ndarray:
            return drift[:, None] * moments + swing[:, None] * np.sin(2 * np.pi * cycles[:, None] * moments)  # [4, T]

        if not _looks_unseen(0.22 * curves(_COMPARED)[:2]):
            break
    dx, dy, scale, angle = curves(t)
    spread = reach / 0.26
    return Trajectory(0.22 * spread * dx, 0.22 * spread * dy, np.exp(np.clip(0.35 * scale, -1.0, 0.7)), 0.8 * angle)


def _looks_unseen(places: np.ndarray) -> bool:
    """Whether a path [2, T] has nearly the form of an unseen kind's, at any size."""
    for kind in UNSEEN_MOTIONS.values():
        path = kind(_COMPARED, 1.0)
        form = np.stack([path.dx, path.dy])
        if (places * form).sum() > _ALIKE * np.linalg.norm(places) * np.linalg.norm(form):
            return True
    return False
