"""Sprites as implicit functions: negative inside, positive outside, about unit size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Points = np.ndarray


def circle(x: Points, y: Points) -> Points:
    """A disc."""
    return np.hypot(x, y) - 0.85


def square(x: Points, y: Points) -> Points:
    """A square standing on its side."""
    return np.maximum(abs(x), abs(y)) - 0.75


def triangle(x: Points, y: Points) -> Points:
    """An equilateral triangle pointing up."""
    return np.maximum(abs(x) * 0.866 + y * 0.5, -y) - 0.48


def diamond(x: Points, y: Points) -> Points:
    """A tall rhombus."""
    return (abs(x) * 1.35 + abs(y) - 1.0) * 0.6


def ring(x: Points, y: Points) -> Points:
    """An annulus."""
    return abs(np.hypot(x, y) - 0.65) - 0.22


def cross(x: Points, y: Points) -> Points:
    """A plus sign."""
    across, upright = np.maximum(abs(x) - 0.9, abs(y) - 0.3), np.maximum(abs(x) - 0.3, abs(y) - 0.9)
    return np.minimum(across, upright)


def star(x: Points, y: Points) -> Points:
    """A rounded five-pointed star."""
    return (np.hypot(x, y) - (0.66 + 0.3 * np.cos(5 * (np.arctan2(y, x) - np.pi / 2)))) * 0.6


def heart(x: Points, y: Points) -> Points:
    """A rotated square with a disc on each upper side."""
    lobes = np.hypot(abs(x) - 0.4, y - 0.3) - 0.54
    return np.minimum(lobes, (abs(x) + abs(y + 0.1) - 0.82) * 0.7)


SHAPES: dict[str, Callable[[Points, Points], Points]] = {
    f.__name__: f for f in (circle, square, triangle, diamond, ring, cross, star, heart)
}
