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


def random_trajectory(t: np.ndarray, rng: np.random.Generator) -> Trajectory:
    """A smooth trajectory of no named kind: drift and one swing for place, scale and angle.

    The motion encoder trains on these beside the named kinds, so that it measures motion instead of sorting it.
    """

    def curve(spread: float) -> np.ndarray:
        drift, swing, cycles = rng.normal(0, spread), rng.normal(0, spread / 2), rng.uniform(0.4, 2.0)
        return drift * t + swing * np.sin(2 * np.pi * cycles * t)

    return Trajectory(curve(0.22), curve(0.22), np.exp(np.clip(curve(0.35), -1.0, 0.7)), curve(0.8))
